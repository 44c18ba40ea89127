"""The live page on a port of its own, for tests, and requests to it as a browser or a script would send them."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daemon.configuration.page import PageConfig
from daemon.orders.page_services import PageServices
from daemon.page.live.app import make_app
from daemon.page.live.guard import Visitors
from daemon.page.live.jobs.job_orders import JobRules
from daemon.page.live.server import PageServer, listen
from daemon.page.serve import StoreServer
from storage import naming


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body as values."""
        return json.loads(self.body)


@dataclass(frozen=True)
class LivePage:
    """A page that listens."""

    address: str
    asked: list[str] = field(default_factory=list)

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
        """Send one request."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def order(self, what: str, **values: object) -> Answer:
        """Send an order as the page does."""
        return self.ask(f"/api/orders/{what}", "POST", values, X_Nusetd_Order="1", Origin=self.address)


@contextmanager
def store_server(database: Path | str, origins: Sequence[str] = ()) -> Iterator[StoreServer]:
    """What `nusetd serve` offers of a database."""
    made = StoreServer(naming.database_url(database), PageServices(), 0, origins)
    with made as server, running(server, server.serve_forever):
        yield server


@contextmanager
def running(server: PageServer, serve: Callable[[], None]) -> Iterator[None]:
    """Have a server answer in a thread."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield
    finally:
        server.end()
        thread.join(10)


@contextmanager
def live_page(
    database: Path, visitors: Visitors | None = None, folders: Sequence[Path] = (), rules: JobRules | None = None
) -> Iterator[LivePage]:
    """Serve the page of a database."""
    jobs = rules or JobRules((database.parent if database.is_file() else database) / "jobs")
    listening = listen(PageConfig(listen="127.0.0.1:0"))
    ending = threading.Event()
    app = make_app(naming.database_url(database), PageServices(), visitors or Visitors(), ending, jobs, folders)
    server = PageServer(app, ending)
    with running(server, lambda: server.run(sockets=[listening.socket])):
        yield LivePage(listening.address)
