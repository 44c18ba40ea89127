"""Movies ordered on the page: one at a time, told how far it is, kept apart from everything else."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
from cases import family
from cases.live_page import LivePage, live_page
from PIL import Image

from daemon.errors import UsageError
from daemon.movies.movie_order import MovieOptions, MovieOrder, MovieSaid
from daemon.page.live.guard import Visitors
from daemon.page.live.movies import movie_desk
from daemon.page.live.movies.movie_desk import MovieDesk, PageMovie


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`."""
    return family.fill(tmp_path_factory.mktemp("movies"))


@pytest.fixture(scope="module")
def page(results: Path) -> Iterator[LivePage]:
    """Its page."""
    with live_page(results) as made:
        yield made


def order(page: LivePage, path: str = "", **values: object) -> tuple[int, dict[str, object]]:
    answer = page.ask(f"/api/movies{path}", "POST", values, X_Nusetd_Order="1", Origin=page.address)
    return answer.code, answer.json


def waited(what: str, reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_a_movie_is_ordered_told_of_and_taken_away(page: LivePage) -> None:
    code, begun = order(page, acquisition=1, first=1, last=4, tail=2, by="track")
    assert (code, begun["state"]) == (200, "queued")

    def movie() -> dict[str, object]:
        [found] = page.ask("/api/movies").json["movies"]
        return dict(found)

    waited("the movie to be made", lambda: movie()["state"] not in ("queued", "running"))
    assert (movie()["state"], movie()["text"]) == ("done", "")
    answer = page.ask(f"/api/movies/{begun['id']}/file/{family.NAME}.gif")
    assert answer.headers["content-disposition"] == f'attachment; filename="{family.NAME}.gif"'
    assert len(answer.body) == movie()["size"]
    with Image.open(io.BytesIO(answer.body)) as gif:
        assert gif.n_frames == 4
    assert page.ask(f"/api/movies/{begun['id']}/file/other.gif").code == 404
    assert page.ask(f"/api/movies/77/file/{family.NAME}.gif").code == 409


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"kind": "avi"}, "no kind of movie"),
        ({"by": "age"}, "no way to colour"),
        ({"fps": 0}, "time points per second"),
        ({"fps": True}, "time points per second"),
        ({"tail": 10**6}, "Tails"),
        ({"first": 5, "last": 2}, "the earlier time point first"),
        ({"first": -1}, "first is no whole number"),
        ({"acquisition": 9}, "no acquisition"),
    ],
)
def test_what_makes_no_movie_is_refused(page: LivePage, wanted: dict[str, object], why: str) -> None:
    code, answer = order(page, **{"acquisition": 1, **wanted})
    assert 400 <= code < 500
    assert why in str(answer["error"])


def test_nobody_orders_a_movie_from_elsewhere_or_where_it_is_read_only(page: LivePage, results: Path) -> None:
    wanted = {"acquisition": 1}
    assert page.ask("/api/movies", "POST", wanted, X_Nusetd_Order="1", Origin="http://elsewhere.example").code == 403
    assert page.ask("/api/movies", "POST", wanted, Origin=page.address).code == 403
    with live_page(results, Visitors(read_only=True)) as closed:
        assert closed.ask("/api/movies", "POST", wanted, X_Nusetd_Order="1", Origin=closed.address).code == 403


class Maker:
    """A process that makes a movie when a test lets it."""

    made: list[Maker]
    said: list[MovieSaid]

    def __init__(self, module: str, clock: object) -> None:
        self.said, self.killed = [], False
        type(self).made.append(self)

    @classmethod
    def __class_getitem__(cls, item: object) -> type[Maker]:
        return cls

    def start(self) -> None:
        """It runs."""

    def give(self, order: MovieOrder) -> None:
        """Take what is to be made."""
        self.place = order.output
        order.output.write_bytes(b"begun")

    def hear(self, wait_s: float) -> MovieSaid | None:
        """What the test has it say."""
        if self.said:
            return self.said.pop(0)
        time.sleep(0.01)
        return None

    def kill(self) -> None:
        """End at once."""
        self.killed = True

    def end(self, patience_s: float) -> None:
        """End."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MovieDesk]:
    """A desk whose movies are made by the test."""
    monkeypatch.setattr(movie_desk, "Child", Maker)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Maker.made = []
    ending = Event()
    yield MovieDesk(ending)
    ending.set()
    for thread in threading.enumerate():
        if thread.name == "movies":
            thread.join(10)


def ordered(desk: MovieDesk, name: str = "a.gif") -> PageMovie:
    return desk.order("sqlite:///none", 1, name, MovieOptions())


def state(desk: MovieDesk, number: int) -> str:
    return next(one.state for one in desk.movies() if one.number == number)


def test_a_second_one_waits_for_the_first_and_is_told_how_far_it_is(desk: MovieDesk) -> None:
    first = ordered(desk)
    waited("it to begin", lambda: len(Maker.made) == 1)
    Maker.made[0].said.append(MovieSaid("running", done=12, of=50))
    waited("a word", lambda: desk.movies()[0].done == 12)
    with pytest.raises(UsageError, match=r"a\.gif is being made \(12 of 50 frames\)"):
        ordered(desk, "b.gif")
    Maker.made[0].said.append(MovieSaid("done"))
    waited("its end", lambda: state(desk, first.number) == "done")
    assert desk.file(first.number)[0].read_bytes() == b"begun"
    assert ordered(desk, "b.gif").number == first.number + 1


def test_one_that_is_stopped_ends_and_leaves_nothing(desk: MovieDesk) -> None:
    movie = ordered(desk)
    waited("it to begin", lambda: len(Maker.made) == 1 and hasattr(Maker.made[0], "place"))
    desk.stop(movie.number)
    assert state(desk, movie.number) == "stopped"
    Maker.made[0].said.append(MovieSaid("running", done=1, of=2))  # a word that comes late changes nothing
    waited("its process to end", lambda: Maker.made[0].killed)
    Maker.made[0].said.append(MovieSaid("failed"))
    waited("its file to go", lambda: not Maker.made[0].place.exists())
    assert state(desk, movie.number) == "stopped"
    with pytest.raises(UsageError, match="have it made again"):
        desk.file(movie.number)


def test_a_full_disk_ends_it_with_a_sentence(desk: MovieDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movie_desk, "FREE_BYTES", 2**80)
    movie = ordered(desk)
    waited("it to be given up", lambda: state(desk, movie.number) == "failed")
    assert "nearly full" in desk.movies()[0].text


def test_the_latest_are_kept_and_all_go_with_the_page(desk: MovieDesk) -> None:
    for count in range(movie_desk.MOST_KEPT + 1):
        movie = ordered(desk)
        waited("it to begin", lambda n=count: len(Maker.made) == n + 1)  # type: ignore[misc]
        Maker.made[-1].said.append(MovieSaid("done"))
        waited("its end", lambda one=movie: state(desk, one.number) == "done")  # type: ignore[misc]
    assert [one.number for one in desk.movies()] == [5, 4, 3, 2]
    assert not Maker.made[0].place.exists()
    folder = Maker.made[-1].place.parent
    desk._ending.set()
    waited("the folder to go", lambda: not folder.exists())
