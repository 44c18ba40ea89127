"""Movies that visitors order: one at a time, by a process of its own; the latest are kept while the page is there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from daemon.children.child import Child, ChildGoneError
from daemon.errors import UsageError
from daemon.movies.movie_order import MovieOptions, MovieOrder, MovieSaid
from daemon.page.live.page_folder import page_folder
from storage.files.whole_file import remove_unfinished

MOST_KEPT = 4
FREE_BYTES = 2**30
"""Of the disk where they lie, which are left alone."""

_MODULE = "daemon.movies.movie_process"
_PREFIX = "nusetd-movie-"
_TURN_S, _PAUSE_S = 0.2, 1.0
_OPEN = ("queued", "running")


@dataclass(frozen=True)
class PageMovie:
    """A movie as the page shows it.

    Attributes
    ----------
    number : int
    database : str
    acquisition : int
    file_name : str
        What it is called by whoever takes it away.
    options : MovieOptions
    state : str
        ``queued``, ``running``, ``done``, ``failed`` or ``stopped``.
    text : str
        Why it failed.
    done, of : int
        Frames.
    size : int or None
        Bytes, once it is done.
    """

    number: int
    database: str
    acquisition: int
    file_name: str
    options: MovieOptions
    state: str = "queued"
    text: str = ""
    done: int = 0
    of: int = 0
    size: int | None = None

    def as_dict(self) -> Mapping[str, Any]:
        """As plain values for JSON."""
        shown = ("acquisition", "file_name", "state", "text", "done", "of", "size")
        return {"id": self.number, **{name: getattr(self, name) for name in shown}}


class MovieDesk:
    """Takes orders for movies.

    Parameters
    ----------
    ending : Event
        Set when the page ends: then its process does, and what it made is removed.
    """

    def __init__(self, ending: Event) -> None:
        self._ending = ending
        self._changed = Condition()
        self._movies: dict[int, PageMovie] = {}
        self._last = 0
        self._thread: Thread | None = None
        self._child: Child[MovieOrder, MovieSaid] | None = None
        self._folder: Path | None = None

    def order(self, database: str, acquisition: int, file_name: str, options: MovieOptions) -> PageMovie:
        """Have a movie made.

        Raises
        ------
        UsageError
            While another one is.
        """
        with self._changed:
            for one in self._movies.values():
                if one.state in _OPEN:
                    far = f"{one.done} of {one.of} frames" if one.of else "it has just begun"
                    raise UsageError(f"{one.file_name} is being made ({far}): wait for it, or stop it.")
            self._last += 1
            movie = PageMovie(self._last, database, acquisition, file_name, options)
            self._movies[movie.number] = movie
            self._drop_the_oldest()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="movies", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return movie

    def movies(self) -> list[PageMovie]:
        """Those of all acquisitions, the newest first."""
        with self._changed:
            return list(self._movies.values())[::-1]

    def stop(self, number: int) -> None:
        """Leave one off, also while it is being made."""
        with self._changed:
            movie = self._movies.get(number)
            if movie is None or movie.state not in _OPEN:
                return
            if movie.state == "running" and self._child is not None:
                self._child.kill()
            self._movies[number] = replace(movie, state="stopped")

    def file(self, number: int) -> tuple[Path, str]:
        """Where a movie lies, and what it is called.

        Raises
        ------
        UsageError
        """
        with self._changed:
            movie = self._movies.get(number)
            if movie is None or movie.state != "done" or self._folder is None:
                raise UsageError("That movie is not there (any more): have it made again.")
            return _place(self._folder, movie), movie.file_name

    def _drop_the_oldest(self) -> None:
        while len(self._movies) > MOST_KEPT:
            oldest = self._movies.pop(next(iter(self._movies)))
            if self._folder is not None:
                _place(self._folder, oldest).unlink(missing_ok=True)

    # In the thread

    def _work(self) -> None:
        with page_folder(_PREFIX) as folder:
            self._folder = folder
            while not self._ending.is_set():
                with self._changed:
                    movie = next((one for one in self._movies.values() if one.state == "queued"), None)
                    if movie is None:
                        self._changed.wait(_PAUSE_S)
                if movie is not None:
                    self._make(movie, folder)
            self._folder = None

    def _make(self, movie: PageMovie, folder: Path) -> None:
        child = Child[MovieOrder, MovieSaid](_MODULE, time.monotonic)
        try:
            child.start()
            self._child = child
            self._note(movie.number, state="running")
            child.give(MovieOrder(movie.database, movie.acquisition, _place(folder, movie), movie.options))
            self._hear(child, movie, folder)
        except ChildGoneError:
            self._note(movie.number, state="failed", text="The process that made it ended: memory may have run out.")
        except OSError as error:
            self._note(movie.number, state="failed", text=f"It cannot be made ({error}).")
        finally:
            self._child = None
            child.kill()
            child.end(2.0)
            with self._changed:
                if self._movies.get(movie.number, movie).state != "done":
                    _remove(folder, movie)

    def _hear(self, child: Child[MovieOrder, MovieSaid], movie: PageMovie, folder: Path) -> None:
        while not self._ending.is_set():
            said = child.hear(_TURN_S)
            if said is not None:
                size = _place(folder, movie).stat().st_size if said.state == "done" else None
                self._note(movie.number, state=said.state, text=said.text, done=said.done, of=said.of, size=size)
                if said.state != "running":
                    return
            if shutil.disk_usage(folder).free < FREE_BYTES:
                text = f"The disk of {folder.parent} is nearly full: make a shorter movie, or use `nusetd movie`."
                self._note(movie.number, state="failed", text=text)
                return

    def _note(self, number: int, **seen: Any) -> None:  # noqa: ANN401  # fields of a movie
        with self._changed:
            before = self._movies.get(number)
            if before is not None and before.state in _OPEN:  # else somebody stopped it
                self._movies[number] = replace(before, **seen)


def _place(folder: Path, movie: PageMovie) -> Path:
    return folder / f"{movie.number}{Path(movie.file_name).suffix}"


def _remove(folder: Path, movie: PageMovie) -> None:
    """Remove what there is of a movie that is not whole."""
    place = _place(folder, movie)
    remove_unfinished([place])
    with suppress(OSError):
        place.unlink()
