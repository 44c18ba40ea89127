"""The files of stores for viewers, and the viewer itself, from the same origin as the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from threading import Event
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from daemon.page import links, neuroglancer
from daemon.page.content import Content, FileContent
from daemon.page.serve import part
from daemon.page.served_stores import ServedStores
from storage.contents import contents

PREFIX = "/stores"
_BLOCK = 2**20
_HEARTBEAT_S = 5.0


class StoreRoutes:
    """Answers for the stores of a database.

    Parameters
    ----------
    database : str
    ending : Event
        Set when the server ends.
    """

    def __init__(self, database: str, ending: Event) -> None:
        self._served = ServedStores(database)
        self._ending = ending

    def routes(self) -> list[Route]:
        """Addresses of stores, and of the viewer."""
        return [
            Route(f"{links.EVENTS}", self.no_messages),
            Route(f"{links.CLIENT}{{name:path}}", self.client),
            Route("/open/{name:path}", self.open),
            Route(f"{PREFIX}/{{address:path}}", self.file),
        ]

    def file(self, request: Request) -> Response:
        """A file of a store, or a part of it."""
        address = request.url.path.removeprefix(PREFIX)
        content = self._served.content(address)
        if content is None:
            raise HTTPException(404, "There is no such file.")
        return _answer(content, request)

    def client(self, request: Request) -> Response:
        """A file of the viewer, which may do more than the page: its shaders are made as it runs."""
        file = neuroglancer.client_file(request.path_params["name"])
        if file is None:
            raise HTTPException(404, neuroglancer.MISSING if neuroglancer.client_folder() is None else "")
        answer = _answer(FileContent(file), request)
        answer.headers["content-security-policy"] = neuroglancer.POLICY
        return answer

    def open(self, request: Request) -> Response:
        """Lead to the viewer, with what shows the store of an acquisition."""
        if neuroglancer.client_folder() is None:
            raise HTTPException(404, neuroglancer.MISSING)
        wanted = request.path_params["name"]
        offer = next((one for one in self._served.offers() if one.acquisition == wanted), None)
        if offer is None:
            raise HTTPException(404, f"There is no acquisition {wanted!r} with a store.")
        base = f"{request.url.scheme}://{request.url.netloc}{PREFIX}"
        shown = neuroglancer.state(links.store(base, offer.name), offer.acquisition, contents(offer.place))
        return RedirectResponse(f"{links.CLIENT}#{neuroglancer.fragment(shown)}", 302, {"cache-control": "no-store"})

    async def no_messages(self, request: Request) -> Response:
        """Hold the line for the viewer's program, which expects messages; there are none."""
        headers = {"cache-control": "no-store"}
        return StreamingResponse(self._silence(request), media_type="text/event-stream", headers=headers)

    async def _silence(self, request: Request) -> AsyncIterator[str]:
        while not self._ending.is_set() and not await request.is_disconnected():
            yield ":\n\n"
            await run_in_threadpool(self._ending.wait, _HEARTBEAT_S)


def link(acquisition: str) -> str:
    """The address that opens an acquisition in the viewer."""
    return f"/open/{quote(acquisition)}"


def _answer(content: Content, request: Request) -> Response:
    tag = f'"{content.tag}"'
    headers = {"etag": tag, "accept-ranges": "bytes", "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        content.close()
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    span = (0, content.size) if asked is None else part(asked, content.size)
    if span is None:
        content.close()
        return Response(status_code=416, headers={"content-range": f"bytes */{content.size}"})
    first, end = span
    headers["content-length"] = str(end - first)
    if asked is not None:
        headers["content-range"] = f"bytes {first}-{end - 1}/{content.size}"
    code = 200 if asked is None else 206
    return StreamingResponse(_blocks(content, first, end), code, headers, media_type=content.kind)


def _blocks(content: Content, first: int, end: int) -> Iterator[bytes]:
    with closing(content):
        while first < end and (block := content.read(first, min(end - first, _BLOCK))):
            yield block
            first += len(block)
