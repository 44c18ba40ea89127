"""Tracks as the Cell Tracking Challenge wants them: without gaps, numbered, each with its first and last time point."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nuset_engine.arrays import IntsN
from tracking.arrays import TracksLBEP


def gapless(table: pd.DataFrame) -> tuple[TracksLBEP, IntsN]:
    """Cut tracks where a time point was missed; the rest of a cut track is a child of its beginning.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per nucleus: t, track_id, parent_track_id (missing or 0: none). A missing or negative track_id is a
        track of its own.

    Returns
    -------
    tracks : (K, 4) int64
        Number, first and last time point, number of the parent or 0: the columns ``L B E P`` of the challenge.
    number : (N,) int64
        Number of the track of each row.
    """
    t = table["t"].to_numpy(np.int64)
    track = table["track_id"].to_numpy(np.float64, na_value=np.nan)
    lonely = ~(track >= 0)
    key = np.where(lonely, -1.0 - np.arange(len(table)), track)
    order = np.lexsort((t, key))
    new_track = np.diff(key[order], prepend=np.nan) != 0
    starts = new_track | (np.diff(t[order], prepend=0) != 1)
    number = np.zeros(len(table), np.int64)
    number[order] = np.cumsum(starts)
    first_rows = order[starts]
    last_rows = order[np.roll(starts, -1)] if len(order) else order
    parent = np.where(new_track[starts], 0, np.arange(len(first_rows)))  # the segment before has the number before
    last_of = {key[row]: number[row] for row in last_rows.tolist()}
    named = table["parent_track_id"].to_numpy(np.float64, na_value=np.nan)
    for index, row in enumerate(first_rows.tolist()):
        if not lonely[row] and parent[index] == 0 and named[row] > 0:
            parent[index] = last_of.get(named[row], 0)
    tracks = np.stack([np.arange(1, len(first_rows) + 1), t[first_rows], t[last_rows], parent], axis=1)
    return tracks.astype(np.int64).reshape(-1, 4), number
