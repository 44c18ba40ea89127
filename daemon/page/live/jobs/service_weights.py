"""The weights of the running service: which they are and why, and the order to go on with others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.errors import UsageError
from daemon.installation.kept_weights import keep, kept_weights, located
from daemon.page.live.jobs.models import model_names, models
from daemon.page.live.orders.changing import Changing, Prepared, small_json
from daemon.page.live.orders.services import Said, Services
from daemon.page.live.orders.visitor import signed, who
from nuset_engine.weights import find_weights
from storage.results import Results

_UNDER_WAY = """
    SELECT name FROM acquisitions WHERE state IN ('queued', 'processing') AND zarr_path IS NOT NULL ORDER BY id
"""


class ServiceWeights:
    """Routes of a database.

    Parameters
    ----------
    database : str
    services : Services
    changing : Changing
        Makes routes of orders.
    trained : callable
        Gives the weights of a job.
    """

    def __init__(
        self, database: str, services: Services, changing: Changing, trained: Callable[[Mapping[str, Any]], Path]
    ) -> None:
        self._database, self._services = database, services
        self._changing, self._trained = changing, trained

    def routes(self) -> list[Route]:
        """Their addresses."""

        async def use(request: Request) -> Response:
            return await self.use(request)

        return [Route("/api/weights", self.about), Changing.marked("/api/orders/use-weights", "use weights", use)]

    def about(self, request: Request) -> Response:
        """Which are in use, since when and by whom, what else there is, and what a change would begin anew."""
        under_way = Results(self._database).sql(_UNDER_WAY)["name"].tolist()
        known = dict(self._services.weights(self._database))
        found = {**known, "models": models(), "under_way": under_way}
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    async def use(self, request: Request) -> Response:
        """Have the service go on with weights by name, with those of a job, kept under a name first, or go back."""
        asked = await small_json(request)
        name = await run_in_threadpool(who, request.scope)
        return await self._changing.carried_out(request, "use weights", lambda: self._prepared(asked, name))

    def _prepared(self, asked: Mapping[str, Any], visitor: str) -> Prepared:
        weights = None if asked.get("back") is True else str(asked.get("name") or "")
        trained = None
        if "job" in asked and weights is not None:
            trained = self._trained(asked)
            if weights in kept_weights():
                if find_weights(located(weights)).sha256 != find_weights(trained).sha256:
                    raise UsageError(f"There are other weights {weights!r} already: choose another name.")
                trained = None  # they were kept before
        elif weights is not None and weights not in model_names():
            raise UsageError(f"There are no weights {weights[:40]!r}: choose one of {', '.join(model_names())}.")

        def act() -> Said:
            if trained is not None and weights is not None:
                keep(trained, weights)
            return self._services.use_weights(self._database, weights, signed(asked, visitor))

        return Prepared("those of the configuration" if weights is None else weights, act)
