"""The files of stores for viewers, and the viewer itself, from the same origin as the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from threading import Event
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from daemon.page import links, neuroglancer
from daemon.page.byte_ranges import part
from daemon.page.content import Content, FileContent
from daemon.page.served_stores import ServedStores
from storage import naming
from storage.contents import contents
from storage.errors import StorageError

_BLOCK = 2**20
_HEARTBEAT_S = 15.0
_STEP_S = 0.25
_UNCHANGED, _PARTLY, _BEYOND = 304, 206, 416


class StoreName(Convertor[str]):
    """The first part of an address that leads into a store."""

    regex = r"[^/]+\.ome\.zarr"

    def convert(self, value: str) -> str:
        """Take it as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Give it as it is."""
        return value


register_url_convertor("store", StoreName())


class StoreRoutes:
    """Answers for the stores of a database.

    Parameters
    ----------
    database : str
    ending : Event
        Set when the server ends.
    secure : bool
        Visitors come by TLS, be it of a proxy.
    """

    def __init__(self, database: str, ending: Event, secure: bool = False) -> None:
        self._served = ServedStores(database)
        self._ending = ending
        self._secure = secure

    def routes(self) -> list[Route]:
        """Addresses of the viewer, and of stores."""
        return [
            Route(links.EVENTS, self.no_messages),
            Route(f"{links.CLIENT}{{name:path}}", self.client),
            Route(f"{links.VIEWER}{{name:path}}", self.open),
            Route("/{store:store}/{address:path}", self.file),
        ]

    def file(self, request: Request) -> Response:
        """A file of a store, or a part of it."""
        try:
            content = self._served.content(request.scope["raw_path"].decode("latin-1").partition("?")[0])
        except FileNotFoundError:
            content = None
        except (StorageError, OSError) as error:
            # Not 404, which viewers take for a chunk of zeros.
            raise HTTPException(503, str(error)) from error
        if content is None:
            raise HTTPException(404, "There is no such file.")
        return _answer(content, request)

    def listing(self, request: Request) -> Response:
        """All stores, for programs."""
        base, viewer = self._called(request), neuroglancer.client_folder() is not None
        stores = [
            {"acquisition": offer.acquisition, "url": links.store(base, offer.name)}
            | ({"neuroglancer": links.neuroglancer(base, offer.name)} if viewer else {})
            for offer in self._served.offers()
        ]
        return Response(json.dumps({"stores": stores}, indent=2), media_type="application/json")

    def client(self, request: Request) -> Response:
        """A file of the viewer, which may do more than the page: its shaders are made as it runs."""
        name = request.scope["raw_path"].decode("latin-1").removeprefix(links.CLIENT)
        file = neuroglancer.client_file(unquote(name))
        if file is None:
            told = neuroglancer.MISSING if neuroglancer.client_folder() is None else "There is no such file."
            raise HTTPException(404, told)
        answer = _answer(FileContent(file), request)
        answer.headers["content-security-policy"] = neuroglancer.POLICY
        return answer

    def open(self, request: Request) -> Response:
        """Lead to the viewer: with what shows the store of that name, or as it is, where there is no name."""
        if neuroglancer.client_folder() is None:
            raise HTTPException(404, neuroglancer.MISSING)
        name = request.path_params["name"]
        offer = self._served.offer(name) if name else None
        if name and offer is None:
            raise HTTPException(404, f"There is no store {name!r}.")
        target = links.CLIENT
        if offer is not None:
            store, t = links.store(self._called(request), offer.name), request.query_params.get("t", "")
            first = int(t) if t.isdecimal() and len(t) < 16 else None
            shown = neuroglancer.state(store, offer.acquisition, contents(offer.place), first)
            target += f"#{neuroglancer.fragment(shown)}"
        return RedirectResponse(target, 302, {"cache-control": "no-store"})

    def _called(self, request: Request) -> str:
        """The address that the browser has of this server: not its own where the port is forwarded."""
        return f"{'https' if self._secure else request.url.scheme}://{request.url.netloc}"

    async def no_messages(self, request: Request) -> Response:
        """Hold the line for the viewer's program, which expects messages; there are none."""
        headers = {"cache-control": "no-store", "content-type": "text/event-stream"}
        return StreamingResponse(self._silence(request), headers=headers)

    async def _silence(self, request: Request) -> AsyncIterator[str]:
        while not self._ending.is_set() and not await request.is_disconnected():
            yield ":\n\n"
            await pause(self._ending, _HEARTBEAT_S)


async def pause(ending: Event, seconds: float) -> None:
    """Wait so long, or until the server ends, without a thread: there are few, and many may wait."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not ending.is_set() and loop.time() < until:
        await asyncio.sleep(min(_STEP_S, seconds))


def link(acquisition: str) -> str:
    """The address that opens an acquisition in the viewer."""
    return links.neuroglancer("", naming.safe_name(acquisition) + naming.STORE_SUFFIX)


def _answer(content: Content, request: Request) -> Response:
    tag = f'"{content.tag}"'
    # Stores grow: ask again, and mostly hear that nothing changed.
    headers = {"etag": tag, "accept-ranges": "bytes", "cache-control": "no-cache"}
    asked = request.headers.get("range")
    span = (0, content.size) if asked is None else part(asked, content.size)
    if request.headers.get("if-none-match") == tag or span is None:
        content.close()
        code = _BEYOND if span is None else _UNCHANGED
        return Response(status_code=code, headers={**headers, "content-range": f"bytes */{content.size}"})
    first, end = span
    headers |= {"content-length": str(end - first), "content-type": content.kind}
    code = 200
    if asked is not None:
        headers["content-range"], code = f"bytes {first}-{end - 1}/{content.size}", _PARTLY
    if request.method == "HEAD":
        content.close()
        return Response(None, code, headers)
    return StreamingResponse(_blocks(content, first, end), code, headers)


def _blocks(content: Content, first: int, end: int) -> Iterator[bytes]:
    with closing(content):
        while first < end and (block := content.read(first, min(end - first, _BLOCK))):
            yield block
            first += len(block)
