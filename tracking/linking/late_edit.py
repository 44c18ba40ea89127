"""A track cut where its nucleus turns out to be a daughter with a late sister; and mended again."""

from __future__ import annotations

import numpy as np

from tracking.evidence.frame import Frame


def undo(frames: list[Frame], index: int) -> None:
    """Take back the late divisions completed by nuclei of frame `index`: sisters go on with the parents' tracks."""
    for back in range(1, index + 1):
        frame = frames[index - back]
        for row in np.flatnonzero(frame.sister == back).tolist():
            before = frames[index - back - 1]
            parent = int(frame.row[row])
            frame.newborn[row], frame.sister[row], frame.score[row] = False, 0, np.nan
            values = {n: getattr(before, n)[parent] for n in ("born_t", "age_known", "cycle", "born_score")}
            _live(frames, index - back, row, index, int(before.length[parent]) + 1, values)


def complete(frames: list[Frame], index: int, source: tuple[int, int], delay: int, target: int, score: float) -> None:
    """Make a nucleus of frame `index` the late daughter of a division, and the source's track its sister's.

    Parameters
    ----------
    source : (back, row)
        The sister as last seen before frame `index`.
    delay : int
        How many frames before `index` she was born.
    """
    frame, born = frames[index], frames[index - delay]
    at, row = index - source[0], source[1]
    while at > index - delay:
        at, row = at - int(frames[at].back[row]), int(frames[at].row[row])
    before, parent = frames[index - delay - 1], int(born.row[row])
    cycle = born.t - before.born_t[parent] if before.age_known[parent] else np.nan
    values = {"born_t": float(born.t), "age_known": True, "cycle": cycle, "born_score": score}
    born.newborn[row], born.sister[row], born.score[row] = True, delay, score
    _live(frames, index - delay, row, index + 1, 1, values)
    frame.back[target], frame.row[target] = delay + 1, parent
    frame.newborn[target], frame.score[target] = True, score
    for name, value in values.items():
        getattr(frame, name)[target] = value


def _live(frames: list[Frame], at: int, row: int, stop: int, length: int, values: dict[str, float]) -> None:
    """Give a nucleus, and those that go on with its track in frames before `stop`, what they inherit."""
    for later in range(at, stop):
        frame = frames[later]
        if later > at:
            next_row = np.flatnonzero((frame.back == later - at) & (frame.row == row) & ~frame.newborn)
            if not len(next_row):
                continue
            at, row, length = later, int(next_row[0]), length + 1
        for name, value in values.items():
            getattr(frame, name)[row] = value
        frame.length[row] = length
