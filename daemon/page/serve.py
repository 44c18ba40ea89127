"""A small web server on loopback that gives the files of OME-Zarr stores to viewers in a browser, and a viewer.

It reads and never writes. What viewers need and a plain file server lacks: parts of files (byte ranges), which shards
are read by, and permission for pages of named other origins (CORS).

Any page that is open in the browser of this computer can send requests here. So none is answered that was sent to a
name which somebody had point to this computer (Host), nor to a page of an origin that is not named (Origin).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from urllib.parse import unquote, urlsplit

from daemon.errors import DaemonError
from daemon.loopback import is_own, is_same_origin
from daemon.page import links, neuroglancer
from daemon.page.content import Content, FileContent
from daemon.page.served_stores import ServedStores
from storage.contents import contents
from storage.errors import StorageError

HOST = "127.0.0.1"
PORT = 8765

_BLOCK = 2**20
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})$")  # no file has more bytes than 18 digits can tell
_HEARTBEAT_S = 15.0


class StoreServer(ThreadingHTTPServer):
    """Listens on loopback only.

    Parameters
    ----------
    served : ServedStores
    port : int
        0 for any that is free.
    origins : sequence of str
        Whose pages may read besides its own, such as ``https://example.org``.
    """

    daemon_threads = True

    def __init__(self, served: ServedStores, port: int = PORT, origins: Sequence[str] = ()) -> None:
        self.served = served
        self.origins = frozenset(origins)
        self.ending = Event()
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise DaemonError(f"Port {port} cannot be listened on ({error}): choose another with --port.") from error

    @property
    def base(self) -> str:
        """The address that all others begin with."""
        return f"http://{HOST}:{self.server_address[1]}"

    def shutdown(self) -> None:
        """Stop serving, also those who listen for messages."""
        self.ending.set()
        super().shutdown()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    server: StoreServer
    protocol_version = "HTTP/1.1"
    server_version = "nusetd"
    sys_version = ""
    timeout = 60.0

    def do_OPTIONS(self) -> None:
        """Tell a browser that a page may ask."""
        if self._refused(with_content=True):
            return
        self.send_response(HTTPStatus.NO_CONTENT)
        self.send_header("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        self.send_header("Access-Control-Allow-Headers", "Range, If-None-Match, Content-Type")
        self.send_header("Access-Control-Allow-Private-Network", "true")
        self.send_header("Access-Control-Max-Age", "86400")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        """Answer as for GET, without the content."""
        self._answer(with_content=False)

    def do_GET(self) -> None:
        """Give a file, a part of it, or the list of stores."""
        self._answer(with_content=True)

    def end_headers(self) -> None:
        """Add what every answer carries."""
        origin = self.headers.get("Origin") if self.headers else None  # there are none where the request is broken
        if origin in self.server.origins:
            self.send_header("Access-Control-Allow-Origin", str(origin))
            self.send_header("Access-Control-Expose-Headers", "Content-Length, Content-Range, ETag")
        self.send_header("Vary", "Origin")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: a viewer asks for thousands of files."""

    def _refused(self, with_content: bool) -> bool:
        """Refuse what was sent to another name than this computer's, or by a page that may not read."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if not is_own(host):
            text = f"This server answers to {HOST} and localhost only: ask it under that name."
            self._text(HTTPStatus.MISDIRECTED_REQUEST, text, "text/plain", with_content)
            return True
        if is_same_origin(origin, host) or origin in self.server.origins:
            return False
        text = "Pages of this origin may not read here: name it with --origin, if you trust it."
        self._text(HTTPStatus.FORBIDDEN, text, "text/plain", with_content)
        return True

    def _answer(self, with_content: bool) -> None:
        if self._refused(with_content):
            return
        path = urlsplit(self.path).path
        try:
            if path == "/":
                self._list(with_content)
            elif path == links.EVENTS:
                self._keep_listening(with_content)
            elif path.startswith(links.CLIENT):
                file = neuroglancer.client_file(unquote(path.removeprefix(links.CLIENT)))
                self._send(None if file is None else FileContent(file), with_content, of_viewer=True)
            elif path.startswith(links.VIEWER):
                self._open_in_viewer(unquote(path.removeprefix(links.VIEWER)), with_content)
            else:
                self._send(self.server.served.content(path), with_content)
        except FileNotFoundError:
            self._send(None, with_content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the viewer has seen enough
        except (StorageError, OSError) as error:
            self._text(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "text/plain", with_content)

    def _send(self, content: Content | None, with_content: bool, of_viewer: bool = False) -> None:
        if content is None:
            # Also a chunk that holds nothing but background: viewers take its absence for zeros.
            self._text(HTTPStatus.NOT_FOUND, "There is no such file.", "text/plain", with_content)
            return
        with closing(content):
            self._send_part(content, with_content, of_viewer)

    def _send_part(self, content: Content, with_content: bool, of_viewer: bool) -> None:
        tag = f'"{content.tag}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        asked = self.headers.get("Range")
        span = (0, content.size) if asked is None else part(asked, content.size)
        if span is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{content.size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, end = span
        self.send_response(HTTPStatus.OK if asked is None else HTTPStatus.PARTIAL_CONTENT)
        if asked is not None:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{content.size}")
        if of_viewer:
            self.send_header("Content-Security-Policy", neuroglancer.POLICY)
        self.send_header("Content-Type", content.kind)
        self.send_header("Content-Length", str(end - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")  # stores grow: ask again, and mostly hear that nothing changed
        self.end_headers()
        if with_content:
            self._copy(content, first, end)

    def _open_in_viewer(self, name: str, with_content: bool) -> None:
        """Lead to the viewer: with what shows the store of that name, or as it is, where there is no name."""
        if neuroglancer.client_folder() is None:
            self._text(HTTPStatus.NOT_FOUND, neuroglancer.MISSING, "text/plain", with_content)
            return
        offer = self.server.served.offer(name) if name else None
        if name and offer is None:
            self._send(None, with_content)
            return
        target = links.CLIENT
        if offer is not None:
            store = links.store(self._called(), offer.name)
            target += f"#{neuroglancer.fragment(neuroglancer.state(store, offer.acquisition, contents(offer.place)))}"
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", target)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _keep_listening(self, with_content: bool) -> None:
        """Hold the line for the viewer's program, which expects messages; there are none."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        while with_content:
            self.wfile.write(b":\n\n")
            if self.server.ending.wait(_HEARTBEAT_S):
                return

    def _copy(self, content: Content, first: int, end: int) -> None:
        try:
            while first < end and (block := content.read(first, min(end - first, _BLOCK))):
                self.wfile.write(block)
                first += len(block)
        except OSError:
            pass  # nobody reads any more, or the object store stopped answering
        if first < end:
            self.close_connection = True  # the viewer must not wait for the rest

    def _list(self, with_content: bool) -> None:
        base, viewer = self._called(), neuroglancer.client_folder() is not None
        offers = self.server.served.offers()
        if "text/html" not in self.headers.get("Accept", ""):
            stores = [
                {"acquisition": offer.acquisition, "url": links.store(base, offer.name)}
                | ({"neuroglancer": links.neuroglancer(base, offer.name)} if viewer else {})
                for offer in offers
            ]
            self._text(HTTPStatus.OK, json.dumps({"stores": stores}, indent=2), "application/json", with_content)
            return
        lines = [f"<p>{html.escape(neuroglancer.MISSING)}</p>"] if not viewer else []
        for offer in offers:
            name, store = html.escape(offer.acquisition), html.escape(links.store(base, offer.name))
            shown = f'<a href="{html.escape(links.neuroglancer(base, offer.name))}">{name}</a>' if viewer else name
            lines.append(f"<li>{shown}, OME-Zarr at {store}</li>")
        page = f"<!doctype html><meta charset=utf-8><title>nusetd</title><ul>{''.join(lines)}</ul>"
        self._text(HTTPStatus.OK, page, "text/html; charset=utf-8", with_content)

    def _called(self) -> str:
        """Return the address that the browser has of this server: not its own where the port is forwarded."""
        host = urlsplit(f"//{self.headers['Host']}")
        name = f"[{host.hostname}]" if ":" in str(host.hostname) else host.hostname
        return f"http://{name}" if host.port is None else f"http://{name}:{host.port}"

    def _text(self, status: HTTPStatus, text: str, kind: str, with_content: bool) -> None:
        content = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)


def part(asked: str, size: int) -> tuple[int, int] | None:
    """Return (first, end) of the bytes that a Range header asks for, or None for what a file of `size` has not.

    ``bytes=2-4`` are three bytes, ``bytes=2-`` those from the third on, ``bytes=-2`` the last two. Several ranges at
    once are not offered.
    """
    found = _RANGE.match(asked.strip())
    if found is None or found.group(1) == found.group(2) == "":
        return None
    if found.group(1) == "":
        length = int(found.group(2))
        return (max(0, size - length), size) if length and size else None
    first = int(found.group(1))
    end = min(size, int(found.group(2)) + 1) if found.group(2) else size
    return (first, end) if first < end else None
