"""`nusetd serve`: the page, where nothing can be ordered, on a port of loopback; viewers of named origins read stores.

Any page that is open in the browser of this computer can send requests here. So none is answered that was sent to a
name which somebody had point to this computer (Host), nor to a page of an origin that is not named (Origin).
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from types import TracebackType
from typing import Self

from daemon.configuration.page import PageConfig
from daemon.errors import DaemonError
from daemon.page.live.app import make_app
from daemon.page.live.guard import Visitors
from daemon.page.live.orders.services import Services
from daemon.page.live.server import PageServer, listen

HOST = "127.0.0.1"
PORT = 8765


class StoreServer(PageServer):
    """Listens on loopback only.

    Parameters
    ----------
    database : str
    services : Services
    port : int
        0 for any that is free.
    origins : sequence of str
        Whose pages may read stores besides its own, such as ``https://example.org``.
    """

    def __init__(self, database: str, services: Services, port: int = PORT, origins: Sequence[str] = ()) -> None:
        try:
            self._listening = listen(PageConfig(listen=f"{HOST}:{port}"))
        except DaemonError as error:
            raise DaemonError(f"Port {port} cannot be listened on ({error}): choose another with --port.") from error
        ending = Event()
        visitors = Visitors(read_only=True, origins=frozenset(origins))
        super().__init__(make_app(database, services, visitors, ending), ending)

    @property
    def base(self) -> str:
        """The address that all others begin with."""
        return self._listening.address

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.socket.getsockname()[1])

    def serve_forever(self) -> None:
        """Answer until `end`."""
        self.run(sockets=[self._listening.socket])

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._listening.socket.close()
