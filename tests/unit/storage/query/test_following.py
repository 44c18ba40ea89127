"""Following: every committed row once, in the order of the commits, whatever becomes of it."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.mirror import Mirror
from cases.stored import acquisition, nuclei, one_to_one, register, work_off

import storage
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.database.renewal.replay import replay
from storage.database.renewal.staged_tracks import pieces
from storage.errors import DatabaseUnavailableError, OtherSchemaError, UnknownAcquisitionError, WrongRequestError
from storage.query.following import follower
from storage.query.following.cursor import CHANGES, NUCLEI, TRACKS, Cursor
from storage.query.following.follower import follow, scope_of
from storage.query.following.lines import Scope
from storage.query.snapshots import snapshot
from storage.schema.rows import AnalysedTimepoint, TimepointJob
from tracking.params import TrackingParams
from tracking.tracker import FrameTracks, Tracker, TrackUpdate


def place(catalog: Catalog) -> Path:
    return Path(catalog.address.removeprefix("sqlite:///"))


def kinds(catalog: Catalog, cursor: str | None = "start", **more: object) -> list[str]:
    found = storage.open(place(catalog)).follow(cursor, until_now=True, **more)  # type: ignore[arg-type]
    return [line["kind"] for line in found]


def dividing(t: int, at: int = 4) -> Nuclei:
    """Five nuclei, of which the first divides: two small ones from time point `at` on."""
    places = [[4.0, 20.0 * n, 20.0 + 0.5 * t] for n in range(5)]
    if t >= at:
        apart = 2.0 + 0.6 * (t - at)
        places[0:1] = [[4.0, -apart, 20.0 + 0.5 * t], [4.0, apart, 20.0 + 0.5 * t]]
    volumes = [220.0 if t >= at and n < 2 else 500.0 for n in range(len(places))]
    return Nuclei.from_positions(t, np.array(places), volume_um3=np.array(volumes), score=np.float32(0.9))


def grown(catalog: Catalog, count: int = 12) -> int:
    """A movie with a division, as the tracker takes it."""
    row = register(catalog)
    catalog.add_timepoints(row.id, dict.fromkeys(range(count), "a"))
    tracker = Tracker()
    while (job := catalog.claim_next()) is not None:
        table = dividing(job.t)
        update = tracker.advance(table)
        catalog.commit_timepoint(job, table, update, tracker.state())
    catalog.finalise_tracks(row.id, tracker.finish(), tracker.state())
    return row.id


def test_lines_make_the_same_results_again(catalog: Catalog) -> None:
    grown(catalog)
    lines = list(storage.open(place(catalog)).follow("start", until_now=True))
    mirror = Mirror().take(lines)
    mirror.check(place(catalog))
    assert mirror.divisions[1], "a division is among what is told"
    assert [line["t"] for line in lines if line["kind"] == "timepoint"] == list(range(12))


def test_each_line_once_wherever_it_is_cut(catalog: Catalog) -> None:
    grown(catalog)
    results = storage.open(place(catalog))
    whole = list(results.follow("start", until_now=True))
    rng = random.Random(3)
    for _ in range(25):
        cut = rng.randrange(len(whole))
        assert list(results["embryo"].follow(whole[cut]["cursor"], until_now=True)) == whole[cut + 1 :]


def test_from_now_on_nothing_old_is_told(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    following = storage.open(place(catalog)).follow()
    catalog.add_timepoints(row.id, {1: "b"})
    work_off(catalog)
    first = next(line for line in following if line["kind"] == "nucleus")
    assert first["t"] == 1


@pytest.mark.timeout(20)
def test_another_thread_ends_it_while_it_waits_and_between_two_lines(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    ending = threading.Event()
    threading.Timer(0.1, ending.set).start()
    assert [line["kind"] for line in storage.open(place(catalog)).follow("start", ending=ending)][-1] == "timepoint"
    ending.clear()
    following = storage.open(place(catalog))["embryo"].follow("start", ending=ending)
    next(following)
    ending.set()
    assert list(following) == []


def test_a_changed_time_point_and_a_renewal_are_told_again(catalog: Catalog) -> None:
    number = grown(catalog)
    mirror = Mirror().take(storage.open(place(catalog)).follow("start", until_now=True))
    catalog.add_timepoints(number, {2: "changed"})
    job = catalog.claim_next()
    assert job is not None
    less = dividing(2)
    less = Nuclei(2, less.table.iloc[1:].reset_index(drop=True), less.unit)
    catalog.keep(AnalysedTimepoint(job, less, {}, {}))
    with snapshot(place(catalog)) as connection:
        replayed = replay(connection, number, TrackingParams())
    for piece in pieces(number, replayed):
        catalog.stage(number, piece)
    catalog.make_current(number, replayed)
    news = list(storage.open(place(catalog)).follow(mirror.cursors[-1], until_now=True))
    assert next((line["kind"], line.get("t")) for line in news if line["kind"] in ("timepoint", "tracks")) == (
        "timepoint",
        2,
    )
    mirror.take(news).check(place(catalog))


def test_a_replay_within_a_commit_is_told(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    work_off(catalog)
    catalog.add_timepoints(row.id, {0: "changed"})
    job = catalog.claim_next()
    assert job is not None
    assert job.needs_replay
    catalog.commit_timepoint(job, nuclei(0, 2), one_to_one(1, 2, offset=40), b"s")
    Mirror().take(storage.open(place(catalog)).follow("start", until_now=True)).check(place(catalog))


def test_links_that_change_within_the_lag_are_told(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b", 2: "c"})
    labels = np.arange(1, 4)

    def linked(job: TimepointJob) -> tuple[Nuclei, TrackUpdate]:
        if job.t < 2:
            return nuclei(job.t), one_to_one(job.t, 3, is_final=False)
        other = one_to_one(2, 3, offset=20, is_final=False)
        frames = [FrameTracks(t, labels, labels + (10 if t == 0 else 20), False) for t in range(3)]
        tracks = (*one_to_one(0, 3, is_final=False).tracks, *(replace(one, first_t=1) for one in other.tracks))
        return nuclei(2), TrackUpdate(tuple(frames), tracks, ())

    work_off(catalog, linked)
    lines = list(storage.open(place(catalog)).follow("start", until_now=True))
    Mirror().take(lines).check(place(catalog))
    assert lines[-1]["renewed"] == [1], "the ids of the first are as they were"


def test_another_image_under_the_same_name_drops_what_was(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    register(catalog, acquisition(np.zeros((1, 1, 2, 8, 8), np.uint16)))
    Mirror().take(storage.open(place(catalog)).follow("start", until_now=True)).check(place(catalog))
    assert kinds(catalog)[-1] == "dropped"


def test_forgetting_breaks_no_cursor(catalog: Catalog) -> None:
    """Numbers are never given again, and who had read everything hears of what comes next."""
    first = register(catalog)
    catalog.add_timepoints(first.id, {0: "a", 1: "b"})
    work_off(catalog)
    mirror = Mirror().take(storage.open(place(catalog)).follow("start", until_now=True))
    while not catalog.upkeep.forget_some(first.id):
        pass
    second = register(catalog, acquisition(name="other"))
    catalog.add_timepoints(second.id, {0: "a"})
    work_off(catalog)
    news = list(storage.open(place(catalog)).follow(mirror.cursors[-1], until_now=True))
    assert news[0]["kind"] == "forgotten"
    assert news[0]["acquisition"] == "embryo"
    mirror.take(news).check(place(catalog))
    assert "embryo" not in {line.get("acquisition") for line in news[1:]}
    assert kinds(catalog)[0] == "forgotten"


def test_who_follows_one_acquisition_is_done_when_it_is_forgotten(catalog: Catalog) -> None:
    row = register(catalog)
    with snapshot(place(catalog)) as connection:
        scope = scope_of(connection, row.id, None, False)
    while not catalog.upkeep.forget_some(row.id):
        pass
    assert [line["kind"] for line in follow(str(catalog.address), scope, Cursor(0))] == ["forgotten"]


def test_a_filter_chooses_nuclei_and_events_leave_them_out(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    catalog.events.alarm("bleached", "embryo", "It bleaches.", {"acquisition": "embryo", "t": 0})
    results = storage.open(place(catalog))
    chosen = [x for x in results.follow("start", where="volume_um3 > 460", until_now=True) if x["kind"] == "nucleus"]
    assert [line["label"] for line in chosen] == [3]
    assert kinds(catalog, events=True) == ["birth"] * 3 + ["timepoint", "alarm"]
    alarm = list(results["embryo"].follow("start", events=True, until_now=True))[-1]
    assert (alarm["alert"], alarm["message"], alarm["acquisition"]) == ("bleached", "It bleaches.", "embryo")


def test_what_is_wrong_is_said_before_the_first_line(catalog: Catalog) -> None:
    results = storage.open(place(catalog))
    for wrong, said in (({"cursor": "x"}, "no cursor"), ({"cursor": "7"}, "put back from a copy")):
        with pytest.raises(WrongRequestError, match=said):
            results.follow(**wrong)
    with pytest.raises(WrongRequestError, match="no column"):
        results.follow(where="volumes > 3")
    with pytest.raises(WrongRequestError, match="leave out one"):
        results.follow(where="volume_um3 > 3", events=True)
    with pytest.raises(UnknownAcquisitionError), snapshot(place(catalog)) as connection:
        scope_of(connection, "nobody", None, False)


@pytest.mark.parametrize(
    "cursor", [Cursor(3), Cursor(3, CHANGES, 2), Cursor(3, NUCLEI, 4, 17), Cursor(3, TRACKS, 9), Cursor(0)]
)
def test_a_cursor_is_read_as_it_is_written(cursor: Cursor) -> None:
    assert Cursor.read(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "-1", "3n4", "3c4.5", "3k", "1e5", "3 n4.5", "9" * 30])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(WrongRequestError):
        Cursor.read(text)


def test_lines_are_json_of_plain_values(catalog: Catalog) -> None:
    grown(catalog, 3)
    for line in storage.open(place(catalog)).follow("start", until_now=True):
        json.dumps(line, allow_nan=False)


class Waiting(threading.Event):
    """Notes how long is waited, and ends it after so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.waited: list[float | None] = []
        self._times = times

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        if len(self.waited) == self._times:
            self.set()
        return self.is_set()


def test_between_two_looks_it_is_waited(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    ending = Waiting(3)
    found = list(storage.open(place(catalog)).follow("start", ending=ending))
    assert found[-1]["kind"] == "timepoint"
    assert ending.waited == [follower.LOOK_S] * 3


def test_a_database_that_cannot_be_read_is_waited_for_and_complained_of_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once until it can be read again."""
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    with snapshot(place(catalog)) as connection:
        scope = scope_of(connection, row.id, None, False)
    away, good, said = [True, True, False, True, False], follower.snapshot, list[str]()

    def sometimes(database: str) -> Any:
        if away.pop(0):
            raise DatabaseUnavailableError("It is locked.")
        return good(database)

    monkeypatch.setattr(follower, "snapshot", sometimes)
    ending = Waiting(4)
    lines = list(follow(str(catalog.address), scope, Cursor(0), ending=ending, complain=said.append))
    assert [line["kind"] for line in lines][-1] == "timepoint"
    assert said == ["It is locked. It is waited for."] * 2
    assert ending.waited == [5.0, 5.0, 5.0, follower.LOOK_S]


@pytest.mark.parametrize("until_now", [True, False])
def test_a_database_that_cannot_be_read_at_all_is_said_at_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, until_now: bool
) -> None:
    """Whoever wants what is there now does not wait; nor does waiting help against another version."""
    error = DatabaseUnavailableError("It is locked.") if until_now else OtherSchemaError("It is of another version.")

    def never(database: str) -> Any:
        raise error

    monkeypatch.setattr(follower, "snapshot", never)
    with pytest.raises(type(error)):
        list(follow("x", Scope(None, None, True), Cursor(0), until_now=until_now, ending=Waiting(2)))


def test_no_line_is_left_out_where_more_are_there_than_are_read_at_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(catalog, 4)
    whole = list(storage.open(place(catalog)).follow("start", until_now=True))
    few = follower.read
    monkeypatch.setattr(follower, "read", lambda connection, scope, cursor: few(connection, scope, cursor, 7))
    assert list(storage.open(place(catalog)).follow("start", until_now=True)) == whole
    with snapshot(place(catalog)) as connection:
        assert len(few(connection, Scope(None, None, True), Cursor(0), 7)) == 7
