"""How far a commit reaches: to all that it speaks of, to no other row, and whoever follows is told just that.

Beside the acquisition there is always another one, with the same time points, labels and track ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases.stored import NO_UPDATE, acquisition, nuclei, one_to_one, register, work_off
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.database import records
from storage.database.catalog import Catalog
from storage.errors import StorageError
from storage.schema.columns import metadata
from storage.schema.rows import AcquisitionRow, TimepointJob
from storage.schema.states import AcquisitionState
from storage.schema.tables import plain_labels, tracker_states
from tracking.doubts.told import NO_FAULT, FrameDoubts
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

LABELS = np.array([1, 2, 3])


def rows(catalog: Catalog, table: str, acquisition_id: int, *columns: str) -> list[tuple[Any, ...]]:
    """Of one acquisition, in the order in which they were written."""
    known = metadata.tables[table]
    key = known.c.acquisition_id if "acquisition_id" in known.c else known.c.id
    query = select(*(known.c[name] for name in columns or known.c.keys())).where(key == acquisition_id)
    with catalog._transaction() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(*known.primary_key.columns))]


def everything(catalog: Catalog, acquisition_id: int) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of an acquisition."""
    tables = [name for name, table in metadata.tables.items() if "acquisition_id" in table.c]
    return {name: rows(catalog, name, acquisition_id) for name in (*tables, "acquisitions")}


def plain_block(catalog: Catalog, acquisition_id: int, t: int) -> None:
    """Voxels that a correction replaced."""
    names = ("z0", "y0", "x0", "size_z", "size_y", "size_x")
    values = {"acquisition_id": acquisition_id, "t": t, "labels": b"", **dict.fromkeys(names, 1)}
    with catalog._transaction() as connection:
        connection.execute(insert(plain_labels).values(values))


@pytest.fixture
def row(catalog: Catalog) -> Iterator[AcquisitionRow]:
    """With two time points that wait; the other one has all that it can have, and keeps it."""
    other = register(catalog, acquisition(name="other"))
    catalog.add_timepoints(other.id, {0: "a", 1: "b"})
    work_off(catalog, lambda job: (nuclei(job.t), with_doubts(one_to_one(job.t, 3), doubts(job.t, 0.5, 0.5, 0.5))))
    for t in (0, 1):
        catalog.mark_published(other.id, t)
        catalog.mark_painted(other.id, t)
        plain_block(catalog, other.id, t)
    before = everything(catalog, other.id)
    own = register(catalog)
    catalog.add_timepoints(own.id, {0: "a", 1: "b"})
    yield own
    assert everything(catalog, other.id) == before


def claimed(catalog: Catalog) -> TimepointJob:
    job = catalog.claim_next()
    assert job is not None
    return job


def frame(t: int, *ids: int, final: bool = False) -> FrameTracks:
    return FrameTracks(t, LABELS[: len(ids)], np.array(ids, int), final)


def track(number: int, first_t: int, last_t: int, final: bool = False, parent: int | None = None) -> Track:
    return Track(number, parent, first_t, last_t, last_t - first_t + 1, final, None)


def doubts(t: int, *values: float) -> FrameDoubts:
    none = np.full(len(values), np.nan)
    return FrameDoubts(t, LABELS[: len(values)], np.array(values), np.full(len(values), NO_FAULT), none, none)


def with_doubts(update: TrackUpdate, *said: FrameDoubts) -> TrackUpdate:
    return replace(update, doubts=said)


def commit(catalog: Catalog, update: TrackUpdate, state: bytes = b"s") -> int:
    """The next time point that waits."""
    job = claimed(catalog)
    assert catalog.commit_timepoint(job, nuclei(job.t), update, state)
    return job.t


def told(catalog: Catalog, row: AcquisitionRow) -> list[tuple[Any, ...]]:
    """Events: kind, time point, facts."""
    return rows(catalog, "events", row.id, "kind", "t", "facts")


def ids(catalog: Catalog, row: AcquisitionRow) -> dict[tuple[int, int], int | None]:
    return {(t, label): track_id for t, label, track_id in rows(catalog, "nuclei", row.id, "t", "label", "track_id")}


FIRST = TrackUpdate((frame(0, 11, 12, 13),), tuple(track(n, 0, 0) for n in (11, 12, 13)), ())


def test_what_is_told_of_a_commit_is_what_it_changed(catalog: Catalog, row: AcquisitionRow) -> None:
    commit(catalog, FIRST)
    assert rows(catalog, "tracker_states", row.id, "t", "state") == [(0, b"s")]
    grown = (track(11, 0, 1), track(12, 0, 1), track(20, 0, 1))
    commit(catalog, TrackUpdate((frame(0, 11, 12, 20), frame(1, 11, 12, 20)), grown, (13,)), b"later")
    assert told(catalog, row) == [
        ("timepoint", 0, {"born": [[11, 0], [12, 0], [13, 0]]}),
        ("timepoint", 1, {"born": [[20, 0]], "not_born": [[13, 0]], "renewed": [0]}),
    ]
    expected = {(t, label): number for t in (0, 1) for label, number in ((1, 11), (2, 12), (3, 20))}
    assert ids(catalog, row) == expected
    assert [number for (number,) in rows(catalog, "tracks", row.id, "track_id")] == [11, 12, 20]
    assert rows(catalog, "tracker_states", row.id, "t", "state") == [(1, b"later")]


def test_a_time_point_that_only_became_final_is_not_told_as_renewed(catalog: Catalog, row: AcquisitionRow) -> None:
    commit(catalog, FIRST)
    catalog.mark_painted(row.id, 0)
    tracks = (track(11, 0, 1), track(12, 0, 1), track(13, 0, 0, final=True))
    commit(catalog, TrackUpdate((frame(0, 11, 12, 13, final=True), frame(1, 11, 12)), tracks, ()))
    assert told(catalog, row)[-1] == ("timepoint", 1, {"ended": [[13, 0]], "final": [13]})
    assert rows(catalog, "timepoints", row.id, "tracks_final", "painted_at") == [(True, None), (False, None)]


def test_a_track_that_goes_on_up_to_the_last_time_point_did_not_end(catalog: Catalog, row: AcquisitionRow) -> None:
    """Nor did one whose end was told before."""
    ended = track(13, 0, 0, final=True)
    commit(catalog, replace(FIRST, tracks=(*FIRST.tracks[:2], ended)))
    commit(catalog, TrackUpdate((frame(1, 11, 12),), (track(11, 0, 1), track(12, 0, 1)), ()))
    assert "ended" not in (told(catalog, row)[0][2])
    done = TrackUpdate((), (track(11, 0, 1, final=True), track(12, 0, 0, final=True), ended), ())
    catalog.finalise_tracks(row.id, done, b"end")
    kind, t, facts = told(catalog, row)[-1]
    assert (kind, t) == ("tracks", None)
    assert facts["ended"] == [[12, 0]]
    assert rows(catalog, "tracker_states", row.id, "t", "state") == [(1, b"end")]


def test_a_frame_without_nuclei_has_none_to_rename(catalog: Catalog, row: AcquisitionRow) -> None:
    job = claimed(catalog)
    assert catalog.commit_timepoint(job, nuclei(0, 0), NO_UPDATE, b"s")
    commit(catalog, TrackUpdate((frame(0, final=True), frame(1, 11, 12, 13)), tuple(track(n, 1, 1) for n in ()), ()))
    assert told(catalog, row)[-1][2] is None
    assert rows(catalog, "timepoints", row.id, "tracks_final") == [(True,), (False,)]


def test_doubts_are_written_for_the_nuclei_that_are_doubted_and_no_others(
    catalog: Catalog, row: AcquisitionRow
) -> None:
    commit(catalog, with_doubts(FIRST, doubts(0, 0.1, 0.2, 0.3)))
    update = TrackUpdate((frame(1, 11, 12, 13),), tuple(track(n, 0, 1) for n in (11, 12, 13)), ())
    later = FrameDoubts(0, np.array([2]), np.array([0.9]), np.array([2]), np.array([0.4]), np.array([np.nan]))
    commit(catalog, with_doubts(update, later, doubts(1, 0.5, 0.6, 0.7)))
    found = rows(catalog, "nuclei", row.id, "t", "label", "doubt", "doubt_kind", "link_doubt", "end_doubt")
    assert [one[:3] for one in found] == [
        (0, 1, 0.1), (0, 2, 0.9), (0, 3, 0.3), (1, 1, 0.5), (1, 2, 0.6), (1, 3, 0.7)
    ]  # fmt: skip
    assert [one[3:] for one in found] == [(None,) * 3, ("several", 0.4, None), *[(None,) * 3] * 4]


def test_tracks_become_final_with_all_that_is_told_and_not_before_all_is_done(
    catalog: Catalog, row: AcquisitionRow
) -> None:
    commit(catalog, FIRST)
    with pytest.raises(StorageError, match="cannot be finished: time point 1 is not done"):
        catalog.finalise_tracks(row.id, NO_UPDATE, b"end")
    commit(catalog, TrackUpdate((frame(1, 11, 12),), (track(11, 0, 1), track(12, 0, 1)), ()))
    before = told(catalog, row)
    catalog.finalise_tracks(row.id, NO_UPDATE, b"end")
    assert told(catalog, row) == before, "nothing changed"
    tracks = (track(11, 0, 1, final=True), track(12, 0, 1, final=True), track(13, 0, 0, final=True))
    frames = (frame(0, 11, 13, 12, final=True), frame(1, 11, 12, final=True))
    catalog.finalise_tracks(row.id, TrackUpdate(frames, tracks, ()), b"end")
    assert told(catalog, row)[-1] == ("tracks", None, {"ended": [[13, 0]], "final": [11, 12, 13], "renewed": [0]})
    assert rows(catalog, "timepoints", row.id, "tracks_final") == [(True,), (True,)]


def test_tracks_that_begin_anew_leave_nothing_of_the_former_ones(catalog: Catalog, row: AcquisitionRow) -> None:
    update = TrackUpdate((frame(1, 11, 12, 13, final=True),), tuple(track(n, 0, 1) for n in (11, 12, 13)), ())
    commit(catalog, replace(FIRST, frames=(frame(0, 11, 12, 13, final=True),)))
    commit(catalog, update)
    for t in (0, 1):
        plain_block(catalog, row.id, t)
        catalog.mark_published(row.id, t)
        catalog.mark_painted(row.id, t)
    catalog.add_timepoints(row.id, {0: "changed"})
    assert commit(catalog, TrackUpdate((frame(0, 21, 22, 23),), tuple(track(n, 0, 0) for n in (21, 22, 23)), ())) == 0
    new = {(0, 1): 21, (0, 2): 22, (0, 3): 23, (1, 1): None, (1, 2): None, (1, 3): None}
    assert ids(catalog, row) == new
    assert [number for (number,) in rows(catalog, "tracks", row.id, "track_id")] == [21, 22, 23]
    assert rows(catalog, "timepoints", row.id, "tracks_final", "painted_at") == [(False, None)] * 2
    assert rows(catalog, "tracker_states", row.id, "t") == [(1,)], "it had seen them"
    assert rows(catalog, "plain_labels", row.id, "t") == [(1,)], "the labels of the other are new"


def test_the_end_is_told_with_its_reason(catalog: Catalog, row: AcquisitionRow) -> None:
    catalog.fail_timepoint(claimed(catalog), "It is damaged.", retry=False)
    catalog.fail_timepoint(claimed(catalog), "It is too.", retry=False)
    assert catalog.complete_acquisition(row.id).state is AcquisitionState.SET_ASIDE
    assert told(catalog, row) == [("finished", None, {"state": "set_aside", "reason": "It is damaged."})]


@pytest.mark.parametrize(
    ("first_number", "there", "state", "error"),
    [
        (None, (), AcquisitionState.SET_ASIDE, "It has no time points."),
        (None, (1, 2), AcquisitionState.PARTIAL, "1 never arrived (the first is 0)."),
        (None, (0, 1, 2), AcquisitionState.COMPLETE, None),
        (None, (0, 1, 2, 5), AcquisitionState.PARTIAL, "2 never arrived (the first is 3)."),  # beyond what was declared
        (1, (1, 2), AcquisitionState.COMPLETE, None),  # a series may begin with any number
        (1, (0, 2), AcquisitionState.PARTIAL, "1 never arrived (the first is 2)."),
        (7, (0, 1), AcquisitionState.PARTIAL, "1 never arrived (the first is 9)."),
    ],
)
def test_what_is_missing_is_told_by_the_numbers_of_its_files(
    catalog: Catalog, first_number: int | None, there: tuple[int, ...], state: AcquisitionState, error: str | None
) -> None:
    row = register(catalog, replace(acquisition(), first_number=first_number))
    catalog.add_timepoints(row.id, dict.fromkeys(there, "a"))
    work_off(catalog)
    for t in there:
        catalog.mark_painted(row.id, t)
    finished = catalog.complete_acquisition(row.id)
    assert (finished.state, finished.error) == (state, error)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_records_replace_those_with_their_key_in_the_words_of_the_server(dialect: Any) -> None:
    said: list[str] = []

    def execute(statement: Any, records: list[dict[str, Any]]) -> None:
        said.append(str(statement.compile(dialect=dialect)))

    connection: Any = SimpleNamespace(dialect=dialect, execute=execute)
    records.upsert(connection, tracker_states, [{"acquisition_id": 1, "t": 2, "state": b""}], ("acquisition_id",))
    assert said[0].endswith("ON CONFLICT (acquisition_id) DO UPDATE SET t = excluded.t, state = excluded.state")
