"""The queue under any order of events: files that come, change and fail, workers that finish, crashes at any moment.

Whatever happens, each time point ends with exactly one set of rows, made from what its source held last.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from cases.stored import Clock, acquisition, register
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nuset_engine.nuclei import Nuclei
from storage.database import commits
from storage.database.catalog import Catalog
from storage.errors import StaleJobError
from storage.schema.rows import TimepointJob
from storage.schema.states import AcquisitionState, TimepointState
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

ACQUISITIONS, TIME_POINTS = 2, 4


def table_of(t: int, content: int) -> Nuclei:
    """The nuclei that a source with this content has: 0 to 3, marked with the content."""
    count = content % 4
    return Nuclei.from_positions(t, np.full((count, 3), float(t)), volume_px=np.full(count, content))


def update_of(frames: list[Nuclei]) -> TrackUpdate:
    """A tracker for which equal labels are one track."""
    seen: dict[int, list[int]] = {}
    for frame in frames:
        for label in frame.table["label"]:
            seen.setdefault(int(label), []).append(frame.t)
    tracks = tuple(Track(n, None, min(ts), max(ts), len(ts), True, None) for n, ts in seen.items())
    last = [FrameTracks(f.t, f.table["label"].to_numpy(), f.table["label"].to_numpy(), True) for f in frames]
    return TrackUpdate(tuple(last), tracks, ())


class PowerCutError(Exception):
    """The process ends here."""


class Queue(RuleBasedStateMachine):
    """`sources` is what lies in the folder; `done` is what was committed last for each time point."""

    template: Path | None = None

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        if Queue.template is None:  # migrating anew for every example would take most of the time
            Queue.template = Path(tempfile.mkdtemp()) / "template.sqlite"
            Catalog.open(Queue.template).close()
        shutil.copy(Queue.template, self.folder / "nusetd.sqlite")
        self.clock = Clock()
        self.catalog = self.opened()
        self.rows = [register(self.catalog, acquisition(name=f"a{i}")) for i in range(ACQUISITIONS)]
        self.sources: dict[tuple[int, int], int] = {}
        self.done: dict[tuple[int, int], int] = {}
        self.jobs: list[tuple[TimepointJob, int]] = []
        self.contents = 0
        for which in range(ACQUISITIONS):
            self.files_come_or_change(which, set(range(TIME_POINTS - 1)))
        self.a_worker_takes_a_job()

    def opened(self) -> Catalog:
        """The database, without waiting for the disk: here processes die, not the power."""
        catalog = Catalog.open(self.folder, clock=self.clock)
        connection = catalog._engine.raw_connection()
        connection.cursor().execute("PRAGMA synchronous=OFF")
        connection.close()
        return catalog

    @rule(which=st.integers(0, ACQUISITIONS - 1), ts=st.sets(st.integers(0, TIME_POINTS - 1), min_size=1))
    def files_come_or_change(self, which: int, ts: set[int]) -> None:
        for t in ts:
            self.contents += 1
            self.sources[(self.rows[which].id, t)] = self.contents
        self.the_folder_is_scanned(which)

    def the_folder_is_scanned(self, which: int) -> None:
        number = self.rows[which].id
        seen = {t: str(content) for (owner, t), content in self.sources.items() if owner == number}
        self.catalog.add_timepoints(number, seen)

    @rule()
    def a_worker_takes_a_job(self) -> None:
        job = self.catalog.claim_next()
        if job is not None:
            assert all((job.acquisition.id, job.t) != (j.acquisition.id, j.t) for j, _ in self.jobs), "taken twice"
            # What is read is what lies there now, which may be newer than what was seen when the job was queued.
            self.jobs.append((job, self.sources[(job.acquisition.id, job.t)]))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def a_source_changes_while_a_worker_is_at_it(self, data: st.DataObject) -> None:
        job, _ = data.draw(st.sampled_from(self.jobs))
        which = [row.id for row in self.rows].index(job.acquisition.id)
        self.files_come_or_change(which, {job.t})

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), cut=st.sampled_from([False, False, False, True]))
    def a_worker_hands_a_result_in(self, data: st.DataObject, cut: bool) -> None:
        job, content = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        table, number = table_of(job.t, content), job.acquisition.id
        before = [one for one in self.catalog.stored_nuclei(number) if one.t != job.t]
        frames = sorted([*before, table], key=lambda one: one.t)
        if cut:
            with mock.patch.object(commits, "_store_state", side_effect=PowerCutError), suppress(PowerCutError):
                self.catalog.commit_timepoint(job, table, update_of(frames), b"s", {})
            self.the_process_dies()
        elif self.catalog.commit_timepoint(job, table, update_of(frames), b"s", {}):
            self.done[(number, job.t)] = content
        self.a_worker_takes_a_job()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), again=st.booleans())
    def a_worker_fails(self, data: st.DataObject, again: bool) -> None:
        job, _ = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        self.catalog.fail_timepoint(job, "something broke", retry=again, pause_s=30)
        with pytest.raises(StaleJobError):
            self.catalog.commit_timepoint(job, table_of(job.t, 1), update_of([]), b"", {})
        self.a_worker_takes_a_job()

    @rule(what=st.sampled_from(["pause", "retry", "crash", "file not scanned"]))
    def something_else_happens(self, what: str) -> None:
        if what == "pause":
            self.clock.pass_seconds(20)
        elif what == "retry":
            self.catalog.retry()
        elif what == "crash":
            self.the_process_dies()
        elif self.sources:  # changed, and only a later scan will see it
            self.contents += 1
            self.sources[min(self.sources)] = self.contents

    def the_process_dies(self) -> None:
        self.catalog.close()
        self.catalog = self.opened()
        self.catalog.requeue_running()
        self.jobs.clear()

    @invariant()
    def every_row_is_of_the_last_commit(self) -> None:
        for row in getattr(self, "rows", []):
            stored = {one.t: sorted(one.table["volume_px"]) for one in self.catalog.stored_nuclei(row.id)}
            expected = {t: [content] * (content % 4) for (owner, t), content in self.done.items() if owner == row.id}
            assert stored == expected

    @invariant()
    def what_is_held_is_running_and_nothing_else(self) -> None:
        running = {
            (row.id, one.t)
            for row in getattr(self, "rows", [])
            for one in self.catalog.timepoints(row.id)
            if one.state is TimepointState.RUNNING
        }
        assert running == {(job.acquisition.id, job.t) for job, _ in getattr(self, "jobs", [])}

    def teardown(self) -> None:
        """Whatever happened: after a last scan and with willing workers, everything gets done from its last content."""
        if not hasattr(self, "catalog"):
            return
        self.the_process_dies()
        for which in range(ACQUISITIONS):
            self.the_folder_is_scanned(which)
        self.catalog.retry()
        self.clock.pass_seconds(60)
        while (job := self.catalog.claim_next()) is not None:
            content = self.sources[(job.acquisition.id, job.t)]
            others = [one for one in self.catalog.stored_nuclei(job.acquisition.id) if one.t != job.t]
            frames = sorted([*others, table_of(job.t, content)], key=lambda one: one.t)
            assert self.catalog.commit_timepoint(job, table_of(job.t, content), update_of(frames), b"s", {})
            self.done[(job.acquisition.id, job.t)] = content
        assert self.done == self.sources
        self.every_row_is_of_the_last_commit()
        for row in self.rows:
            assert all(one.state is TimepointState.DONE for one in self.catalog.timepoints(row.id))
            assert self.catalog.acquisition(row.id).state is not AcquisitionState.SET_ASIDE
        self.catalog.close()
        shutil.rmtree(self.folder)


Queue.TestCase.settings = settings(
    max_examples=14,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking a failure of this size takes minutes and tells little more
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestQueue = Queue.TestCase
