"""Doubts as they are told: all of a new frame, and of an earlier one what has changed by more than a little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, IntsN
from tracking.doubts.model import FAULTS
from tracking.evidence.frame import Frame

LITTLE = 0.02
"""A probability that is told again differs by more than this."""
DIGITS = 3
NO_FAULT = -1
"""Nothing in particular seems wrong with a nucleus."""


@dataclass(frozen=True, eq=False)
class FrameDoubts:
    """How likely decisions about nuclei of one time point are wrong.

    Attributes
    ----------
    t : int
    labels : (N,) int64
        The nuclei; all of them when it is first told of a time point.
    doubt : (N,) float64
        That it is exactly one nucleus.
    fault : (N,) int64
        What it would be instead, in `tracking.doubts.model.FAULTS`; `NO_FAULT` where that is hardly likely.
    link_doubt, end_doubt : (N,) float64
        How it goes on from the nucleus before it or begins, and that its track ends with it; NaN where there is no such
        decision, or nothing is known yet that could speak against it.
    """

    t: int
    labels: IntsN
    doubt: FloatsN
    fault: IntsN
    link_doubt: FloatsN
    end_doubt: FloatsN

    def __len__(self) -> int:
        """Number of nuclei."""
        return len(self.labels)

    def kinds(self) -> list[str | None]:
        """`fault` in words."""
        return [None if number == NO_FAULT else FAULTS[number] for number in self.fault.tolist()]

    def some(self, which: FlagsN) -> FrameDoubts:
        """Of these nuclei alone."""
        return FrameDoubts(self.t, *(column[which] for column in self._columns()))

    def over(self, earlier: FrameDoubts | None) -> FrameDoubts:
        """These, and for nuclei that they say nothing of what was told earlier."""
        if earlier is None:
            return self
        rest = earlier.some(~np.isin(earlier.labels, self.labels))
        pairs = zip(rest._columns(), self._columns(), strict=True)
        return FrameDoubts(self.t, *(np.concatenate(pair) for pair in pairs))

    def _columns(self) -> tuple[Any, ...]:
        return self.labels, self.doubt, self.fault, self.link_doubt, self.end_doubt


def tell(frame: Frame, found: FrameDoubts, is_new: bool) -> FrameDoubts | None:
    """Write doubts that are to be told into a frame; return them, None where nothing has changed."""
    pairs = (("doubt", found.doubt), ("link_doubt", found.link_doubt), ("end_doubt", found.end_doubt))
    other = np.full(len(found), is_new)
    for name, now in pairs:
        before = getattr(frame, name)
        other |= (np.isnan(before) != np.isnan(now)) | (np.abs(now - before) > LITTLE)
    if not other.any():
        return found if is_new else None
    for name, now in pairs:
        getattr(frame, name)[other] = now[other]
    frame.fault[other] = found.fault[other]
    return found.some(other)
