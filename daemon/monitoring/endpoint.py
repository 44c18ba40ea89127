"""A small HTTP server on this machine alone: `/metrics`, `/healthz`, `/readyz` and `/status`. It only ever reads.

It answers neither under a name that somebody had point to this computer (Host) nor to pages of other origins (Origin).
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from daemon import logs
from daemon.errors import DaemonError
from daemon.loopback import is_own, is_same_origin
from daemon.monitoring.metrics import Metrics, Pulse

_TEXT = "text/plain; charset=utf-8"


class Endpoint:
    """Serves metrics and health until it is stopped.

    Parameters
    ----------
    listen : str
        ``host:port`` of this machine; port 0 takes a free one.
    clock : callable
        The steady seconds by which `pulse` was told.
    """

    def __init__(self, listen: str, metrics: Metrics, pulse: Pulse, clock: Callable[[], float]) -> None:
        host, _, port = listen.rpartition(":")
        try:
            self._server = _server(host.strip("[]"), int(port), _handler(metrics, pulse, clock))
        except OSError as error:
            raise DaemonError(
                f"{listen} cannot be listened on ({error.strerror}): choose another port for `listen`."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _server(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    class MetricsServer(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away in the middle of an answer is nothing to talk about."""

    return MetricsServer((host, port), handler)


def _refusal(host: str | None, origin: str | None) -> tuple[int, str, bytes] | None:
    if not is_own(host):
        return 421, _TEXT, b"Ask under the name localhost or 127.0.0.1.\n"
    if not is_same_origin(origin, host):
        return 403, _TEXT, b"Pages of other origins may not read here.\n"
    return None


def _handler(metrics: Metrics, pulse: Pulse, clock: Callable[[], float]) -> type[BaseHTTPRequestHandler]:
    def answer(path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", metrics.render()
        if path == "/status":
            return 200, "application/json", json.dumps(pulse.status(), indent=2).encode()
        if path in ("/healthz", "/readyz"):
            good, text = (pulse.health if path == "/healthz" else pulse.readiness)(clock())
            return 200 if good else 503, _TEXT, f"{text}\n".encode()
        return 404, _TEXT, b"There are /metrics, /healthz, /readyz and /status.\n"

    class Handler(BaseHTTPRequestHandler):
        server_version = "nusetd"
        sys_version = ""
        timeout = 10.0  # a client that says nothing

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            refused = _refusal(self.headers.get("Host"), self.headers.get("Origin"))
            code, kind, body = refused or answer(self.path.split("?", 1)[0])
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, form: str, *arguments: object) -> None:
            logs.debug("request", line=form % arguments)

    return Handler
