"""The orders that say what is wrong with nuclei and links, and the list of what was said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.page.live.orders.changing import Changing, Prepared, small_json
from daemon.page.live.orders.named import named_acquisition
from daemon.page.live.orders.services import Services
from daemon.page.live.orders.visitor import who
from storage.corrections.outlines import DrawnOutline
from storage.corrections.persons_word import COUNTS, PersonsWord
from storage.errors import WrongRequestError
from storage.query.correcting import correction_progress, said_of
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow

MOST_SHOWN = 200
"""Corrections in the list, the latest; `nusetd correct ACQ list` tells of all."""

_MOST_LABELS, _MOST_POINTS, _MOST_CORNERS = 64, 64, 4000


class CorrectingRoutes:
    """Routes of a database.

    Parameters
    ----------
    database : str
    services : Services
    changed : callable
        Told after every order.
    """

    def __init__(self, database: str, services: Services, changed: Callable[[], None]) -> None:
        self._database = database
        self._services = services
        self._changing = Changing(database, services, changed)

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Changing.marked("/api/orders/correct", "correct", self.correct),
            Changing.marked("/api/orders/undo", "undo", self.undo),
            Route("/api/acquisitions/{number:int}/corrections", self.listed),
        ]

    def listed(self, request: Request) -> Response:
        """What was said of an acquisition, the latest first, and how far it is carried out."""
        number = request.path_params["number"]
        with snapshot(self._database) as connection:
            rows = said_of(connection, number, MOST_SHOWN)
            progress = [{**asdict(one), "sentence": one.sentence} for one in correction_progress(connection, number)]
        return JSONResponse({"said": rows, "progress": progress}, headers={"Cache-Control": "no-store"})

    async def correct(self, request: Request) -> Response:
        """Say what is wrong; who it is comes from the request."""
        values = await small_json(request)
        name = await run_in_threadpool(who, request.scope)

        def prepare() -> Prepared:
            row = named_acquisition(self._database, values)
            word = persons_word(row, values)
            facts = {"kind": word.kind, "t": word.source_t, "nuclei": ", ".join(map(str, (*word.labels, *word.to)))}
            return Prepared(row.name, partial(self._services.correct, self._database, row.id, word, name), facts)

        return await self._changing.carried_out(request, "correct", prepare)

    async def undo(self, request: Request) -> Response:
        """Take one back, the last of them where none is named."""
        values = await small_json(request)
        name = await run_in_threadpool(who, request.scope)

        def prepare() -> Prepared:
            row, event = named_acquisition(self._database, values), values.get("id")
            if event is not None:
                event = _whole(event, "the number of a correction")
            facts = {} if event is None else {"correction": event}
            return Prepared(row.name, partial(self._services.undo, self._database, row.id, event, name), facts)

        return await self._changing.carried_out(request, "undo", prepare)


def persons_word(row: AcquisitionRow, values: Mapping[str, Any]) -> PersonsWord:
    """What an order says: `kind`, `t` and `to_t` from 0, `labels`, `to`, `points` (z, y, x) in voxels, an `outline`.

    Raises
    ------
    WrongRequestError
    """
    kind = values.get("kind")
    if kind not in COUNTS:
        raise WrongRequestError(f"{str(kind)[:40]!r} is no correction: there are {', '.join(COUNTS)}.")
    spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
    points = [_numbers(point, 3, "a place") for point in _some(values, "points", _MOST_POINTS)]
    to_t = values.get("to_t")
    return PersonsWord(
        str(kind),
        row.source_t(_whole(values.get("t"), "a time point")),
        tuple(_whole(one, "a nucleus") for one in _some(values, "labels", _MOST_LABELS)),
        tuple(_whole(one, "a nucleus") for one in _some(values, "to", _MOST_LABELS)),
        None if to_t is None else row.source_t(_whole(to_t, "a time point")),
        tuple((z * spacing[0], y * spacing[1], x * spacing[2]) for z, y, x in points),
        outline=_outline(values.get("outline")),
    )


def _outline(value: object) -> DrawnOutline | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise WrongRequestError("An outline has a slice `z` and `corners`.")
    corners = [_numbers(corner, 2, "a corner") for corner in _some(value, "corners", _MOST_CORNERS)]
    return DrawnOutline(_whole(value.get("z"), "a slice"), tuple((y, x) for y, x in corners))


def _some(values: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    found = values.get(name) or []
    if not isinstance(found, list) or len(found) > most:
        raise WrongRequestError(f"`{name}` is a list of {most} at most.")
    return found


def _whole(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise WrongRequestError(f"{str(value)[:40]!r} is not the number of {what}: write a whole number from 0.")
    return value


def _numbers(value: object, count: int, what: str) -> tuple[float, ...]:
    fine = isinstance(value, list) and len(value) == count
    if not fine or not all(_is_number(one) for one in value):  # type: ignore[attr-defined]  # it is a list
        raise WrongRequestError(f"{str(value)[:40]!r} is not {what}: write {count} numbers.")
    return tuple(float(one) for one in value)  # type: ignore[attr-defined]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
