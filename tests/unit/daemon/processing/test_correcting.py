"""The steps of corrections as the queue loop asks for them: when one is due, and what follows when it fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cases.corrected import CorrectedMovie
from cases.stored import Clock

from daemon import pipeline
from daemon.processing.corrections.correcting import Amending, Correcting, CorrectingLinks
from daemon.processing.messages import Cause, CorrectTask, Failed, TrackTask
from daemon.processing.steps.books import Books
from daemon.processing.steps.renewing import Replaying
from daemon.processing.steps.time_points import Committing, CommittingCorrected
from daemon.processing.tracker_cache import TrackerCache
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError, StaleJobError, StorageError
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow, AnalysedTimepoint

STEPS = {step.name: step for step in pipeline.FLOW}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a movie that is complete."""
    movie = CorrectedMovie(tmp_path_factory.mktemp("finished") / "out", frames=3)
    movie.process()
    return movie.output


class Bench:
    """Books on a copy of the movie, and a clock that a test moves."""

    def __init__(self, catalog: Catalog) -> None:
        self.seconds = 0.0
        self.catalog = catalog
        self.books = Books(catalog, clock=lambda: self.seconds)
        self.correcting = Correcting(STEPS["correct"], self.books)
        self.amending = Amending(STEPS["amend"], self.books)
        [self.row] = catalog.acquisitions()

    def say(self, label: int = 3) -> int:
        """Have a nucleus deleted."""
        return self.order(PersonsWord("delete", 1, (label,)))

    def order(self, word: PersonsWord) -> int:
        """Have anything said."""
        with snapshot(self.catalog.address) as connection:
            order = ordered(connection, self.row, word, "me")
        return self.catalog.corrections.order(self.row.id, order)

    def work(self) -> None:
        """What a worker and the thread do, once."""
        work = self.correcting.due()
        assert work is not None
        task = self.correcting.begin(work)
        assert isinstance(task, CorrectTask)
        self.correcting.end(work, pipeline.correct(task, lambda done, total: None))


@pytest.fixture
def bench(finished: Path, tmp_path: Path) -> Iterator[Bench]:
    """One for each test."""
    shutil.copytree(finished, tmp_path / "out")
    with Catalog.open(tmp_path / "out", Clock()) as catalog:
        yield Bench(catalog)


def row_of(bench: Bench) -> AcquisitionRow:
    """The acquisition that is due; there has to be one."""
    work = bench.correcting.due()
    assert work is not None
    return work[0]


def test_what_is_said_is_looked_up_now_and_then_and_at_once_where_something_changed(bench: Bench) -> None:
    assert bench.correcting.due() is None
    bench.say()
    assert bench.correcting.due() is None
    bench.seconds = 0.6
    assert row_of(bench).id == bench.row.id
    bench.say(4)
    bench.books.to_correct = set()
    bench.books.corrections_changed = True
    assert row_of(bench).id == bench.row.id


def test_it_waits_while_others_work_on_the_acquisition_or_readers_do_not_see_its_rows(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    bench.books.tracking.add(bench.row.id)
    assert bench.correcting.due() is None
    bench.books.tracking.clear()
    bench.books.pending.to_publish[bench.row.id, 1] = bench.row
    assert bench.correcting.due() is None
    bench.books.pending.to_publish.clear()
    bench.books.to_replay.add(bench.row.id)
    assert bench.correcting.due() is None
    bench.books.to_replay.clear()
    assert row_of(bench).id == bench.row.id


def test_afterwards_labels_are_to_be_shown_and_tracks_painted(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    bench.work()
    work = bench.amending.due()
    assert work is not None
    assert bench.correcting.due() is None, "nobody else takes it meanwhile"
    bench.amending.do(work)
    bench.amending.over(work, None)
    assert list(bench.books.pending.to_publish) == [(bench.row.id, 1)]
    assert bench.books.pending.to_paint == {bench.row.id}
    assert bench.amending.due() is None
    assert bench.books.tracking == set()


def test_when_more_was_said_it_is_looked_at_again(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    bench.work()
    bench.say(4)
    work = bench.amending.due()
    assert work is not None
    with pytest.raises(StaleJobError) as stale:
        bench.amending.do(work)
    bench.amending.over(work, stale.value)
    assert bench.books.pending.to_publish == {}
    assert row_of(bench).id == bench.row.id


def test_when_the_database_refuses_it_is_still_due(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    bench.work()
    work = bench.amending.due()
    assert work is not None
    with pytest.raises(DatabaseUnavailableError):
        bench.amending.over(work, DatabaseUnavailableError("locked"))
    assert bench.amending.due() is work


def test_what_cannot_be_carried_out_waits_longer_and_longer_and_then_for_the_next_start(bench: Bench) -> None:
    bench.say()
    for failures in range(1, 4):
        bench.books.corrections_changed = True
        work = bench.correcting.due()
        assert work is not None
        bench.correcting.begin(work)
        bench.correcting.fail(work, Failed("its image is away", Cause.GONE))
        assert bench.books.tracking == set()
        assert bench.correcting.due() is None
        assert [str(one) for one in bench.books.troubles()] == ["embryo: its image is away"] * (failures < 3)
        bench.seconds += 100.0
    assert bench.correcting.due() is None
    assert not bench.books.to_correct


def test_what_keeps_new_time_points_waiting_is_tried_and_told_without_end(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    bench.work()
    work = bench.amending.due()
    assert work is not None
    bench.amending.do(work)
    bench.amending.over(work, None)
    bench.books.pending.to_publish.clear()
    bench.catalog.add_timepoints(bench.row.id, {0: "changed"})
    for _ in range(6):
        bench.books.corrections_changed = True
        taken_off = bench.correcting.due()
        assert taken_off is not None
        bench.correcting.begin(taken_off)
        bench.correcting.fail(taken_off, Failed("its image is away", Cause.GONE))
        assert [str(one) for one in bench.books.troubles()] == ["embryo: its image is away"]
        bench.seconds += 100.0


def test_a_worker_that_dies_over_it_is_forgiven_once(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    work = bench.correcting.due()
    assert work is not None
    bench.correcting.begin(work)
    bench.correcting.fail(work, Failed("it died", Cause.CRASH))
    assert row_of(bench).id == bench.row.id


def test_a_full_disk_stops_all_results_and_no_correction_in_particular(bench: Bench) -> None:
    bench.say()
    bench.books.corrections_changed = True
    work = bench.correcting.due()
    assert work is not None
    bench.correcting.begin(work)
    bench.correcting.fail(work, Failed("the disk is full", Cause.MACHINE))
    assert bench.books.stall.lasts
    assert row_of(bench).id == bench.row.id


def test_links_wait_for_no_worker(bench: Bench) -> None:
    links = CorrectingLinks(STEPS["correct links"], bench.books, bench.correcting)
    bench.order(PersonsWord("unlink", 0, (2,), (2,)))
    bench.books.corrections_changed = True
    assert bench.correcting.due() is None
    work = links.due()
    assert work is not None
    links.do(work)
    links.over(work, None)
    assert bench.catalog.corrections.are_on(bench.row.id)
    assert bench.books.pending.to_paint == {bench.row.id}
    assert (links.due(), bench.correcting.due()) == (None, None)
    bench.order(PersonsWord("end", 1, (4,)))
    bench.say()
    bench.books.corrections_changed = True
    assert links.due() is None, "labels are to be others as well"
    assert row_of(bench).id == bench.row.id


def test_a_store_that_cannot_be_read_is_told_of_where_links_wait(bench: Bench) -> None:
    links = CorrectingLinks(STEPS["correct links"], bench.books, bench.correcting)
    bench.order(PersonsWord("unlink", 0, (2,), (2,)))
    bench.books.corrections_changed = True
    work = links.due()
    assert work is not None
    links.over(work, StorageError("its labels cannot be read"))
    assert [str(one) for one in bench.books.troubles()] == ["embryo: its labels cannot be read"]
    assert links.due() is None
    with pytest.raises(DatabaseUnavailableError):
        links.over(work, DatabaseUnavailableError("locked"))


def test_where_tracks_are_made_anew_corrections_are_off_until_it_is_done(bench: Bench) -> None:
    replaying = Replaying(STEPS["replay"], bench.books)
    bench.say()
    bench.books.corrections_changed = True
    for plain in (False, True, False):
        if plain:
            bench.books.to_replay.add(bench.row.id)
            assert replaying.due() is None, "rows are not plain yet"
        work = bench.correcting.due()
        assert work is not None
        task = bench.correcting.begin(work)
        assert isinstance(task, CorrectTask)
        assert task.plain == plain
        bench.correcting.end(work, pipeline.correct(task, lambda done, total: None))
        amendment = bench.amending.due()
        assert amendment is not None
        bench.amending.do(amendment)
        bench.amending.over(amendment, None)
        bench.books.pending.to_publish.clear()
        assert bench.catalog.corrections.are_on(bench.row.id) != plain
        if plain:
            assert bench.correcting.due() is None, "they stay off meanwhile"
            renewed = replaying.due()
            assert renewed is not None
            bench.books.to_replay.clear()


def test_the_rows_of_what_is_corrected_are_committed_beside_the_loop(bench: Bench) -> None:
    committing = Committing(STEPS["commit"], bench.books)
    beside = CommittingCorrected(STEPS["commit corrected"], bench.books)
    bench.catalog.add_timepoints(bench.row.id, {3: "new"})
    job = bench.catalog.claim_next()
    assert job is not None
    nuclei = next(iter(bench.catalog.stored_nuclei(bench.row.id)))
    found = AnalysedTimepoint(job, replace(nuclei, t=3), {}, {})
    tracked = pipeline.track(TrackTask(bench.row, bench.catalog.address, None, 1, found.nuclei), TrackerCache())
    bench.books.tracked.append((found, tracked))
    assert (committing.due() is None, beside.due() is None) == (False, True)
    bench.say()
    bench.books.corrections_changed = True
    bench.work()
    amendment = bench.amending.due()
    assert amendment is not None
    bench.amending.do(amendment)
    bench.amending.over(amendment, None)
    assert (committing.due() is None, beside.due() is None) == (True, False)
    work = beside.due()
    assert work is not None
    with pytest.raises(DatabaseUnavailableError):
        beside.over(work, DatabaseUnavailableError("locked"))
    assert beside.due() is work
    beside.do(work)
    beside.over(work, None)
    assert beside.due() is None
    assert (bench.row.id, 3) in bench.books.pending.to_publish
    assert bench.catalog.timepoints(bench.row.id)[3].nuclei_count == len(nuclei.table)
