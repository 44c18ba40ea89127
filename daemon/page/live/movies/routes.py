"""Addresses for movies to take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from daemon.errors import UsageError
from daemon.movies.movie_order import ColourBy, MovieOptions
from daemon.movies.mp4 import ffmpeg
from daemon.page.live.movies.movie_desk import MovieDesk
from daemon.page.live.orders.changing import Changing, small_json
from daemon.page.live.orders.named import named_acquisition
from storage import naming
from storage.errors import WrongRequestError

KINDS = {"gif": "image/gif", "mp4": "video/mp4"}
_FRESH = {"Cache-Control": "no-store"}
_LONGEST_TAIL, _FASTEST = 10_000, 60.0


class MovieRoutes:
    """Answers for one database.

    Parameters
    ----------
    database : str
    desk : MovieDesk
    """

    def __init__(self, database: str, desk: MovieDesk) -> None:
        self._database, self._desk = database, desk

    def routes(self) -> list[Route]:
        """Every address."""
        return [
            Route("/api/movies", self.movies, methods=["GET"]),
            Changing.computing("/api/movies", self.ask),
            Changing.computing("/api/movies/{number:int}/stop", self.stop),
            Route("/api/movies/{number:int}/file/{name}", self.file),
        ]

    def movies(self, request: Request) -> Response:
        """Movies that were made or are, and what can be made here."""
        try:
            ffmpeg()
            kinds = list(KINDS)
        except UsageError:
            kinds = ["gif"]
        found = [one.as_dict() for one in self._desk.movies()]
        return JSONResponse({"movies": found, "kinds": kinds}, headers=_FRESH)

    async def ask(self, request: Request) -> Response:
        """Have a movie made; nothing is changed by it."""
        asked = await small_json(request)

        def begin() -> Mapping[str, Any]:
            row, kind = named_acquisition(self._database, asked), asked.get("kind", "gif")
            if kind not in KINDS:
                raise WrongRequestError(f"{str(kind)[:40]!r} is no kind of movie: there are {', '.join(KINDS)}.")
            if kind == "mp4":
                ffmpeg()
            name = f"{naming.flat_name(row.name)}.{kind}"
            return self._desk.order(self._database, row.id, name, _options(asked)).as_dict()

        return JSONResponse(await run_in_threadpool(begin))

    async def stop(self, request: Request) -> Response:
        """Leave a movie off."""
        await small_json(request)
        await run_in_threadpool(self._desk.stop, request.path_params["number"])
        return JSONResponse({})

    def file(self, request: Request) -> Response:
        """A movie itself."""
        path, name = self._desk.file(request.path_params["number"])
        if request.path_params["name"] != name:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(path, headers=_FRESH, media_type=KINDS[path.suffix[1:]], filename=name)


def _options(asked: Mapping[str, Any]) -> MovieOptions:
    """What is wanted; what is not said is as usual.

    Raises
    ------
    WrongRequestError
    """
    usual = MovieOptions()
    by = asked.get("by", usual.by)
    if by not in get_args(ColourBy):
        raise WrongRequestError(f"{str(by)[:40]!r} is no way to colour: there are {', '.join(get_args(ColourBy))}.")
    fps = asked.get("fps", usual.fps)
    if isinstance(fps, bool) or not isinstance(fps, (int, float)) or not 0 < fps <= _FASTEST:
        raise WrongRequestError(f"A movie shows up to {_FASTEST:.0f} time points per second.")
    tail = _whole(asked, "tail")
    if tail is not None and tail > _LONGEST_TAIL:
        raise WrongRequestError(f"Tails are at most {_LONGEST_TAIL} time points long.")
    first, last = _whole(asked, "first"), _whole(asked, "last")
    if first is not None and last is not None and last < first:
        raise WrongRequestError(f"There is nothing from {first} to {last}: give the earlier time point first.")
    return MovieOptions(float(fps), usual.tail if tail is None else tail, usual.largest_px, by, first, last)


def _whole(asked: Mapping[str, Any], name: str) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise WrongRequestError(f"{name} is no whole number from 0.")
    return value
