"""The service manager's notification socket: ready, status, stopping and the watchdog's ping."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


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

    def ready(self, status: str) -> None:
        """The service does its work from now on."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service is on its way down."""
        self._send("STOPPING=1")

    def starting_takes_longer(self, seconds: float) -> None:
        """Ask for more time to start (the model loads)."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def ping(self, now: float) -> None:
        """Tell the watchdog that the main loop turns, at most four times per watchdog interval."""
        if self.watchdog_s is not None and now - self._last_ping >= self.watchdog_s / 4:
            self._last_ping = now
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.sendto(message.encode(), address)
            except OSError:  # a service manager that went away is no reason to stop processing images
                return
