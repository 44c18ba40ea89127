"""How well rare events were found: boxes against labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import LabelsYX
from nuset_engine.assignment import assign
from nuset_engine.inference.proposals import Proposals


@dataclass(frozen=True)
class EventScores:
    """How well events were found.

    Attributes
    ----------
    matched, true_count, found_count : int
    """

    matched: int
    true_count: int
    found_count: int

    @property
    def precision(self) -> float:
        """Share of the detections that are events; 1 where nothing was found."""
        return self.matched / self.found_count if self.found_count else 1.0

    @property
    def recall(self) -> float:
        """Share of the events that were found; 1 where there are none."""
        return self.matched / self.true_count if self.true_count else 1.0

    def __add__(self, other: EventScores) -> EventScores:
        """Both together."""
        return EventScores(
            self.matched + other.matched, self.true_count + other.true_count, self.found_count + other.found_count
        )


def score_events(truth: LabelsYX, found: Proposals, min_iou: float = 0.3) -> EventScores:
    """Match boxes with labelled events one to one, as many as possible.

    Parameters
    ----------
    truth : (Y, X) int
        Labels of the events.
    found : Proposals
        Boxes in the pixels of `truth`.
    min_iou : float
        Least intersection over union of a match, of boxes.
    """
    windows = [w for w in ndi.find_objects(truth) if w is not None]
    boxes = np.array([(y.start, x.start, y.stop, x.stop) for y, x in windows], np.float32).reshape(-1, 4)
    low = np.maximum(boxes[:, None, :2], found.boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], found.boxes[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, found.boxes)]
    iou = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-6)
    rows, columns = np.nonzero(iou >= min_iou)
    pairs = assign(rows, columns, iou[rows, columns])
    return EventScores(len(pairs), len(boxes), len(found))
