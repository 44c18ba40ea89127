"""A small web server on loopback that gives the files of OME-Zarr stores to viewers in a browser.

It reads and never writes. What viewers need and a plain file server lacks: permission for pages of named other origins
(CORS), and parts of files (byte ranges), which shards are read by.

Any page that is open in the browser of this computer can send requests here. So none is answered that was sent to a
name which somebody had point to this computer (Host), nor to a page of an origin that is not named (Origin).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from daemon.errors import DaemonError
from daemon.page import links
from daemon.page.served_stores import ServedStores, address
from storage.errors import StorageError

HOST = "127.0.0.1"
PORT = 8765

_BLOCK = 2**20
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})$")  # no file has more bytes than 18 digits can tell
_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_KINDS = {".json": "application/json", ".zattrs": "application/json", ".zarray": "application/json",
          ".zgroup": "application/json", ".xml": "application/xml"}  # fmt: skip


class StoreServer(ThreadingHTTPServer):
    """Listens on loopback only.

    Parameters
    ----------
    served : ServedStores
    port : int
        0 for any that is free.
    origins : sequence of str
        Whose pages may read, such as ``https://example.org``; without it those of the viewers that links lead to.
    """

    daemon_threads = True

    def __init__(self, served: ServedStores, port: int = PORT, origins: Sequence[str] = links.ORIGINS) -> None:
        self.served = served
        self.origins = frozenset(origins)
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise DaemonError(f"Port {port} cannot be listened on ({error}): choose another with --port.") from error

    @property
    def base(self) -> str:
        """The address that all others begin with."""
        return f"http://{HOST}:{self.server_address[1]}"


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
        if _name_of(host) not in _OWN_NAMES:
            text = f"This server answers to {HOST} and localhost only: ask it under that name."
            self._text(HTTPStatus.MISDIRECTED_REQUEST, text, "text/plain", with_content)
            return True
        if origin is None or origin == f"http://{host}" or origin in self.server.origins:
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
                return
            file = self.server.served.file(path)
        except StorageError as error:
            self._text(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "text/plain", with_content)
            return
        if file is None:
            # Also a chunk that holds nothing but background: viewers take its absence for zeros.
            self._text(HTTPStatus.NOT_FOUND, "There is no such file.", "text/plain", with_content)
            return
        try:
            with file.open("rb") as content:
                self._send(file, content, with_content)
        except FileNotFoundError:
            self._text(HTTPStatus.NOT_FOUND, "There is no such file.", "text/plain", with_content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the viewer has seen enough

    def _send(self, file: Path, content: BinaryIO, with_content: bool) -> None:
        size = content.seek(0, 2)
        tag = f'"{file.stat().st_mtime_ns:x}-{size:x}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        asked = self.headers.get("Range")
        span = (0, size) if asked is None else part(asked, size)
        if span is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, end = span
        self.send_response(HTTPStatus.OK if asked is None else HTTPStatus.PARTIAL_CONTENT)
        if asked is not None:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
        self.send_header("Content-Type", _KINDS.get(file.suffix or file.name, "application/octet-stream"))
        self.send_header("Content-Length", str(end - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")  # stores grow: ask again, and mostly hear that nothing changed
        self.end_headers()
        if with_content:
            content.seek(first)
            self._copy(content, end - first)

    def _copy(self, content: BinaryIO, left: int) -> None:
        while left and (block := content.read(min(left, _BLOCK))):
            self.wfile.write(block)
            left -= len(block)
        if left:
            self.close_connection = True  # the file became shorter: the viewer must not wait for the rest

    def _list(self, with_content: bool) -> None:
        offers = [(offer, address(self.server.base, offer)) for offer in self.server.served.offers()]
        if "text/html" not in self.headers.get("Accept", ""):
            stores = [{"acquisition": offer.acquisition, "url": url} for offer, url in offers]
            self._text(HTTPStatus.OK, json.dumps({"stores": stores}, indent=2), "application/json", with_content)
            return
        lines = [
            f'<li>{html.escape(offer.acquisition)}: <a href="{html.escape(links.vizarr(url))}">vizarr</a>, '
            f'<a href="{html.escape(url)}/">{html.escape(url)}</a></li>'
            for offer, url in offers
        ]
        page = f"<!doctype html><meta charset=utf-8><title>nusetd</title><ul>{''.join(lines)}</ul>"
        self._text(HTTPStatus.OK, page, "text/html; charset=utf-8", with_content)

    def _text(self, status: HTTPStatus, text: str, kind: str, with_content: bool) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)


def _name_of(host: str) -> str | None:
    """Return the name in a Host header, without the port: another one leads here where a port is forwarded."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


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
