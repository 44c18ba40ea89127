"""Track ids of frames, and the record of each track that is still alive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nuset_engine.arrays import RowsN
from tracking.evidence.frame import Frame
from tracking.graph import Track


def number(frames: list[Frame], start: int, next_id: int) -> int:
    """Give track ids to the frames from `start` on; a track takes the id of the nucleus it starts with.

    That nucleus keeps its id for as long as its frame is provisional, whether it is needed or not, so that ids do not
    wander when a decision is taken back and made again.

    Returns
    -------
    int
        The next unused id.
    """
    for index in range(start, len(frames)):
        frame = frames[index]
        starts = (frame.back == 0) | frame.newborn
        new = np.flatnonzero(starts & (frame.start_id == 0))
        frame.start_id[new] = np.arange(next_id, next_id + len(new))
        next_id += len(new)
        frame.track_id = np.where(starts, frame.start_id, 0)
        for back in np.unique(frame.back[~starts]).tolist():
            rows = np.flatnonzero(~starts & (frame.back == back))
            frame.track_id[rows] = frames[index - back].track_id[frame.row[rows]]
    return next_id


def extended(tracks: dict[int, Track], frames: list[Frame], first: int, stop: int) -> dict[int, Track]:
    """Records of `tracks`, none of them final, continued through the frames from `first` to before `stop`."""
    records = dict(tracks)
    for index in range(first, stop):
        frame = frames[index]
        for row, track_id in enumerate(frame.track_id.tolist()):
            known = records.get(track_id)
            if known is None:
                records[track_id] = _begun(frames, index, row)
            else:
                count, end = known.nuclei_count + 1, _known(frame.end_doubt[row])
                records[track_id] = replace(known, last_t=frame.t, nuclei_count=count, end_doubt=end)
    return records


def _begun(frames: list[Frame], index: int, row: int) -> Track:
    """Record of the track that starts with a nucleus."""
    frame = frames[index]
    parent, score = None, None
    if frame.newborn[row]:
        parent = int(frames[index - int(frame.back[row])].track_id[frame.row[row]])
        score = float(frame.score[row])
    doubts = _known(frame.link_doubt[row]), _known(frame.end_doubt[row])
    return Track(int(frame.track_id[row]), parent, frame.t, frame.t, 1, False, score, *doubts)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def closed(tracks: dict[int, Track], frames: list[Frame], final: int, memory: int) -> set[int]:
    """Tracks that end in the final frames (those before `final`) and that no later frame can continue or divide."""
    alive: set[int] = set()
    for index in range(max(0, final - memory - 1), final):
        alive.update(frames[index].track_id[_open_rows(frames, index, final)].tolist())
    recent = set() if not frames else {i for frame in frames[final:] for i in frame.track_id.tolist()}
    return set(tracks) - alive - recent


def _open_rows(frames: list[Frame], index: int, final: int) -> RowsN:
    """Rows of a frame that no final frame continues."""
    is_open = np.ones(len(frames[index]), bool)
    for later in range(index + 1, final):
        is_open[frames[later].row[frames[later].back == later - index]] = False
    return np.flatnonzero(is_open)
