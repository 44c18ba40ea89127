"""Routes that change something: small bodies, an answer in a sentence, and a record of who it was.

No route of the page changes anything but through here; a test goes through all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.errors import DaemonError
from daemon.page.live.orders.services import Said, Services
from daemon.page.live.orders.visitor import who
from storage.errors import StorageError

LARGEST_BODY = 64 * 2**10
MARK = "recorded_as"
"""An endpoint that is recorded has this attribute: the word under which it is."""

CHANGES_NOTHING = "changes_nothing"
"""An endpoint that only computes, and stores nothing, has this one: it is guarded, and not recorded."""

_UNRECORDED = " It could not be written down how it ended: {error}"


@dataclass(frozen=True)
class Prepared:
    """An order that was understood.

    Attributes
    ----------
    subject : str
        What it is about, for the record.
    act : callable
        Carries it out.
    facts : mapping
        What was given with it, for the record.
    """

    subject: str
    act: Callable[[], Said]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Changing:
    """Makes routes of orders.

    Parameters
    ----------
    database : str
    services : Services
    changed : callable
        Told after every order: what was read before it is old.
    """

    def __init__(self, database: str, services: Services, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._services = services
        self._changed = changed

    def route(self, path: str, what: str, prepare: Callable[[Mapping[str, Any]], Prepared]) -> Route:
        """A route that takes an order as a JSON object; `prepare` raises where it asks for what cannot be."""

        async def endpoint(request: Request) -> Response:
            values = await small_json(request)
            return await self.carried_out(request, what, lambda: prepare(values))

        return self.marked(path, what, endpoint)

    @staticmethod
    def marked(path: str, what: str, endpoint: Any) -> Route:  # noqa: ANN401 - what Starlette takes for an endpoint
        """A route of an endpoint that uses `carried_out` itself, such as one that takes a file."""
        return Route(path, _saying(endpoint, MARK, what), methods=["POST"])

    @staticmethod
    def computing(path: str, endpoint: Any) -> Route:  # noqa: ANN401 - what Starlette takes for an endpoint
        """A route whose endpoint computes something that nothing is changed by."""
        return Route(path, _saying(endpoint, CHANGES_NOTHING, True), methods=["POST"])

    async def carried_out(self, request: Request, what: str, prepare: Callable[[], Prepared]) -> Response:
        """Prepare an order, write it down, do it, and write down how it ended."""
        name = await run_in_threadpool(who, request.scope)
        try:
            said = await run_in_threadpool(self._carry_out, name, what, prepare)
        finally:
            self._changed()
        if not said.accepted:
            return JSONResponse({"error": said.text}, 409)
        return JSONResponse({**said.values, "said": said.text})

    def _carry_out(self, name: str, what: str, prepare: Callable[[], Prepared]) -> Said:
        prepared = prepare()
        number = self._services.begin(self._database, name, what, prepared.subject, prepared.facts)
        try:
            said = prepared.act()
        except Exception as error:
            text = str(error) if isinstance(error, (DaemonError, StorageError)) else f"a fault in nusetd: {error!r}"
            self._ended(number, Said(text, False))
            raise
        return self._ended(number, said)

    def _ended(self, number: int, said: Said) -> Said:
        try:
            self._services.end(self._database, number, said)
        except StorageError as error:
            return Said(said.text + _UNRECORDED.format(error=error), said.accepted, said.requests, said.values)
        return said


def _saying(endpoint: Any, name: str, value: object) -> Any:  # noqa: ANN401 - what Starlette takes for an endpoint
    """The endpoint, also a method, with an attribute."""

    async def same(request: Request) -> Response:
        answer: Response = await endpoint(request)
        return answer

    setattr(same, name, value)
    return same


async def small_json(request: Request) -> Mapping[str, Any]:
    """The body as a JSON object.

    Raises
    ------
    HTTPException
        When it is none, or too long.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST_BODY:
            raise HTTPException(413, f"An order has at most {LARGEST_BODY // 1024} KiB.")
    try:
        values = json.loads(content)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise HTTPException(400, "An order is a JSON object.")
    return values
