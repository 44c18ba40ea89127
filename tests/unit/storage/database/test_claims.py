"""Claims, one by one: which time points an order is about, and which not."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from cases.stored import Clock, acquisition, nuclei, one_to_one, register

from storage import naming
from storage.database.catalog import Catalog
from storage.errors import StaleJobError
from storage.schema.rows import AcquisitionRow, AnalysedTimepoint
from storage.schema.states import AcquisitionState, TimepointState


def queued(catalog: Catalog, name: str, count: int = 3) -> AcquisitionRow:
    """An acquisition with so many time points."""
    row = register(catalog, acquisition(name=name))
    catalog.add_timepoints(row.id, {t: f"{name} {t}" for t in range(count)})
    return row


def states(catalog: Catalog, row: AcquisitionRow) -> str:
    """One letter per time point: q, r, d, f."""
    return "".join(str(point.state)[0] for point in catalog.timepoints(row.id))


def attempts(catalog: Catalog, row: AcquisitionRow) -> list[int]:
    return [point.attempts for point in catalog.timepoints(row.id)]


def test_a_crash_is_blamed_on_the_one_time_point_that_was_running(catalog: Catalog) -> None:
    first, second = queued(catalog, "a"), queued(catalog, "b")
    job = catalog.claim_next()
    assert job is not None
    assert (job.acquisition.id, job.t) == (first.id, 0)
    for row, t in ((first, 1), (second, 0), (first, 9)):
        assert catalog.blame(row.id, t, "It crashed.", 2) is None
    assert (states(catalog, first), states(catalog, second)) == ("rqq", "qqq")
    assert catalog.blame(first.id, 0, "It crashed.", 2) is TimepointState.QUEUED
    assert catalog.timepoints(first.id)[0].error == "It crashed."
    assert attempts(catalog, first) == [1, 0, 0], "it counts"
    catalog.claim_next()
    assert catalog.blame(first.id, 0, "It crashed.", 2) is TimepointState.FAILED
    assert (states(catalog, first), states(catalog, second)) == ("fqq", "qqq")


def test_an_interruption_counts_no_attempt(catalog: Catalog) -> None:
    row = queued(catalog, "a")
    catalog.claim_next()
    assert attempts(catalog, row) == [1, 0, 0]
    assert tuple(catalog.requeue_running()) == ((row.id, 0),)
    assert (states(catalog, row), attempts(catalog, row)) == ("qqq", [0, 0, 0])
    assert tuple(catalog.requeue_running()) == ()


def test_what_pauses_holds_up_those_after_it_and_no_other_acquisition(catalog: Catalog, clock: Clock) -> None:
    first, second = queued(catalog, "a"), queued(catalog, "b")
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "The share does not answer.", retry=True, pause_s=30)
    other = catalog.claim_next()
    assert other is not None
    assert (other.acquisition.id, other.t) == (second.id, 0), "t = 1 of the first would be out of order"
    clock.pass_seconds(29.9)
    assert catalog.claim_next() is None
    clock.pass_seconds(0.1)
    again = catalog.claim_next()
    assert again is not None
    assert (again.acquisition.id, again.t, again.attempts) == (first.id, 0, 2)


def test_a_failure_that_is_nobodys_fault_counts_no_attempt(catalog: Catalog) -> None:
    row = queued(catalog, "a")
    for counts, expected in ((False, 0), (True, 1), (True, 2)):
        job = catalog.claim_next()
        assert job is not None
        catalog.fail_timepoint(job, "The disk is full.", retry=True, pause_s=0, counts=counts)
        assert attempts(catalog, row) == [expected, 0, 0]


@pytest.mark.parametrize("handed_in", ["fail", "commit"])
def test_only_the_claim_that_counts_can_be_handed_in(catalog: Catalog, handed_in: str) -> None:
    queued(catalog, "a")
    lost = catalog.claim_next()
    assert lost is not None
    catalog.fail_timepoint(lost, "It is taken away.", retry=True, pause_s=0)
    current = catalog.claim_next()
    assert current is not None
    hand_in = {
        "fail": lambda: catalog.fail_timepoint(lost, "Too late.", retry=False, pause_s=0),
        "commit": lambda: catalog.commit_timepoint(lost, nuclei(0), one_to_one(0, 3), b"", {}),
    }[handed_in]
    with pytest.raises(StaleJobError, match="Time point 0 of a is no longer claimed by attempt 1"):
        hand_in()
    catalog.commit_timepoint(current, nuclei(0), one_to_one(0, 3), b"", {})


def test_a_retry_is_about_what_was_set_aside_of_the_acquisition_that_is_named(catalog: Catalog) -> None:
    first, second = queued(catalog, "a", 2), queued(catalog, "b", 2)
    for _ in range(4):
        job = catalog.claim_next()
        assert job is not None
        if job.t == 0:
            catalog.fail_timepoint(job, "It is damaged.", retry=False, pause_s=0)
        else:
            catalog.commit_timepoint(job, nuclei(1), one_to_one(1, 3, first_t=1), b"", {})
    assert (states(catalog, first), states(catalog, second)) == ("fd", "fd")
    assert tuple(catalog.retry(second.id)) == (second.id,)
    assert (states(catalog, first), states(catalog, second)) == ("fd", "qd")
    assert catalog.timepoints(second.id)[0].error is None
    assert attempts(catalog, second)[0] == 0
    assert tuple(catalog.retry()) == (first.id,)
    assert states(catalog, first) == "qd"


def test_what_is_set_aside_whole_is_not_claimed_before_it_is_retried(catalog: Catalog) -> None:
    row, other = queued(catalog, "a"), queued(catalog, "b")
    catalog.set_acquisition_state(row.id, AcquisitionState.SET_ASIDE, "It is not for us.")
    job = catalog.claim_next()
    assert job is not None
    assert job.acquisition.id == other.id
    assert catalog.acquisition(other.id).state is AcquisitionState.PROCESSING
    assert tuple(catalog.retry(row.id)) == (row.id,)
    assert catalog.acquisition(row.id).state is AcquisitionState.QUEUED
    again = catalog.claim_next()
    assert again is not None
    assert again.acquisition.id == row.id


def test_an_acquisition_waits_while_any_of_its_time_points_does(catalog: Catalog) -> None:
    row, other = queued(catalog, "a", 1), queued(catalog, "b", 1)
    assert catalog.is_waiting(row.id)
    job = catalog.claim_next()
    assert job is not None
    assert catalog.is_waiting(row.id)
    catalog.fail_timepoint(job, "It is damaged.", retry=False, pause_s=0)
    assert not catalog.is_waiting(row.id)
    assert catalog.is_waiting(other.id)


def test_a_kept_result_that_is_given_back_is_forgotten_and_no_other(catalog: Catalog) -> None:
    row, other = queued(catalog, "a"), queued(catalog, "b")
    jobs = [catalog.claim_next(3) for _ in range(6)]
    for job in jobs:
        assert job is not None
        catalog.keep(AnalysedTimepoint(job, nuclei(job.t), {}, {}))
    given = jobs[1]
    assert given is not None
    assert (given.acquisition.id, given.t) == (row.id, 1)
    catalog.fail_timepoint(given, "It failed.", retry=True, pause_s=0)
    assert (states(catalog, row), states(catalog, other)) == ("aqa", "aaa")
    path = naming.sqlite_path(catalog.url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT acquisition_id, t FROM analysed_timepoints ORDER BY 1, 2").fetchall()
    assert kept == [(row.id, 0), (row.id, 2), (other.id, 0), (other.id, 1), (other.id, 2)]


def test_so_many_results_wait_for_one_before_them_and_no_more(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the tracker has gone past wait for nothing but tracks made anew: they hold nothing up."""
    monkeypatch.setattr("storage.database.claims._AHEAD", 2)
    row = queued(catalog, "a", 6)
    first = catalog.claim_next(2)
    assert first is not None
    for t in (1, 2):
        job = catalog.claim_next(2)
        assert job is not None
        assert job.t == t
        catalog.keep(AnalysedTimepoint(job, nuclei(t), {}, {}))
    assert catalog.claim_next(2) is None
    catalog.commit_timepoint(first, nuclei(0), one_to_one(0, 3), b"", {})
    assert catalog.claim_next(2) is None, "both still wait: they are committed first"
    kept = catalog.next_kept(row.id)
    assert kept is not None
    catalog.commit_timepoint(kept.job, kept.nuclei, one_to_one(1, 3), b"", {})
    job = catalog.claim_next(2)
    assert job is not None
    assert (job.t, states(catalog, row)) == (3, "ddarqq")


@pytest.mark.parametrize(
    ("count", "said"),
    [(3, "time point 2 failed (It is damaged.)."), (4, "1 more failed."), (5, "2 more failed.")],
)
def test_a_partial_acquisition_names_three_of_its_faults_and_counts_the_others(
    catalog: Catalog, count: int, said: str
) -> None:
    row = queued(catalog, "a", count + 1)
    for _ in range(count):
        job = catalog.claim_next()
        assert job is not None
        catalog.fail_timepoint(job, "It is damaged.", retry=False, pause_s=0)
    job = catalog.claim_next()
    assert job is not None
    catalog.commit_timepoint(job, nuclei(count), one_to_one(count, 3, first_t=count), b"", {})
    catalog.mark_painted(row.id, count)
    told = catalog.complete_acquisition(row.id).error or ""
    assert told.startswith("time point 0 failed (It is damaged.); time point 1 failed (It is damaged.); ")
    assert told.endswith(said)
    assert told.count("damaged") == 3


def test_a_late_answer_of_one_who_was_given_up_changes_nothing(catalog: Catalog) -> None:
    """Also where the number of attempts is the same again, as a kill counts none."""
    row = queued(catalog, "a")
    late = catalog.claim_next()
    assert late is not None
    catalog.fail_timepoint(late, "The worker was killed.", retry=True, pause_s=0, counts=False)
    job = catalog.claim_next()
    assert job is not None
    assert (job.t, job.attempts) == (late.t, late.attempts)
    found = nuclei(0)
    for refused in (
        lambda: catalog.keep(AnalysedTimepoint(late, found, {}, {})),
        lambda: catalog.commit_timepoint(late, found, one_to_one(0, 3), b""),
        lambda: catalog.fail_timepoint(late, "It failed.", retry=False),
    ):
        with pytest.raises(StaleJobError, match="no longer claimed"):
            refused()
    assert states(catalog, row) == "rqq"
    assert catalog.commit_timepoint(job, found, one_to_one(0, 3), b"")
    assert states(catalog, row) == "dqq"
    with pytest.raises(StaleJobError):
        catalog.commit_timepoint(late, found, one_to_one(0, 3), b"")
