"""Tracks made anew, results that wait for their turn, and many workers: a real database, workers played by the test."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.actor import MODEL, Actor, cast
from cases.stored import acquisition, pixels, register

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Analysed, AnalyseTask, Cause, Failed, Painted, PaintTask, ReplayTask, TrackTask
from daemon.processing.queue_loop import QueueLoop, Seen
from daemon.processing.recipe import Recipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.workers.protocol import Died
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.database.renewal import staged_tracks
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState, TimepointState

FRAMES = 7
pytestmark = pytest.mark.timeout(60)

NUCLEI = "SELECT t, label, track_id, centroid_y_um FROM nuclei ORDER BY t, label"
TRACKS = (
    "SELECT track_id, first_t, last_t, nuclei_count, is_final, duration_frames, mean_speed_um_per_frame FROM tracks"
)
POINTS = "SELECT t, state, nuclei_count, tracks_final, published_at IS NOT NULL, painted_at IS NOT NULL FROM timepoints"


def found(t: int, version: int) -> Nuclei:
    """What is in a source: another version of it has one nucleus more, before all others."""
    count = 4 + version
    places = np.array([[4.0, 20.0 * i + 0.5 * t + 0.1 * version, 3.0] for i in range(-version, count - version)])
    return Nuclei.from_positions(t, places, volume_um3=np.linspace(400, 500, count))


class Play:
    """A queue loop with its workers over a database with one acquisition; sources are version 0 until they change."""

    def __init__(self, root: Path, workers: int = 1, frames: int = FRAMES, former: Play | None = None) -> None:
        root.mkdir(exist_ok=True)
        self.path = root / "nusetd.sqlite"
        if former is not None:
            shutil.copyfile(former.path, self.path)
        self.catalog = Catalog.open(self.path)
        self.row = former.row if former is not None else self.register(root, frames)
        self.versions = dict.fromkeys(range(frames), 0)
        self.seen: list[Seen] = []
        self.begin(workers)
        self.scan()

    def register(self, root: Path, frames: int) -> AcquisitionRow:
        """Enter the acquisition."""
        recipe, image = Recipe(MODEL, Processing()), acquisition(pixels(t=frames), name="movie")
        return self.catalog.register(
            image, zarr_path=root / "m", model_name="test", model_sha256=MODEL.model_sha256, params=recipe.params(0)
        )

    def begin(self, workers: int = 1) -> None:
        """A loop with new workers, as after a start."""
        self.actors = [Actor() for _ in range(workers)]
        policy = RetryPolicy(pause_s=0.0)
        self.loop = QueueLoop(self.catalog, cast(*self.actors), policy, self.seen.append)

    def kill(self) -> None:
        """The service dies and is started again: only the database stays."""
        self.loop._beside.wait()
        self.catalog.close()
        self.catalog = Catalog.open(self.path)
        self.begin(len(self.actors))

    def scan(self) -> None:
        """The sources are looked at."""
        self.catalog.add_timepoints(self.row.id, {t: f"v{v}" for t, v in self.versions.items()})

    def change(self, *times: int) -> None:
        """Sources become other ones."""
        for t in times:
            self.versions[t] += 1
        self.scan()

    def answer(self) -> None:
        """Workers do what they were told."""
        for actor in self.actors:
            if isinstance(actor.task, AnalyseTask) and not actor.lines:
                t = actor.task.t
                actor.lines.append(Analysed(found(t, self.versions[t]), {"segment_s": 1.0}))
            elif isinstance(actor.task, PaintTask) and not actor.lines:
                actor.lines.append(Painted())

    def until(self, reached: Callable[[], bool], answers: bool = True) -> None:
        """Turn until something is so."""
        for _ in range(3000):
            if reached():
                return
            if answers:
                self.answer()
            self.loop.step(0.002)
        raise AssertionError(f"waited in vain: {self.rows(POINTS)}")

    def to_the_end(self) -> None:
        """Everything is done, shown and painted, and the acquisition is complete."""
        self.until(lambda: self.all_are(TimepointState.DONE))
        self.loop.end(self.row.id)
        self.until(lambda: self.catalog.acquisition(self.row.id).state is AcquisitionState.COMPLETE)

    def all_are(self, state: TimepointState) -> bool:
        return all(point.state is state for point in self.catalog.timepoints(self.row.id)) and not self.loop.working

    def states(self) -> list[str]:
        return [str(point.state) for point in self.catalog.timepoints(self.row.id)]

    def given(self, kind: type) -> list[Any]:
        return [task for actor in self.actors for task in actor.given if isinstance(task, kind)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What another program sees."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def result(self) -> list[list[tuple[Any, ...]]]:
        return [self.rows(NUCLEI), sorted(self.rows(TRACKS)), self.rows(POINTS)]


@pytest.fixture(autouse=True)
def no_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written but the database."""
    monkeypatch.setattr(pipeline, "publish", lambda catalog, row, t: catalog.mark_published(row.id, t))
    monkeypatch.setattr(pipeline, "show_tracks", lambda catalog, row, t: catalog.mark_painted(row.id, t))
    monkeypatch.setattr(pipeline, "sweep", lambda row, owner, *left: None)


def done_once(root: Path) -> Play:
    made = Play(root)
    made.until(lambda: made.all_are(TimepointState.DONE))
    return made


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[Play]:
    """All sources are done, by the loop and the worker that are still there."""
    made = done_once(tmp_path / "play")
    yield made
    made.loop._beside.wait()
    made.catalog.close()


_former: list[Play] = []


@pytest.fixture
def play(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """The same after another start: a copy of a database that was filled once."""
    if not _former:
        _former.append(done_once(tmp_path_factory.mktemp("former") / "play"))
        _former[0].loop._beside.wait()
        _former[0].catalog.close()
    made = Play(tmp_path / "play", former=_former[0])
    made.until(lambda: made.all_are(TimepointState.DONE))
    yield made
    made.loop._beside.wait()
    made.catalog.close()


_in_order: dict[tuple[tuple[int, int], ...], list[list[tuple[Any, ...]]]] = {}


def in_order(root: Path, versions: dict[int, int]) -> list[list[tuple[Any, ...]]]:
    """What there is when all sources were so from the beginning; found out once for each such state of the sources."""
    state = tuple(sorted(versions.items()))
    if state not in _in_order:
        _in_order[state] = _played_in_order(root, versions)
    return _in_order[state]


def _played_in_order(root: Path, versions: dict[int, int]) -> list[list[tuple[Any, ...]]]:
    made = Play(root, frames=len(versions))
    made.versions = dict(versions)
    made.scan()
    made.to_the_end()
    assert made.given(ReplayTask) == []
    made.catalog.close()
    return made.result()


def test_changed_time_points_cost_one_replay_and_end_as_if_they_had_always_been_so(lived: Play, tmp_path: Path) -> None:
    lived.change(0, 3, 4, 6)
    lived.to_the_end()
    assert len(lived.given(ReplayTask)) == 1
    assert lived.result() == in_order(tmp_path / "other", lived.versions)
    assert [seen.t for seen in lived.seen if seen.what == "done"][FRAMES:] == [0, 3, 4, 6]


def test_readers_see_the_old_tracks_until_all_new_ones_are_there(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every turn another program sees one of two results, and never a third."""
    monkeypatch.setattr(staged_tracks, "ROWS", 3)
    monkeypatch.setattr("daemon.processing.queue_loop._TURN_S", 0.0005)
    play.change(0, 5)
    views: list[tuple[Any, ...]] = []
    staged = 0
    query = "SELECT sum(track_id), count(*), (SELECT sum(track_id * nuclei_count) FROM tracks) FROM nuclei"

    def done() -> bool:
        nonlocal staged
        view = play.rows(query)[0]
        staged += play.rows("SELECT count(*) FROM staged_track_ids")[0][0] > 0
        if view not in views:
            views.append(view)
        return play.all_are(TimepointState.DONE)

    play.until(done)
    assert staged > 3, "the rows lay aside for some turns"
    assert len(views) == 2
    assert play.rows("SELECT count(*) FROM staged_track_ids") == [(0,)]


@pytest.mark.parametrize("moment", ["kept", "replayed", "half staged", "staged", "current"])
def test_a_kill_at_any_moment_of_a_replay_loses_nothing_and_analyses_nothing_twice(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(staged_tracks, "ROWS", 3)
    monkeypatch.setattr("daemon.processing.queue_loop._TURN_S", 0.0005)
    current = staged_tracks.make_current
    if moment == "staged":
        monkeypatch.setattr(staged_tracks, "make_current", power_cut)
    play.change(0, 2, 6)
    books = play.loop._books
    moments: dict[str, Callable[[], bool]] = {
        "kept": lambda: play.states().count("analysed") == 3,
        "replayed": lambda: bool(books.replayed),
        "half staged": lambda: play.rows("SELECT count(*) FROM staged_track_ids")[0][0] > 3,
        "staged": lambda: play.loop.writing_beside or play.loop._over is not None,
        "current": lambda: play.all_are(TimepointState.DONE),
    }
    play.until(moments[moment])
    play.kill()
    monkeypatch.setattr(staged_tracks, "make_current", current)
    play.to_the_end()
    assert play.given(AnalyseTask) == []
    assert play.result() == in_order(tmp_path / "other", play.versions)
    for table in ("staged_track_ids", "staged_tracks", "analysed_timepoints", "analysed_nuclei"):
        assert play.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def power_cut(*arguments: object) -> None:
    """Stands for a transaction in which the process dies: nothing of it is there."""
    raise ZeroDivisionError("the process died")


def test_a_source_that_changes_during_the_replay_is_waited_for(lived: Play, tmp_path: Path) -> None:
    lived.change(2)
    lived.until(lambda: bool(lived.loop._books.replayed))
    lived.change(2)
    seen: set[tuple[int, int]] = set()

    def done() -> bool:
        seen.update(lived.rows("SELECT sum(t = 2), sum(track_id) FROM nuclei"))
        return lived.all_are(TimepointState.DONE)

    lived.until(done)
    assert len(seen) == 2, "readers see the former nuclei and tracks, or the newest"
    assert {nuclei for nuclei, _ in seen} == {4, 6}
    lived.to_the_end()
    assert len(lived.given(ReplayTask)) == 2
    assert lived.result() == in_order(tmp_path / "other", lived.versions)


def test_what_arrives_during_a_replay_is_kept_in_order(play: Play, tmp_path: Path) -> None:
    play.begin(2)
    play.change(1)
    for actor in play.actors:
        actor.tracks = False
    play.until(lambda: any(isinstance(actor.task, ReplayTask) for actor in play.actors))
    play.versions |= {FRAMES: 0, FRAMES + 1: 0}
    play.scan()
    play.until(lambda: play.states().count("analysed") + play.states().count("queued") == 3)
    assert play.given(TrackTask) == []
    assert max(t for t, *_ in play.rows(NUCLEI)) == FRAMES - 1
    busy = next(actor for actor in play.actors if isinstance(actor.task, ReplayTask))
    task, busy.task = busy.task, None
    for actor in play.actors:
        actor.tracks = True
    busy.give(task)
    play.to_the_end()
    assert play.result() == in_order(tmp_path / "other", play.versions)


def test_a_replay_that_kills_its_worker_twice_is_given_up_and_the_old_tracks_stay(play: Play) -> None:
    before = play.rows(NUCLEI), play.rows(TRACKS)
    (actor,) = play.actors
    actor.tracks = False
    play.change(3, 4)
    for _ in range(2):
        play.until(lambda: isinstance(actor.task, ReplayTask))
        actor.lines.append(Died("The program that segments died (signal SIGKILL)"))
        play.loop.step(0.0)
    play.until(lambda: not play.loop.working)
    states = play.states()
    assert [states[3], states[4]] == ["failed", "failed"]
    assert (play.rows(NUCLEI), play.rows(TRACKS)) == before
    assert "cannot be made anew" in str(play.catalog.timepoints(play.row.id)[3].error)
    assert "while it worked on its tracks" in str(play.catalog.timepoints(play.row.id)[3].error)
    assert len(play.given(ReplayTask)) == 2


@pytest.mark.parametrize("step", ["clear", "write", "make_current"])
def test_a_fault_of_ours_in_new_tracks_costs_what_wanted_to_take_part(
    play: Play, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The old tracks stay, other time points go on, and the next replay is not disturbed by what lies aside."""
    monkeypatch.setattr(staged_tracks, "ROWS", 3)
    before, good = (play.rows(NUCLEI), play.rows(TRACKS)), getattr(staged_tracks, step)
    monkeypatch.setattr(staged_tracks, step, power_cut)
    play.change(3, 4)
    play.until(lambda: play.states().count("failed") == 2 and not play.loop.working)
    assert (play.rows(NUCLEI), play.rows(TRACKS)) == before
    assert "cannot be made anew" in str(play.catalog.timepoints(play.row.id)[3].error)
    assert "the process died" in str(play.catalog.timepoints(play.row.id)[3].error)
    assert [seen.t for seen in play.seen if seen.what == "failed"] == [3, 4]
    monkeypatch.setattr(staged_tracks, step, good)
    play.change(3, 4, 5)
    play.to_the_end()
    assert len(play.given(ReplayTask)) == 2


def test_an_end_that_asks_in_vain_for_new_tracks_asks_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tracks can neither be made final nor anew: it stays unfinished until the next start."""
    monkeypatch.setattr(staged_tracks, "write", power_cut)
    play.kill()
    with closing(sqlite3.connect(play.path)) as connection:
        connection.execute("UPDATE tracker_states SET state = ?", (b"of another version",))
        connection.commit()
    play.loop.end(play.row.id)
    play.until(lambda: not play.loop.unfinished)
    assert len(play.given(ReplayTask)) == 1
    assert play.states() == ["done"] * FRAMES
    assert play.catalog.acquisition(play.row.id).state is AcquisitionState.PROCESSING


def test_a_machine_that_refuses_costs_no_replay_its_turn(play: Play) -> None:
    (actor,) = play.actors
    actor.tracks = False
    play.change(3)
    play.until(lambda: isinstance(actor.task, ReplayTask))
    actor.lines.append(Failed("No space left on device", Cause.MACHINE))
    actor.tracks = True
    play.to_the_end()
    assert play.states() == ["done"] * FRAMES


def test_many_workers_analyse_in_any_order_and_rows_appear_in_order(tmp_path: Path) -> None:
    """The later a time point, the sooner its worker is done with it."""
    play, early = Play(tmp_path / "many", workers=3), False
    for _ in range(3000):
        tasks = [(actor.task.t, actor) for actor in play.actors if isinstance(actor.task, AnalyseTask)]
        if len(tasks) == 3 or (tasks and "queued" not in play.states()):
            t, actor = max(tasks, key=lambda pair: pair[0])
            actor.lines.append(Analysed(found(t, 0), {}))
        for actor in play.actors:
            if isinstance(actor.task, PaintTask) and not actor.lines:
                actor.lines.append(Painted())
        play.loop.step(0.001)
        early |= "analysed" in play.states()
        done = [state == "done" for state in play.states()]
        assert done == sorted(done, reverse=True), "in order of t"
        if all(done):
            break
    play.to_the_end()
    assert early, "results waited for those before them"
    assert play.given(ReplayTask) == []
    assert play.rows(NUCLEI)
    assert play.result() == in_order(tmp_path / "other", play.versions)
    play.catalog.close()


def test_at_most_so_many_results_wait_for_one_before_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.claims._AHEAD", 2)
    play = Play(tmp_path / "many", workers=2)
    first: Actor | None = None
    for _ in range(60):
        play.loop.step(0.001)
        for actor in play.actors:
            if isinstance(actor.task, AnalyseTask):
                if actor.task.t == 0:
                    first = actor
                elif not actor.lines:
                    actor.lines.append(Analysed(found(actor.task.t, 0), {}))
    assert play.states()[:4] == ["running", "analysed", "analysed", "queued"]
    assert first is not None
    first.lines.append(Analysed(found(0, 0), {}))
    play.to_the_end()
    play.catalog.close()


def test_the_tracker_stays_in_memory_from_one_time_point_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state is read once by a worker, and once more by its successor."""
    from tracking.tracker import Tracker

    read: list[bytes] = []
    good = Tracker.from_state

    def counted(data: bytes, params: Any = None, step: int = 1) -> Tracker:
        read.append(data)
        return good(data, params, step)

    monkeypatch.setattr(Tracker, "from_state", counted)
    play = Play(tmp_path / "memory")
    play.until(lambda: play.states()[:5] == ["done"] * 5)
    assert read == []
    play.kill()
    play.to_the_end()
    assert len(read) == 1
    assert play.result() == in_order(tmp_path / "other", play.versions)
    play.catalog.close()


def test_a_database_without_tracks_of_its_own_is_never_asked_for_a_replay(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        row = register(catalog)
        assert not catalog.wants_replay(row.id)
        assert catalog.acquisitions_with_kept() == ()
