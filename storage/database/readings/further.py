"""What a known acquisition becomes when more of it, or the same of it, is found: facts that stay, add up, or change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from storage.description import Description
from storage.query.sentences import first_of_kinds
from storage.schema.states import AcquisitionState
from storage.schema.tables import timepoints, tracks

_MOST_DOUBTS = 20  # sentences of one acquisition that are kept


def values(row: RowMapping, found: Mapping[str, Any], acquisition: Description) -> dict[str, Any]:
    """Return what is to be written of an acquisition besides what was found in its latest files.

    Files of a series are found one after the other: what only some of them say counts for all.
    """
    start, before = acquisition.first_number, row["first_number"]
    kept: dict[str, Any] = {"size_t": max(found["size_t"], row["size_t"] or 0)}
    kept["first_number"] = before if start is None else start - acquisition.shift_from(before)
    if row["state"] == AcquisitionState.COMPLETE.value:
        kept["error"] = None  # of a look that failed meanwhile, or of a command that was refused
    if before is None:
        return kept
    kept["doubts"] = first_of_kinds([*(row["doubts"] or ()), *(found["doubts"] or ())])[:_MOST_DOUBTS] or None
    if found["frame_interval_s"] is None and row["frame_interval_s"] is not None:
        kept |= {name: row[name] for name in ("frame_interval_s", "frame_interval_source")}
    return kept


def retime(connection: Connection, row: RowMapping, interval_s: float | None, step: int) -> None:
    """Have the seconds of tracks follow an interval that is another one than before.

    Where that, or the step, makes other seconds from one t to the next, the last time point whose tracks are final is
    painted once more, by which the store's scale follows.
    """
    if row["frame_interval_s"] != interval_s:
        _retime_tracks(connection, row, interval_s)
    before = None if row["frame_interval_s"] is None else row["frame_interval_s"] / row["step"]
    if before == (None if interval_s is None else interval_s / step):
        return
    painted = (timepoints.c.acquisition_id == row["id"]) & timepoints.c.painted_at.is_not(None)
    last = connection.execute(select(timepoints.c.id).where(painted).order_by(timepoints.c.t.desc()).limit(1)).scalar()
    if last is not None:
        connection.execute(update(timepoints).where(timepoints.c.id == last).values(painted_at=None))


def _retime_tracks(connection: Connection, row: RowMapping, interval_s: float | None) -> None:
    mine = tracks.c.acquisition_id == row["id"]
    known = interval_s is not None
    seconds = {
        "duration_s": tracks.c.duration_frames * interval_s if known else None,
        "cycle_s": tracks.c.cycle_frames * interval_s if known else None,
        "mean_speed_um_per_s": tracks.c.mean_speed_um_per_frame / interval_s if known else None,
    }
    connection.execute(update(tracks).where(mine).values(seconds))
