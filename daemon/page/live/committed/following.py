"""What is committed, as server-sent events: `nusetd follow` for browsers, and for programs on other computers."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from threading import Event, Lock

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from daemon.page.live.freshness.shared_answers import SharedAnswers
from daemon.page.live.stores import pause
from storage.errors import DatabaseUnavailableError, StorageError
from storage.query.following.cursor import Cursor
from storage.query.following.event_rows import last_event
from storage.query.following.follower import LOOK_S, begin, read, refuse_beyond, scope_of
from storage.query.following.lines import Line, Scope
from storage.query.snapshots import snapshot

MOST_FOLLOWERS = 64
_AT_ONCE = 2_000  # lines
_SHARED_S = 0.2
_HEARTBEAT_S = 15.0


class FollowRoutes:
    """Lines for whoever follows; those who are equally far, and want the same, share what is read.

    Parameters
    ----------
    database : str
    ending : Event
        Set when the server ends.
    """

    def __init__(self, database: str, ending: Event) -> None:
        self._database, self._ending = database, ending
        self._shared = SharedAnswers()
        self._looking = Lock()
        self._looked_at, self._last = float("-inf"), 0
        self._followers = 0

    def routes(self) -> list[Route]:
        """Every address."""
        return [Route("/api/follow", self.follow)]

    def follow(self, request: Request) -> Response:
        """Lines behind a cursor: the one of ``Last-Event-ID``, else ``from``, else from now on."""
        if self._followers >= MOST_FOLLOWERS:
            raise HTTPException(503, f"{MOST_FOLLOWERS} follow already: try again later.")
        query = request.query_params
        asked = request.headers.get("last-event-id") or query.get("from") or None
        with snapshot(self._database) as connection:
            events = query.get("events", "") not in ("", "0", "false")
            scope = scope_of(connection, query.get("acquisition") or None, query.get("where") or None, events)
            cursor = begin(connection, asked)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(request, scope, cursor), media_type="text/event-stream", headers=headers)

    async def _stream(self, request: Request, scope: Scope, cursor: Cursor) -> AsyncIterator[bytes]:
        self._followers += 1
        try:
            said_at, told = time.monotonic(), -1
            yield b": following\n\n"
            while not self._ending.is_set() and not await request.is_disconnected():
                content = b""
                try:
                    last = await run_in_threadpool(self._newest)
                    if last != told:
                        content = await run_in_threadpool(self._content, scope, cursor)
                    told = told if content else last
                except DatabaseUnavailableError:
                    pass  # it is waited for
                except StorageError as error:
                    yield f"event: refused\ndata: {json.dumps(str(error))}\n\n".encode()
                    return
                if content:
                    cursor, said_at = _behind(content), time.monotonic()
                    yield content
                    continue
                if time.monotonic() - said_at > _HEARTBEAT_S:
                    said_at = time.monotonic()
                    yield b": still here\n\n"
                await pause(self._ending, LOOK_S)
        finally:
            self._followers -= 1

    def _newest(self) -> int:
        """The number of the newest event; several followers share one look."""
        with self._looking:
            now = time.monotonic()
            if now - self._looked_at > _SHARED_S:
                with snapshot(self._database) as connection:
                    self._last = last_event(connection)
                self._shared.forget(str(self._last))
                self._looked_at = now
            return self._last

    def _content(self, scope: Scope, cursor: Cursor) -> bytes:
        def made() -> bytes:
            with snapshot(self._database) as connection:
                refuse_beyond(connection, cursor)
                lines = read(connection, scope, cursor, _AT_ONCE)
            return "".join(map(_message, lines)).encode()

        return self._shared.content(f"{scope} {cursor}", made)


def _message(line: Line) -> str:
    return f"id: {line['cursor']}\ndata: {json.dumps(line, ensure_ascii=False, allow_nan=False)}\n\n"


def _behind(content: bytes) -> Cursor:
    """The cursor of the last line: within JSON there is no line's end."""
    marks = [line for line in content.split(b"\n")[-4:] if line.startswith(b"id: ")]
    return Cursor.read(marks[-1][4:].decode())
