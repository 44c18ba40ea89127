"""Listening for the page: on loopback, or elsewhere for those who know a token."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from threading import Event
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from daemon.errors import DaemonError
from daemon.loopback import OWN_NAMES
from daemon.page.live.guard import Visitors

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


def listen(where: str, visitors: Visitors) -> Listening:
    """Listen on ``host:port``; port 0 is any that is free.

    Raises
    ------
    DaemonError
        When it is no address, cannot be listened on, or reaches beyond this computer without a token.
    """
    host, _, port = where.rpartition(":")
    name = host.strip("[]")
    if not name or not port.isdecimal() or int(port) > 65535:
        raise DaemonError(f"{where!r} is no address to listen on: write HOST:PORT, such as {DEFAULT_LISTEN}.")
    if name not in OWN_NAMES and visitors.token is None:
        raise DaemonError(
            f"{where} can be reached from other computers: give --token-file FILE, or listen on {DEFAULT_LISTEN} and "
            "forward the port by ssh."
        )
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
    return Listening(listener, f"http://{shown}:{listener.getsockname()[1]}")


class PageServer(uvicorn.Server):
    """Serves an application; who listens for changes hears of the end before the line is cut.

    Parameters
    ----------
    app : application
    ending : Event
        Set when the end has come.
    """

    def __init__(self, app: ASGIApp, ending: Event) -> None:
        self._ending = ending
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", lifespan="off", server_header=False, timeout_graceful_shutdown=_PATIENCE_S
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, as a signal asks."""
        self.end()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """End soon."""
        self._ending.set()
        self.should_exit = True


_PATIENCE_S = 3
