"""Listening for the page: on loopback, or elsewhere for those who know a token, with TLS or behind a proxy."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import uvicorn
from starlette.types import ASGIApp

from daemon.configuration.page import PageConfig, openings
from daemon.errors import DaemonError

DEFAULT_LISTEN = "127.0.0.1:8765"


@dataclass(frozen=True)
class Listening:
    """A socket that listens.

    Attributes
    ----------
    socket : socket.socket
    address : str
        Under which a browser on this computer finds the page.
    """

    socket: socket.socket
    address: str


def listen(page: PageConfig) -> Listening:
    """Listen on its ``host:port``; port 0 is any that is free.

    Raises
    ------
    DaemonError
        When it is no address, cannot be listened on, or others could get in, or listen in, who should not.
    """
    where = str(page.listen)
    host, _, port = where.rpartition(":")
    name = host.strip("[]")
    if not name or not port.isdecimal() or int(port) > 65535:
        raise DaemonError(f"{where!r} is no address to listen on: write HOST:PORT, such as {DEFAULT_LISTEN}.")
    for sentence in openings(page):
        raise DaemonError(f"{where}: {sentence}")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((name, int(port)))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise DaemonError(
            f"{where} cannot be listened on ({error.strerror or error}): give --listen another address."
        ) from error
    shown = f"[{name}]" if family == socket.AF_INET6 else name
    scheme = "http" if page.tls_certificate is None else "https"
    return Listening(listener, f"{scheme}://{shown}:{listener.getsockname()[1]}")


class PageServer(uvicorn.Server):
    """Serves an application; who listens for changes hears of the end before the line is cut.

    Parameters
    ----------
    app : application
    ending : Event
        Set when the end has come.
    tls : (Path, Path) or None
        Files of the certificate and of its key.

    Raises
    ------
    DaemonError
        When these cannot be used.
    """

    def __init__(self, app: ASGIApp, ending: Event, tls: tuple[Path, Path] | None = None) -> None:
        self._ending = ending
        settings = uvicorn.Config(
            app,
            log_level="warning",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE_S,
            # What a proxy says of a visitor is not needed, and a visitor could say it as well.
            proxy_headers=False,
            ssl_certfile=None if tls is None else tls[0],
            ssl_keyfile=None if tls is None else str(tls[1]),
        )
        try:
            settings.load()
        except OSError as error:  # an SSLError is one
            raise DaemonError(f"{tls} are no certificate and key that can be used ({error}).") from error
        logging.getLogger("uvicorn.error").addFilter(_CutOff(ending))
        super().__init__(settings)

    @property
    def ending(self) -> Event:
        """Set when the end has come."""
        return self._ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell those who listen, wait a little for what is under way, and cut the rest."""
        # Not in the handler of a signal: a second one may come while the lock of an Event is held.
        self._ending.set()
        await super().shutdown(sockets)

    def end(self) -> None:
        """End soon; for other threads."""
        self._ending.set()
        self.should_exit = True


class _CutOff(logging.Filter):
    """What becomes of visitors who are cut off at the end is no fault to tell of."""

    def __init__(self, ending: Event) -> None:
        super().__init__()
        self._ending = ending

    def filter(self, record: logging.LogRecord) -> bool:
        return not self._ending.is_set()


_PATIENCE_S = 2
