"""Corrections of a movie that is still being processed: later time points are joined to what people said."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cases.corrected import CorrectedMovie, assert_consistent, assert_same_seen
from cases.mirror import Mirror
from sqlalchemy import select, update

import storage
from daemon.pipeline import track
from daemon.processing.messages import TrackTask
from daemon.processing.tracker_cache import TrackerCache
from nuset_engine.nuclei import Nuclei
from storage.connection.engine import writing_engine
from storage.corrections.asking import Corrector
from storage.corrections.here import carry_out
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.database.corrections import nuclei_rows
from storage.database.corrections.events import APPLIED, ORDERED
from storage.database.records import DOUBT_COLUMNS
from storage.export.exporters import export
from storage.query.snapshots import snapshot
from storage.schema.tables import nuclei, plain_nuclei
from storage.verify import verify

FRAMES, BEFORE = 9, 5
SPLIT = PersonsWord("split", 3, (1,), points=tuple((2.0, 0.5 * 7, 0.5 * x) for x in (5, 9)))
WORDS = (
    PersonsWord("delete", 2, (3,)),
    SPLIT,
    PersonsWord("link", 3, (5,), (6,)),
    PersonsWord("unlink", 1, (7,), (7,)),
    PersonsWord("merge", 4, (2, 4)),
)


class UnderWay:
    """A movie of which some time points are done."""

    def __init__(self, output: Path, frames: int = FRAMES) -> None:
        self.movie = CorrectedMovie(output, frames)
        output.mkdir()
        with Catalog.open(output) as catalog:
            self.row = self.movie.queue(catalog)

    def advance(self, most: int) -> None:
        """Do some time points."""
        with Catalog.open(self.movie.output) as catalog:
            self.movie.advance(catalog, self.row, most)

    def say(self, *words: PersonsWord) -> None:
        """One after the other; all of them fit."""
        say = Corrector(str(self.movie.output), self.row.id, author="me")
        for word in words:
            assert say.say(word).state == APPLIED

    def finish(self) -> dict[str, Any]:
        """Do the rest; all that people see then."""
        with Catalog.open(self.movie.output) as catalog:
            self.movie.work(catalog, self.row)
        return self.movie.seen(self.row)

    def seen(self) -> dict[str, Any]:
        """All that people see of the time points that are done."""
        with Catalog.open(self.movie.output) as catalog:
            done = len([one for one in catalog.timepoints(self.row.id) if one.nuclei_count is not None])
        return CorrectedMovie(self.movie.output, done).seen(self.row)


def partition(seen: dict[str, Any]) -> tuple[set[Any], set[Any]]:
    """Which nuclei are one track, and which tracks come from which, whatever their numbers."""
    nuclei = seen["nuclei"]
    first = {track: (part["t"].min(), part["label"].iloc[0]) for track, part in nuclei.groupby("track_id")}
    members = {frozenset(zip(part["t"], part["label"], strict=True)) for _, part in nuclei.groupby("track_id")}
    born = seen["tracks"].dropna(subset=["parent_track_id"])
    pairs = (born["track_id"], born["parent_track_id"])
    return members, {(first[one], first[other]) for one, other in zip(*pairs, strict=True)}


def told(movie: UnderWay) -> None:
    """Whoever follows knows what rows say."""
    output = movie.movie.output
    Mirror().take(storage.open(output).follow("start", until_now=True)).check(output)


@pytest.fixture(scope="module")
def afterwards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What people see when all is said of a movie that is complete."""
    movie = UnderWay(tmp_path_factory.mktemp("afterwards") / "out")
    movie.finish()
    movie.say(*WORDS)
    return movie.movie.seen(movie.row)


def test_what_is_said_while_it_runs_ends_as_what_is_said_afterwards(tmp_path: Path, afterwards: dict[str, Any]) -> None:
    movie = UnderWay(tmp_path / "out")
    movie.advance(BEFORE)
    movie.say(*WORDS)
    ids = []
    for _ in range(BEFORE, FRAMES):
        seen = movie.seen()
        for table in ("nuclei", "tracks"):
            assert (seen[table]["corrected"] == 1).any()
        ids.append(seen["nuclei"].set_index(["t", "label"])["track_id"])
        movie.advance(1)
    told(movie)
    found = movie.finish()
    told(movie)
    assert_consistent(found)
    assert partition(found) == partition(afterwards)
    rows = (one["nuclei"].drop(columns="track_id") for one in (found, afterwards))
    pd.testing.assert_frame_equal(*rows)
    assert (found["labels"] == afterwards["labels"]).all()
    last = found["nuclei"].set_index(["t", "label"])["track_id"]
    for earlier in ids:  # whoever was given an id keeps it, also where the other part of a track grows longer
        kept = earlier[earlier.index.get_level_values("t") <= 3]
        assert kept.tolist() == last[kept.index].tolist()
    assert [
        one for checked in verify(movie.movie.output, movie.row.id, source=False) for one in checked.mismatches
    ] == []


@pytest.mark.parametrize(
    "form", ["ctc", *(pytest.param(form, marks=pytest.mark.long) for form in ("geff", "trackmate"))]
)
def test_what_was_edited_elsewhere_is_taken_over_as_far_as_time_points_are_done(form: str, tmp_path: Path) -> None:
    """The movie was exported before some of them: of these nothing is said."""
    edited, grown = UnderWay(tmp_path / "edited", 6), UnderWay(tmp_path / "grown", 6)
    for movie in (edited, grown):
        movie.advance(3)
    edited.say(PersonsWord("delete", 1, (3,)), PersonsWord("link", 1, (5,), (6,)))
    path = export(edited.movie.output, "embryo", form, tmp_path / form)
    grown.advance(2)
    before = grown.seen()
    corrector = Corrector(str(grown.movie.output), grown.row.id, author="me")
    report = corrector.import_(path)
    assert (report.found["delete"], report.states) == (1, {APPLIED: len(report.said)})
    assert report.notes[-1] == "2 time points of embryo not in it: left as before."
    assert {t for one in report.said for t in one.times} <= {0, 1, 2}
    told(grown)
    assert len(grown.seen()["nuclei"]) == len(before["nuclei"]) - 1
    corrector.undo()
    assert_same_seen(grown.seen(), before)


def test_undone_at_any_time_nothing_is_left_of_it(tmp_path: Path) -> None:
    plain = UnderWay(tmp_path / "plain")
    without = plain.finish()
    movie = UnderWay(tmp_path / "out")
    movie.advance(BEFORE)
    movie.say(WORDS[0], WORDS[3], WORDS[4])
    movie.advance(2)
    say = Corrector(str(movie.movie.output), movie.row.id, author="me")
    for _ in range(3):
        assert say.undo().state == APPLIED
    assert_same_seen(movie.finish(), without)


def test_what_tracks_are_made_anew_of_is_plain(tmp_path: Path) -> None:
    movie = UnderWay(tmp_path / "out", 6)
    movie.advance(4)
    movie.say(SPLIT)
    with Catalog.open(movie.movie.output) as catalog:
        assert catalog.add_timepoints(movie.row.id, {1: "changed"}) == (1,)
        assert catalog.claim_next() is None, "corrections are taken off first"
        assert catalog.corrections.due() == (movie.row.id,)
        carry_out(catalog, movie.row.id)
        assert not catalog.corrections.are_on(movie.row.id)
        job = catalog.claim_next()
        assert job is not None
        assert job.t == 1
    reply = Corrector(str(movie.movie.output), movie.row.id, author="me").say(PersonsWord("delete", 2, (3,)))
    assert reply.state == ORDERED
    assert "when the time points that came late or changed are done" in reply.text


def test_a_nucleus_is_corrected_when_its_time_point_is_done_and_not_before(tmp_path: Path) -> None:
    movie = UnderWay(tmp_path / "out", 4)
    movie.advance(2)
    with snapshot(movie.movie.output) as connection:
        order = ordered(connection, movie.row, PersonsWord("delete", 1, (3,)), "me")
    with Catalog.open(movie.movie.output) as catalog:
        later = UnderWay(tmp_path / "later", 4)
    with Catalog.open(later.movie.output) as catalog:
        catalog.corrections.order(later.row.id, order)
        assert catalog.corrections.due() == ()
        later.movie.advance(catalog, later.row, 1)
        assert catalog.corrections.due() == ()
        later.movie.advance(catalog, later.row, 1)
        assert catalog.corrections.due() == (later.row.id,)


def test_a_track_that_begins_later_gets_no_id_that_a_correction_gave(tmp_path: Path) -> None:
    movie = UnderWay(tmp_path / "out", 4)
    movie.advance(3)
    movie.say(WORDS[3])
    taken = set(movie.seen()["tracks"]["track_id"])
    with Catalog.open(movie.movie.output) as catalog:
        before = list(catalog.stored_nuclei(movie.row.id))[-1]
        new = before.table.tail(1).assign(label=9, centroid_y_um=500.0, centroid_x_um=500.0)
        nuclei = Nuclei(3, pd.concat([before.table, new], ignore_index=True), before.unit)
        tracked = track(TrackTask(movie.row, catalog.address, None, 0, nuclei), TrackerCache())
    [frame] = [frame for frame in tracked.update.frames if frame.t == 3]
    assert int(frame.track_ids[frame.labels == 9][0]) not in taken
    assert tracked.measures is None, "tracks are measured where rows are plain"


def test_two_people_without_a_service_wait_for_each_other_and_nothing_is_left_over(tmp_path: Path) -> None:
    """One carries out what the other one says meanwhile, or that one does when it is alone."""
    movie = UnderWay(tmp_path / "out", 3)
    movie.finish()
    output, number = str(movie.movie.output), movie.row.id
    words = [PersonsWord("delete", 1, (label,)) for label in (3, 5, 7)] + [PersonsWord("merge", 2, (2, 4))]
    with ThreadPoolExecutor(len(words)) as people:
        replies = list(people.map(lambda word: Corrector(output, number, author="me").say(word), words))
    assert [reply.state for reply in replies] == [APPLIED] * len(words)
    with Catalog.open(output) as catalog:
        assert catalog.corrections.due() == ()


def test_whoever_waits_for_a_service_that_is_gone_does_it_alone(tmp_path: Path) -> None:
    movie = UnderWay(tmp_path / "out", 2)
    movie.finish()
    service = Catalog.open(movie.movie.output)
    threading.Timer(0.5, service.close).start()
    say = Corrector(str(movie.movie.output), movie.row.id, author="me")
    assert say.say(PersonsWord("delete", 1, (3,))).state == APPLIED


def test_what_is_doubted_meanwhile_stays_with_the_plain_rows(tmp_path: Path) -> None:
    under_way = UnderWay(tmp_path / "out", 3)
    under_way.advance(3)
    under_way.say(PersonsWord("delete", 1, (3,)))
    acquisition_id = under_way.row.id
    there = (nuclei.c.t == 1) & (nuclei.c.label == 3)
    engine = writing_engine(f"sqlite:///{under_way.movie.output / 'nusetd.sqlite'}")
    with engine.begin() as connection:
        lifted = nuclei_rows.lift(connection, acquisition_id)
        later = {"doubt": 0.625, "doubt_kind": "merge", "link_doubt": 0.5, "end_doubt": 0.25}
        assert set(later) == set(DOUBT_COLUMNS)
        assert connection.execute(update(nuclei).where(there).values(**later)).rowcount == 1
        nuclei_rows.lower(connection, acquisition_id, lifted)
        kept = connection.execute(
            select(*(plain_nuclei.c[name] for name in later)).where(plain_nuclei.c.t == 1, plain_nuclei.c.label == 3)
        )
        assert [dict(row) for row in kept.mappings()] == [later]
        assert connection.execute(select(nuclei.c.id).where(there)).all() == []
    engine.dispose()
