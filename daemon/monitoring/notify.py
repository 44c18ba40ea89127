"""The service manager's notification socket: ready, status, reloading, stopping, more time, the watchdog's ping."""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Mapping

_KEPT = 50  # messages that wait for a manager that does not read; of more, the oldest are dropped


class Notifier:
    """Speaks `sd_notify`'s datagrams; silent when the process was not started by a service manager.

    Parameters
    ----------
    environ : mapping
        Where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked up.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        found = os.environ if environ is None else environ
        self._address = found.get("NOTIFY_SOCKET", "")
        meant_for_us = found.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_us = found.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdigit() and meant_for_us else None
        self._last_ping = float("-inf")
        self._last_extension = float("-inf")
        self._last_status = ""
        self._unsent: deque[str] = deque(maxlen=_KEPT)

    def ready(self, status: str) -> None:
        """The service does its work from now on."""
        self._last_status = status
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; what was said last is not repeated."""
        if text != self._last_status:
            self._last_status = text
            self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """The configuration is read anew; `ready` ends it."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000  # by which the manager tells reloads apart
        self._send(f"RELOADING=1\nMONOTONIC_USEC={moment}")

    def stopping(self, status: str) -> None:
        """The service is on its way down."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def extend(self, now: float, seconds: float) -> None:
        """Starting or stopping takes longer: ask for so many seconds from now on, at most four times within them."""
        if now - self._last_extension >= seconds / 4:
            self._last_extension = now
            self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def ping(self, now: float) -> None:
        """Tell the watchdog that the main loop turns, at most four times per watchdog interval; send what waits."""
        if self._unsent:
            self._flush()
        if self.watchdog_s is not None and now - self._last_ping >= self.watchdog_s / 4:
            self._last_ping = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        if message in self._unsent:  # the manager does not read: it need not hear the same twice
            return
        self._unsent.append(message)
        self._flush()

    def _flush(self) -> None:
        """Send what waits, in order, without ever waiting: a manager that does not read must not hold up the work."""
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
            while self._unsent:
                try:
                    sender.sendto(self._unsent[0].encode(), address)
                except BlockingIOError:
                    return  # its queue is full: again at the next turn
                except OSError:  # a service manager that went away is no reason to stop processing images
                    self._unsent.clear()
                    return
                self._unsent.popleft()
