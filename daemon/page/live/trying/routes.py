"""Addresses for trying settings, and for the orders that put them to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from threading import Event
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.page.live.orders.changing import Changing, Prepared, small_json
from daemon.page.live.orders.named import named_acquisition
from daemon.page.live.orders.services import Services, Steer
from daemon.page.live.orders.visitor import signed, who
from daemon.page.live.trying.messages import TrialTask
from daemon.page.live.trying.settings_shown import advice_shown, settings_shown
from daemon.page.live.trying.trial_queue import TrialQueue
from storage.errors import WrongRequestError
from storage.results import Results

_FRESH = {"Cache-Control": "no-store"}
_VIEWS = ("slice", "top", "side")
_MOST_SETTINGS = 100


class TryingRoutes:
    """Answers for one database.

    Parameters
    ----------
    database : str
    services : Services
    changed : callable
        Told after every order.
    ending : Event
        Set when the server ends.
    read_only : bool
        Nothing is tried or ordered.
    """

    def __init__(
        self, database: str, services: Services, changed: Callable[[], None], ending: Event, read_only: bool
    ) -> None:
        self._database, self._services, self._read_only = database, services, read_only
        self._changing = Changing(database, services, changed)
        self._queue = TrialQueue(ending)

    def routes(self) -> list[Route]:
        """Every address."""
        one = "/api/acquisitions/{number:int}"
        return [
            Route(f"{one}/settings", self.settings),
            Route(f"{one}/trials", self.trials),
            Route("/api/trials/{number:int}/labels.png", self.labels),
            Changing.computing("/api/trials", self.ask),
            Changing.computing("/api/trials/{number:int}/stop", self.stop),
            Changing.marked("/api/orders/settings", "override", self.override),
            Changing.marked("/api/orders/again", "again", self.again),
            Route("/api/requests/{number:int}", self.answered),
        ]

    def settings(self, request: Request) -> Response:
        """What can be set, with the values of an acquisition and those in use; its other results."""
        row = Results(self._database)[request.path_params["number"]].about
        known = dict(self._services.steering(self._database, row.source_path))
        used = {one["name"]: one for one in known["in_use"]} if known["watch"] is not None else None
        found = {
            "settings": settings_shown(row, used),
            "advice": advice_shown(),
            "watch": known["watch"],
            "runs": known["runs"],
            "read_only": self._read_only,
            "faults": known["faults"],
            "changes": known["changes"],
        }
        return JSONResponse(found, headers=_FRESH)

    def trials(self, request: Request) -> Response:
        """The trials of an acquisition."""
        found = [one.as_dict() for one in self._queue.trials(request.path_params["number"])]
        return JSONResponse({"trials": found}, headers=_FRESH)

    async def ask(self, request: Request) -> Response:
        """Try settings on a time point, or compare two results of it; nothing is stored."""
        asked = await small_json(request)

        def begin() -> dict[str, Any]:
            row = named_acquisition(self._database, asked)
            other = None if asked.get("other") is None else _whole(asked, "other")
            settings = {} if other is not None else _settings(asked.get("settings") or {})
            engine = dict(self._services.steering(self._database, row.source_path)["engine"])
            task = TrialTask(0, self._database, row.id, _whole(asked, "t"), settings, engine, other)
            return self._queue.ask(task).as_dict()

        return JSONResponse(await run_in_threadpool(begin))

    async def stop(self, request: Request) -> Response:
        """Leave a trial off."""
        asked = await small_json(request)
        row = await run_in_threadpool(named_acquisition, self._database, asked)
        await run_in_threadpool(self._queue.stop, row.id, request.path_params["number"])
        return JSONResponse({})

    def labels(self, request: Request) -> Response:
        """A plane of what a trial found; colours as those of stored labels."""
        view, z = request.query_params.get("view", "slice"), request.query_params.get("z", "0")
        if view not in _VIEWS or not z.isdecimal() or len(z) > 9:
            raise HTTPException(400, f"{view[:40]!r} {z[:40]!r} is no plane: there are {', '.join(_VIEWS)}.")
        content = self._queue.picture(request.path_params["number"], view, int(z))
        return Response(content, media_type="image/png", headers=_FRESH)

    async def override(self, request: Request) -> Response:
        """Have the settings of an acquisition's watched folder changed from now on."""
        asked = await small_json(request)
        name = await run_in_threadpool(who, request.scope)

        def prepare() -> Prepared:
            row = named_acquisition(self._database, asked)
            removed, values = asked.get("removed") or [], _settings(asked.get("values") or {})
            if not isinstance(removed, list) or not all(isinstance(one, str) for one in removed):
                raise WrongRequestError("Name the settings that are to be as the configuration says.")
            if not (values or removed):
                raise WrongRequestError("Name what is to be changed.")
            watch = self._services.steering(self._database, row.source_path)["watch"]
            if watch is None:
                raise WrongRequestError(f"{row.name} comes from no watched folder: there is nothing to change for.")
            order = Steer(values, tuple(removed), signed(asked, name))
            facts = {**values, **({"removed": ", ".join(removed)} if removed else {})}
            return Prepared(watch, partial(self._services.override, self._database, watch, order), facts)

        return await self._changing.carried_out(request, "override", prepare)

    async def again(self, request: Request) -> Response:
        """Have an acquisition done again, beside its first result."""
        asked = await small_json(request)
        name = await run_in_threadpool(who, request.scope)

        def prepare() -> Prepared:
            row = named_acquisition(self._database, asked)
            return Prepared(row.name, partial(self._services.again, self._database, row.id, signed(asked, name)))

        return await self._changing.carried_out(request, "again", prepare)

    def answered(self, request: Request) -> Response:
        """What the service made of a request."""
        found = self._services.answered(self._database, request.path_params["number"])
        if found is None:
            raise HTTPException(404, "There is no such request.")
        return JSONResponse(dict(found), headers=_FRESH)


def _whole(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise WrongRequestError(f"{name} is no whole number from 0.")
    return value


def _settings(values: object) -> dict[str, Any]:
    """Settings by their full names; what they mean is checked by whoever takes them."""
    plain = (bool, int, float, str, type(None))
    if (
        not isinstance(values, dict)
        or len(values) > _MOST_SETTINGS
        or not all(isinstance(one, plain) for one in values.values())
    ):
        raise WrongRequestError("Settings are names with numbers, texts, true or false.")
    return dict(values)
