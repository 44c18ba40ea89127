"""The orders for what needs a person: try again, take with other facts, forget, tell no more; and choosing files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from daemon.page.live.orders.changing import Changing, Prepared
from daemon.page.live.orders.folders import Folders
from daemon.page.live.orders.given import given_facts
from daemon.page.live.orders.named import named_acquisition
from daemon.page.live.orders.services import Services
from storage.errors import WrongRequestError


class OrderRoutes:
    """Routes of a database.

    Parameters
    ----------
    database : str
    services : Services
    folders : Folders
        Where files may be chosen.
    changed : callable
        Told after every order.
    """

    def __init__(self, database: str, services: Services, folders: Folders, changed: Callable[[], None]) -> None:
        self._database = database
        self._services = services
        self._folders = folders
        self._changing = Changing(database, services, changed)

    def routes(self) -> list[Route]:
        """Their addresses."""
        orders: dict[str, Callable[[Mapping[str, Any]], Prepared]] = {
            "retry": self.retry,
            "submit": self.submit,
            "forget": self.forget,
            "dismiss": self.dismiss,
        }
        made = [self._changing.route(f"/api/orders/{what}", what, prepare) for what, prepare in orders.items()]
        return [*made, Route("/api/files", self.files)]

    def files(self, request: Request) -> Response:
        """What can be chosen in a folder of the server."""
        found = self._folders.listing(request.query_params.get("folder", ""))
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    def retry(self, values: Mapping[str, Any]) -> Prepared:
        """Queue again what was set aside of an acquisition."""
        row = named_acquisition(self._database, values)
        return Prepared(row.name, partial(self._services.retry, self._database, row.id))

    def submit(self, values: Mapping[str, Any]) -> Prepared:
        """Take a file, or the source of an acquisition, as it is now, with facts that a person gives."""
        path = values.get("path")
        if path is None:
            path = named_acquisition(self._database, values).source_path
        if not isinstance(path, str | Path):
            raise WrongRequestError("Name the file by its path.")
        file, given = self._folders.inside(str(path)), given_facts(values)
        return Prepared(str(file), partial(self._services.submit, self._database, file, given), given.stored())

    def forget(self, values: Mapping[str, Any]) -> Prepared:
        """Remove an acquisition for good; its name is to be given as well, so that no old page forgets another one."""
        row, keep = named_acquisition(self._database, values), values.get("keep_files") is True
        if values.get("name") != row.name:
            raise WrongRequestError(f"Acquisition {row.id} is {row.name}: give its name to have it forgotten.")
        act = partial(self._services.forget, self._database, row.id, keep)
        return Prepared(row.name, act, {"keep_files": True} if keep else {})

    def dismiss(self, values: Mapping[str, Any]) -> Prepared:
        """Have the problems of an acquisition told no more."""
        row = named_acquisition(self._database, values)
        return Prepared(row.name, partial(self._services.dismiss, self._database, row.id))
