"""A table of positions in, the same rows with tracks out: what `nusetd track` does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from nuset_engine.arrays import FloatsN, IntsN, RowsN
from nuset_engine.nuclei import Nuclei
from tracking.errors import TrackingError
from tracking.graph import Track, TrackGraph
from tracking.params import TrackingParams
from tracking.tracker import Tracker, TrackUpdate

SIZE_COLUMNS = ("equivalent_diameter_um", "diameter_um", "diameter")
"""Columns that are taken as a diameter, best first."""
EVIDENCE_COLUMNS = ("volume_um3", "area_um2", "intensity_mean", "elongation")
"""Columns of the nuclei table that are used under their own name."""
USED_COLUMNS = ("t", "z", "y", "x", *SIZE_COLUMNS, *EVIDENCE_COLUMNS)
RESULT_COLUMNS = ("track_id", "parent_track_id")
LARGEST = 1e12
"""Time points and positions beyond this are no frames and no micrometres, but mistakes."""


def track_table(
    table: pd.DataFrame,
    params: TrackingParams | None = None,
    progress: Callable[[int, int], None] | None = None,
    step: int = 1,
) -> pd.DataFrame:
    """Track the nuclei of a table.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per nucleus in any order: t (whole numbers), z, y, x in micrometres (or y, x alone), and, where there
        are any, `SIZE_COLUMNS` and `EVIDENCE_COLUMNS`. Other columns pass through.
    params : TrackingParams, optional
    progress : callable, optional
        Called with the number of time points done and of all.
    step : int
        From one time point to the next, see `tracking.steps`.

    Returns
    -------
    pandas.DataFrame
        The same rows in the same order with track_id (int64) and parent_track_id (Int64, missing for tracks without
        parent) at the end, in place of columns of these names.

    Raises
    ------
    TrackingError
        If a column is missing, holds something else than numbers, or lacks values.
    """
    axes = _checked(table)
    columns: dict[str, FloatsN] = {
        name: table[source].to_numpy(np.float64) for name, source in _evidence(table).items()
    }
    positions = table[list(axes)].to_numpy(np.float64)
    times = table["t"].to_numpy(np.float64).astype(np.int64)
    points = np.unique(times)
    tracker = Tracker(params, step)
    track_ids = np.zeros(len(table), np.int64)
    tracks: dict[int, Track] = {}
    order = np.argsort(times, kind="stable")
    first, last = np.searchsorted(times[order], points), np.searchsorted(times[order], points, side="right")
    rows_at = {t: order[a:b] for t, a, b in zip(points.tolist(), first.tolist(), last.tolist(), strict=True)}
    for done, (t, rows) in enumerate(rows_at.items(), start=1):
        known = {name: value[rows] for name, value in columns.items()}
        nuclei = Nuclei.from_positions(t, positions[rows], "um", **known)
        _take(tracker.advance(nuclei), rows_at, track_ids, tracks)
        if progress is not None:
            progress(done, len(points))
    _take(tracker.finish(), rows_at, track_ids, tracks)
    TrackGraph(tracks.values())
    result = table.drop(columns=[name for name in RESULT_COLUMNS if name in table.columns])
    parents = {track_id: track.parent_track_id for track_id, track in tracks.items()}
    result["track_id"] = track_ids
    result["parent_track_id"] = pd.array([parents[i] for i in track_ids.tolist()], dtype="Int64")
    return result


def _take(update: TrackUpdate, rows_at: dict[int, RowsN], track_ids: IntsN, tracks: dict[int, Track]) -> None:
    """Enter what a step changed; labels count rows of their time point from 1."""
    for frame in update.frames:
        track_ids[rows_at[frame.t][frame.labels - 1]] = frame.track_ids
    tracks.update({track.track_id: track for track in update.tracks})
    for track_id in update.removed_tracks:
        tracks.pop(track_id, None)


def _evidence(table: pd.DataFrame) -> dict[str, str]:
    """Columns of nuclei that the table offers: name of each in `Nuclei`, and here."""
    found = {name: name for name in EVIDENCE_COLUMNS if name in table.columns}
    size = next((name for name in SIZE_COLUMNS if name in table.columns), None)
    if size is not None:
        found["equivalent_diameter_um"] = size
    return {name: source for name, source in found.items() if pd.api.types.is_numeric_dtype(table[source])}


def _checked(table: pd.DataFrame) -> tuple[str, ...]:
    """The position columns of a table, which is fit to be tracked."""
    missing = [name for name in ("t", "y", "x") if name not in table.columns]
    if missing:
        raise TrackingError(
            f"The table has no column {', '.join(missing)}; it needs t, y, x and, for volumes, z (in micrometres)."
        )
    axes = ("z", "y", "x") if "z" in table.columns else ("y", "x")
    for name in ("t", *axes):
        if not pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name]):
            raise TrackingError(f"Column {name} holds something that is not a number; correct or remove those rows.")
    values = table[["t", *axes]].to_numpy(np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise TrackingError(
            f"{len(bad)} rows have no finite {', '.join(('t', *axes))} (the first is row {bad[0] + 1} below the "
            "header); remove them or fill in their values."
        )
    far = np.flatnonzero((np.abs(values) > LARGEST).any(axis=1))
    if len(far):
        raise TrackingError(
            f"Row {far[0] + 1} below the header holds a number beyond {LARGEST:g} in {', '.join(('t', *axes))}; "
            "give frames and micrometres."
        )
    if (values[:, 0] != np.round(values[:, 0])).any():
        raise TrackingError("Column t holds fractions; give time points as whole numbers (frames, not seconds).")
    return axes
