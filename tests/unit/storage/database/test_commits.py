"""What one commit leaves behind, and what a late or changed time point does to it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cases.stored import acquisition, nuclei, one_to_one, register, work_off

from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.database.catalog import Catalog
from storage.database.records import plain, plain_column
from storage.database.renewal.replay import merged, replay
from storage.database.renewal.staged_tracks import pieces
from storage.errors import StorageError
from storage.query.snapshots import snapshot
from storage.schema.rows import AnalysedTimepoint, TimepointJob
from tracking.doubts.told import FrameDoubts
from tracking.graph import Track
from tracking.params import TrackingParams
from tracking.tracker import FrameTracks, Tracker, TrackUpdate


def raw(catalog: Catalog, sql: str) -> list[tuple]:
    """What another program sees in the database."""
    path = naming.sqlite_path(catalog.url)
    assert path is not None
    connection = sqlite3.connect(path)
    rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


def claimed(catalog: Catalog) -> TimepointJob:
    job = catalog.claim_next()
    assert job is not None
    return job


def test_rows_come_back_exactly_as_they_were(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    columns = {"channel_1_mean": np.array([1.5, np.nan]), "gap_bridged": np.array([True, False]), "note": ["a", "b"]}
    full = Nuclei.from_positions(0, np.array([[0.1, 1 / 3, 1e-300], [4.0, 5.0, np.pi]]), **columns)
    tables = {0: full, 1: Nuclei.empty(1)}
    work_off(catalog, lambda job: (tables[job.t], TrackUpdate((), (), ())))
    stored = list(catalog.stored_nuclei(row.id))
    assert [one.t for one in stored] == [0, 1]
    for one in stored:
        pd.testing.assert_frame_equal(one.table, tables[one.t].table, check_exact=True)


def test_pixels_stay_pixels(catalog: Catalog) -> None:
    row = register(catalog, acquisition(voxel=False))
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog, lambda job: (Nuclei.from_positions(0, np.ones((2, 3)), unit="px"), TrackUpdate((), (), ())))
    assert next(catalog.stored_nuclei(row.id)).unit == "px"
    assert raw(catalog, "SELECT centroid_z_um, centroid_z_px FROM nuclei") == [(None, 1.0), (None, 1.0)]


def test_no_numpy_number_becomes_a_blob(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    columns = ["label", "track_id", "score", "centroid_z_um", "volume_px", "slices_seen", "gap_bridged"]
    kinds = raw(catalog, "SELECT " + ", ".join(f"typeof({name})" for name in columns) + " FROM nuclei")
    assert set(kinds) == {("integer", "integer", "real", "real", "integer", "integer", "integer")}
    kinds = raw(catalog, "SELECT typeof(track_id), typeof(first_t), typeof(is_final) FROM tracks")
    assert set(kinds) == {("integer", "integer", "integer")}


def test_the_unknown_is_null_and_not_nan(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    assert set(raw(catalog, "SELECT area_um2, intensity_mean FROM nuclei")) == {(None, None)}


@pytest.mark.parametrize("value", [np.int64(3), np.float32(0.5), np.bool_(True), "x", None, 7])
def test_plain_values_are_python_values(value: object) -> None:
    assert type(plain(value)) in (int, float, bool, str, type(None))


def test_what_cannot_be_stored_is_refused() -> None:
    assert plain(float("nan")) is None
    assert plain_column(pd.Series([1.0, np.nan])) == [1.0, None]
    with pytest.raises(StorageError, match="cannot be stored"):
        plain(object())
    with pytest.raises(StorageError, match="cannot be stored"):
        plain_column(pd.Series([object()]))


def test_parameters_that_json_cannot_say_are_refused(catalog: Catalog) -> None:
    with pytest.raises(StorageError, match="JSON"):
        register(catalog, threshold=float("nan"))
    assert catalog.acquisitions() == []


def test_a_commit_counts_and_keeps_timings(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    job = claimed(catalog)
    catalog.commit_timepoint(job, nuclei(0, 4), one_to_one(0, 4), b"s", {"segment_s": np.float32(0.25)})
    done = catalog.timepoints(row.id)[0]
    assert (done.nuclei_count, done.timings) == (4, {"segment_s": 0.25})
    assert raw(catalog, "SELECT label, track_id FROM nuclei") == [(1, 11), (2, 12), (3, 13), (4, 14)]


def test_a_commit_that_fails_half_way_leaves_nothing(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    job = claimed(catalog)
    broken = replace(one_to_one(0, 3), tracks=(Track(1, None, 0, 0, None, True, None),))  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        catalog.commit_timepoint(job, nuclei(0), broken, b"s", {})
    assert raw(catalog, "SELECT count(*) FROM nuclei") == [(0,)]
    assert catalog.tracker_state(row.id) is None
    assert str(catalog.timepoints(row.id)[0].state) == "running"
    assert catalog.commit_timepoint(job, nuclei(0), one_to_one(0, 3), b"s", {})


def test_nuclei_of_another_time_point_are_refused(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    with pytest.raises(StorageError, match="time point 5 were handed in for time point 0"):
        catalog.commit_timepoint(claimed(catalog), nuclei(5), one_to_one(5, 3), b"", {})


def test_earlier_frames_change_with_the_commit_that_changes_them(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    catalog.commit_timepoint(claimed(catalog), nuclei(0), one_to_one(0, 3, is_final=False), b"", {})
    assert catalog.unpainted() == []
    labels = np.array([1, 2, 3])
    update = TrackUpdate(
        frames=(
            FrameTracks(0, labels, np.array([11, 12, 20]), True),
            FrameTracks(1, labels, np.array([11, 12, 20]), False),
        ),
        tracks=(Track(11, None, 0, 1, 2, False, None), Track(20, 11, 0, 1, 2, False, 0.5)),
        removed_tracks=(13,),
    )
    catalog.commit_timepoint(claimed(catalog), nuclei(1), update, b"", {})
    assert raw(catalog, "SELECT t, label, track_id FROM nuclei WHERE label = 3") == [(0, 3, 20), (1, 3, 20)]
    known = raw(catalog, "SELECT track_id, parent_track_id, last_t, division_score FROM tracks ORDER BY track_id")
    assert known == [(11, None, 1, None), (12, None, 0, None), (20, 11, 1, 0.5)]
    assert catalog.unpainted() == [(row.id, 0)]
    assert catalog.unpainted_final(row.id) == [(0, {1: 11, 2: 12, 3: 20})]


def test_marks_tell_what_readers_have_not_seen(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    work_off(catalog)
    assert catalog.all_unpublished() == [(row.id, 0), (row.id, 1)]
    catalog.mark_published(row.id, 0)
    catalog.mark_painted(row.id, 1)
    assert catalog.all_unpublished() == [(row.id, 1)]
    assert catalog.all_unpublished() == [(row.id, 1)]
    assert [t for t, _ in catalog.unpainted_final(row.id)] == [0]


def test_a_source_that_changes_while_it_is_processed_is_done_again(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "old"})
    job = claimed(catalog)
    assert catalog.add_timepoints(row.id, {0: "new"}) == (0,)
    assert catalog.commit_timepoint(job, nuclei(0), one_to_one(0, 3), b"s", {}) is False
    assert raw(catalog, "SELECT count(*) FROM nuclei") == [(0,)]
    again = claimed(catalog)
    assert (again.fingerprint, again.attempts) == ("new", 1)


def test_old_rows_stay_until_the_new_ones_replace_them(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "old"})
    work_off(catalog)
    catalog.mark_published(row.id, 0)
    catalog.add_timepoints(row.id, {0: "new"})
    assert raw(catalog, "SELECT count(*) FROM nuclei") == [(3,)]
    job = claimed(catalog)
    assert job.needs_replay
    catalog.commit_timepoint(job, nuclei(0, 2), one_to_one(0, 2), b"s", {})
    assert raw(catalog, "SELECT count(*) FROM nuclei") == [(2,)]
    assert raw(catalog, "SELECT count(*) FROM tracks") == [(2,)]
    assert catalog.all_unpublished() == [(row.id, 0)]


def test_a_merged_update_says_what_the_single_ones_leave_behind() -> None:
    first, second = one_to_one(0, 3, is_final=False), replace(one_to_one(1, 2), removed_tracks=(13,))
    update = merged([first, second])
    assert [frame.t for frame in update.frames] == [0, 1]
    assert [(track.track_id, track.last_t) for track in update.tracks] == [(11, 1), (12, 1)]
    assert update.removed_tracks == ()


def renew(catalog: Catalog, acquisition_id: int, params: TrackingParams) -> None:
    """Make the tracks of an acquisition anew."""
    assert catalog.wants_replay(acquisition_id)
    with snapshot(catalog.url) as connection:
        replayed = replay(connection, acquisition_id, params)
    while not catalog.clear_staged(acquisition_id):
        pass
    for piece in pieces(acquisition_id, replayed):
        catalog.stage(acquisition_id, piece)
    catalog.make_current(acquisition_id, replayed)


def test_out_of_order_arrival_ends_like_arrival_in_order(catalog: Catalog) -> None:
    """Time points 0 1 2 3 4 in order, and 0 2 4 3 1 with tracks rebuilt, leave equal rows and tracks."""
    params = TrackingParams()
    rows = [register(catalog, acquisition(name=name)) for name in ("ordered", "shuffled")]

    def process(acquisition_id: int, t: int) -> None:
        catalog.add_timepoints(acquisition_id, {t: "x"})
        job, table = claimed(catalog), nuclei(t, 4, shift=0.5 * t)
        if job.needs_replay:
            catalog.keep(AnalysedTimepoint(job, table, {}, {}))
            renew(catalog, acquisition_id, params)
            return
        saved = catalog.tracker_state(acquisition_id)
        tracker = Tracker(params) if saved is None else Tracker.from_state(saved, params)
        update, state = tracker.advance(table), tracker.state()
        catalog.commit_timepoint(job, table, update, state, {})

    for t in (0, 1, 2, 3, 4):
        process(rows[0].id, t)
    for t in (0, 2, 4, 3, 1):
        process(rows[1].id, t)
    columns = {"nuclei": "t, label, track_id", "tracks": "track_id, parent_track_id, first_t, last_t, is_final"}
    for table, names in columns.items():
        first, second = (
            raw(catalog, f"SELECT {names} FROM {table} WHERE acquisition_id = {row.id} ORDER BY {names}")
            for row in rows
        )
        assert first == second
        assert first
    assert catalog.tracker_state(rows[0].id) == catalog.tracker_state(rows[1].id)


def test_a_kept_result_is_gone_with_its_commit_and_no_other(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b", 2: "c"})
    jobs = [catalog.claim_next(3) for _ in range(3)]
    for job in jobs[1:]:
        assert job is not None
        catalog.keep(AnalysedTimepoint(job, nuclei(job.t), {}, {}))
    for t, job in enumerate(jobs[:2]):
        assert job is not None
        assert catalog.commit_timepoint(job, nuclei(t), one_to_one(t, 3), b"s", {})
    assert raw(catalog, "SELECT t FROM analysed_timepoints") == [(2,)]
    assert raw(catalog, "SELECT DISTINCT t FROM analysed_nuclei") == [(2,)]


def test_a_commit_that_says_nothing_of_tracks_makes_none_final_or_visible(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    catalog.commit_timepoint(claimed(catalog), nuclei(0), TrackUpdate((), (), ()), b"", {}, {"signal": 2.0})
    found = raw(
        catalog,
        "SELECT state, error, nuclei_count, tracks_final, published_at, painted_at, result_fingerprint, quality, "
        "completed_at IS NOT NULL, result_version IS NOT NULL FROM timepoints",
    )
    assert found == [("done", None, 3, 0, None, None, "a", '{"signal": 2.0}', 1, 1)]


@pytest.mark.parametrize("t", [0, 1])
def test_track_ids_that_fit_no_nuclei_are_refused(catalog: Catalog, t: int) -> None:
    """Of the time point itself, and of one before it."""
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    catalog.commit_timepoint(claimed(catalog), nuclei(0), one_to_one(0, 3), b"", {})
    odd = TrackUpdate((FrameTracks(t, np.array([1, 2, 3]), np.array([11, 12]), True),), (), ())
    with pytest.raises(ValueError, match="shorter"):
        catalog.commit_timepoint(claimed(catalog), nuclei(1), odd, b"", {})
    assert raw(catalog, "SELECT DISTINCT t FROM nuclei") == [(0,)]


def test_doubts_are_rows_with_their_nuclei_and_change_with_the_commit_that_changes_them(catalog: Catalog) -> None:
    """In whatever order they are said, and of whom nothing is said nothing is known."""
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    nan = np.nan
    first = FrameDoubts(0, *map(np.array, ([3, 1], [0.7, 0.01], [2, -1], [nan, 0.2], [0.4, nan])))
    catalog.commit_timepoint(claimed(catalog), nuclei(0), replace(one_to_one(0, 3), doubts=(first,)), b"", {})
    query = "SELECT t, label, doubt, doubt_kind, link_doubt, end_doubt FROM nuclei ORDER BY t, label"
    told = [(0, 1, 0.01, None, 0.2, None), (0, 2, None, None, None, None), (0, 3, 0.7, "several", None, 0.4)]
    assert raw(catalog, query) == told
    later = FrameDoubts(0, *map(np.array, ([1], [0.9], [0], [0.3], [nan])))
    new = FrameDoubts(1, *map(np.array, ([1, 2, 3], [0.1, 0.2, 0.3], [-1, -1, -1], [0.4, 0.5, 0.6], [nan] * 3)))
    catalog.commit_timepoint(claimed(catalog), nuclei(1), replace(one_to_one(1, 3), doubts=(later, new)), b"", {})
    now = [(1, n, n / 10, None, round(0.3 + n / 10, 1), None) for n in (1, 2, 3)]
    assert raw(catalog, query) == [(0, 1, 0.9, "false", 0.3, None), *told[1:], *now]
