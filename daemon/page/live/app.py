"""The page as a web application: which address gives what."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from threading import Event
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from daemon.errors import DaemonError
from daemon.page import neuroglancer
from daemon.page.live import facts, pictures, plots
from daemon.page.live.attention import attention
from daemon.page.live.committed.following import FollowRoutes
from daemon.page.live.committed.rules_told import ON_THE_OVERVIEW, rules_told
from daemon.page.live.freshness.marks import MarkNews, MarkReader, Marks, Stamps
from daemon.page.live.freshness.shared_answers import SharedAnswers
from daemon.page.live.guard import Guard, Visitors
from daemon.page.live.jobs.job_orders import JobRules
from daemon.page.live.jobs.routes import JobRoutes
from daemon.page.live.levels import Levels
from daemon.page.live.movies.movie_desk import MovieDesk
from daemon.page.live.movies.routes import MovieRoutes
from daemon.page.live.orders.correcting import CorrectingRoutes
from daemon.page.live.orders.doubting import queue
from daemon.page.live.orders.folders import Folders
from daemon.page.live.orders.routes import OrderRoutes
from daemon.page.live.orders.services import Services
from daemon.page.live.over_time import OverTime
from daemon.page.live.planes import Arrays, View, Wanted
from daemon.page.live.stores import StoreRoutes, link
from daemon.page.live.trying.routes import TryingRoutes
from nuset_engine.errors import EngineError
from storage.errors import StorageError, UnknownAcquisitionError, WrongRequestError
from storage.query.statements import Selection

STATIC = Path(__file__).parent / "static"
THUMBNAIL_PX = 240
_LASTS_S = 4.0
_LONG = 2000  # bytes; below, compressing costs more than it saves


class Page:
    """Answers for one database.

    Parameters
    ----------
    database : str
        Its URL.
    services : Services
    visitors : Visitors
    ending : Event
        Set when the server ends.
    folders : Folders
        Where files may be chosen.
    computes : bool
        Predictions and trainings can be ordered, or looked at.
    """

    def __init__(
        self, database: str, services: Services, visitors: Visitors, ending: Event, folders: Folders, computes: bool
    ) -> None:
        self._database = database
        self._services = services
        self._ending = ending
        self._read_only, self._computes = visitors.read_only, computes
        self._stores = StoreRoutes(database, ending, visitors.secure)
        self._orders = OrderRoutes(database, services, folders, self.changed)
        self._following = FollowRoutes(database, ending)
        self._correcting = CorrectingRoutes(database, services, self.changed)
        self._trying = TryingRoutes(database, services, self.changed, ending, visitors.read_only)
        self._movies = MovieRoutes(database, MovieDesk(ending))
        self._arrays = Arrays(database)
        self._levels = Levels(self._arrays)
        self._over_time = OverTime(database)
        self._overviews, self._remembered = SharedAnswers(), SharedAnswers()
        self._plots, self._pictures = SharedAnswers(), SharedAnswers()
        self._stamps = Stamps(database)
        self._marks = MarkReader(database)
        self._news = MarkNews(self._look, ending)

    def routes(self) -> list[Route | Mount]:
        """Every address."""
        one = "/api/acquisitions/{number:int}"
        return [
            Route("/", self.index),
            Route("/api/overview", self.overview),
            Route("/api/events", self.events),
            Route("/api/rules", self.rules),
            Route(one, self.about),
            Route(f"{one}/nuclei", self.nuclei),
            Route(f"{one}/tracks", self.tracks),
            Route(f"{one}/counts", self.counts),
            Route(f"{one}/divisions", self.divisions),
            Route(f"{one}/doubts", self.doubts),
            Route(f"{one}/image.png", self.image),
            Route(f"{one}/labels.png", self.labels),
            Route(f"{one}/thumbnail.png", self.thumbnail),
            *self._following.routes(),
            *self._orders.routes(),
            *self._correcting.routes(),
            *(Route(f"{one}/plot.{form}", partial(self.plot, form=form)) for form in plots.FORMS),
            *(Route(f"/api/distribution.{form}", partial(self.distribution, form=form)) for form in plots.FORMS),
            *self._trying.routes(),
            *self._movies.routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
            *self._stores.routes(),
        ]

    def index(self, request: Request) -> Response:
        """The page for browsers, the list of stores for programs."""
        if "text/html" not in request.headers.get("accept", ""):
            return self._stores.listing(request)
        names = sorted(file.name for file in STATIC.glob("*.js"))
        links = "".join(f'<link rel="modulepreload" href="/static/{name}">\n' for name in names)  # all at once
        content = (STATIC / "index.html").read_text(encoding="utf-8").replace("</head>", f"{links}</head>")
        if not self._computes:
            content = content.replace("<body>", '<body class="looking">')
        return Response(content, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})

    def overview(self, request: Request) -> Response:
        """The first page's numbers."""

        def made() -> dict[str, Any]:
            found = facts.overview(self._database, self._services.status)
            sent = rules_told(self._database, ON_THE_OVERVIEW)
            return {**found, **attention(self._database), **sent, "read_only": self._read_only}

        return self._json(request, made, self._overviews, _LASTS_S)  # it says how long ago things were

    def rules(self, request: Request) -> Response:
        """Rules for the microscope, and what they sent."""
        return self._json(request, lambda: rules_told(self._database), self._overviews)

    def about(self, request: Request) -> Response:
        """One acquisition."""
        number = request.path_params["number"]

        def made() -> dict[str, Any]:
            found = self._arrays.acquisition(number)
            viewer = link(found.name) if neuroglancer.client_folder() is not None else None
            levels = self._levels.of_channels(number)
            more = {"levels": levels, "viewer": viewer, "read_only": self._read_only}
            return {**facts.about(found, self._database), **more}

        return self._json(request, made)

    def nuclei(self, request: Request) -> Response:
        """Nuclei of a time point, a track, or by a filter."""
        query = request.query_params
        t, track = _whole(query.get("t")), _whole(query.get("track"))
        selection = Selection(where=query.get("where") or None, t=t, track=track)
        return self._json(request, lambda: facts.nuclei(self._database, request.path_params["number"], selection))

    def tracks(self, request: Request) -> Response:
        """All tracks, or the family of one."""
        query = request.query_params
        selection = Selection(where=query.get("where") or None, track=_whole(query.get("track")))
        return self._json(request, lambda: facts.tracks(self._database, request.path_params["number"], selection))

    def counts(self, request: Request) -> Response:
        """How the time points went."""
        return self._json(request, lambda: self._over_time.counts(request.path_params["number"]))

    def divisions(self, request: Request) -> Response:
        """Who divided into whom, and when."""
        return self._json(request, lambda: facts.divisions(self._database, request.path_params["number"]))

    def doubts(self, request: Request) -> Response:
        """What to look at first."""
        return self._json(request, lambda: queue(self._database, request.path_params["number"]))

    def image(self, request: Request) -> Response:
        """A plane as grey PNG."""
        query, number, wanted = request.query_params, request.path_params["number"], _wanted(request)
        channel = _whole(query.get("c")) or 0
        self._look()
        wanted = replace(wanted, stamp=self._stamps.of_image(number, wanted.t))

        def made() -> bytes:
            plane = self._arrays.image(number, channel, wanted)
            low, high = self._levels.of_channel(number, channel)
            levels = (_number(query.get("low"), low), _number(query.get("high"), high))
            return pictures.grey_png(plane, levels)

        return self._picture(request, wanted.stamp, made)

    def labels(self, request: Request) -> Response:
        """A plane of labels as PNG."""
        number, wanted = request.path_params["number"], _wanted(request)
        self._look()
        wanted = replace(wanted, stamp=self._stamps.of_labels(number, wanted.t))
        return self._picture(request, wanted.stamp, lambda: pictures.labels_png(self._arrays.labels(number, wanted)))

    def thumbnail(self, request: Request) -> Response:
        """The last visible time point from above, small, with outlines."""
        number, t = request.path_params["number"], _whole(request.query_params.get("t")) or 0
        self._look()
        wanted = Wanted(t, 0, "top", THUMBNAIL_PX, self._stamps.of_labels(number, t))
        return self._picture(request, wanted.stamp, lambda: self._thumbnail(number, wanted))

    def plot(self, request: Request, form: str) -> Response:
        """A picture of `nusetd plot`."""
        number, query = request.path_params["number"], request.query_params
        t, picture = _whole(query.get("t")), query.get("picture") or "summary"
        source_t = None if t is None else self._arrays.acquisition(number).about.source_t(t)
        made = partial(plots.drawn, self._database, number, picture, source_t, form)
        return self._plot(request, made, form)

    def distribution(self, request: Request, form: str) -> Response:
        """A column of nuclei in several acquisitions, beside each other."""
        query = request.query_params
        numbers = [number for number in map(_whole, query.getlist("id")) if number is not None]
        made = partial(plots.distribution, self._database, numbers, query.get("column") or None, form)
        return self._plot(request, made, form)

    def _thumbnail(self, number: int, wanted: Wanted) -> bytes:
        channel = self._arrays.acquisition(number).about.segmented_channel
        plane = self._arrays.image(number, channel, wanted)
        try:
            labels = self._arrays.labels(number, wanted)
        except StorageError:
            labels = None
        return pictures.overview_png(plane, labels, pictures.levels_of(plane), THUMBNAIL_PX)

    def _json(
        self,
        request: Request,
        make: Callable[[], dict[str, Any]],
        known: SharedAnswers | None = None,
        lasts_s: float = inf,
    ) -> Response:
        """Values as JSON, compressed where they are many and the browser takes it."""
        self._look()
        asked = f"{request.url.path}?{request.url.query}"
        known = known or self._remembered
        content = known.content(asked, lambda: _encoded(make()), lasts_s)
        headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
        if len(content) > _LONG and "gzip" in request.headers.get("accept-encoding", ""):
            content = known.content(f"gzip {asked}", lambda: gzip.compress(content, 3), lasts_s)
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type="application/json", headers=headers)

    def _picture(self, request: Request, stamp: str, make: Callable[[], bytes]) -> Response:
        """What was made for somebody before, of the same."""
        content = self._pictures.content(f"{request.url.path}?{request.url.query} {stamp}", make)
        return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})

    def _plot(self, request: Request, make: Callable[[], bytes], form: str) -> Response:
        """What was drawn for somebody since results changed."""
        self._look()
        content = self._plots.content(f"{request.url.path}?{request.url.query}", make)
        return Response(content, media_type=plots.FORMS[form], headers={"Cache-Control": "no-store"})

    async def events(self, request: Request) -> Response:
        """A line whenever something has changed."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._changes(request), media_type="text/event-stream", headers=headers)

    async def _changes(self, request: Request) -> AsyncIterator[str]:
        async for results in self._news.heard():
            if await request.is_disconnected():
                return
            if results is None:
                yield ": still here\n\n"
            else:
                yield f"event: change\ndata: {json.dumps(results)}\n\n"

    def changed(self) -> None:
        """Somebody changed something."""
        self._marks.hurry()

    def _look(self) -> Marks:
        """Read whether something has changed, and forget what may be old."""
        marks = self._marks.look()
        self._arrays.forget(marks.results)
        self._stamps.forget(marks.results)
        self._plots.forget(marks.results)
        self._remembered.forget(marks.results)
        self._overviews.forget(str(marks))
        return marks


def make_app(
    database: str,
    services: Services,
    visitors: Visitors,
    ending: Event,
    rules: JobRules | None = None,
    folders: Sequence[Path] = (),
) -> Starlette:
    """The application, with its guard around it; see `Page`. Without `rules` nothing is computed for visitors."""
    choice = Folders(folders, lambda: services.watched(database))
    page = Page(database, services, visitors, ending, choice, computes=rules is not None)
    handlers: dict[Any, Any] = {
        UnknownAcquisitionError: partial(_told, 404),
        WrongRequestError: partial(_told, 400),
        StorageError: partial(_told, 404),
        DaemonError: partial(_told, 409),
        EngineError: partial(_told, 409),
        HTTPException: _refused,
    }
    jobs = [] if rules is None else JobRoutes(database, services, choice, rules, page.changed).routes()
    middleware = [Middleware(Guard, visitors=visitors)]
    app = Starlette(routes=[*jobs, *page.routes()], exception_handlers=handlers, middleware=middleware)
    app.router.redirect_slashes = False  # an address is there, or it is not
    return app


def _refused(request: Request, error: HTTPException) -> Response:
    """A wrong address or a wrong question as its sentence."""
    told = "There is nothing under this address." if error.detail == "Not Found" else error.detail
    return JSONResponse({"error": told}, error.status_code, error.headers)


def _told(code: int, request: Request, error: Exception) -> Response:
    """An error of ours as its sentence."""
    return JSONResponse({"error": str(error)}, code)


def _encoded(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    view = query.get("view", "slice")
    if view not in get_args(View):
        raise HTTPException(400, f"{view!r} is no view: there are {', '.join(get_args(View))}.")
    width = min(max(_whole(query.get("width")) or 1024, 16), 8192)
    return Wanted(_whole(query.get("t")) or 0, _whole(query.get("z")) or 0, view, width)  # type: ignore[arg-type]


def _whole(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if text.isdecimal() and len(text) < 16:
        return int(text)
    raise HTTPException(400, f"{text[:40]!r} is no whole number from 0.")


def _number(text: str | None, default: float) -> float:
    try:
        value = default if text in (None, "") else float(str(text))
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        raise HTTPException(400, f"{str(text)[:40]!r} is no number.")
    return value
