"""How well rare events were found: boxes against labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import BoxesN4, FlagsN, IntsN, LabelsYX, LabelsZYX, Mask, MaskYX, MatrixF32
from nuset_engine.assignment import assign
from nuset_engine.inference.proposals import Proposals, box_ious

LEAST_IOU = 0.3
"""Of the boxes of an event and of what was found, where these are the same."""


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

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 1 where there was nothing to find and nothing found."""
        either = self.true_count + self.found_count
        return 2 * self.matched / either if either else 1.0

    def __add__(self, other: EventScores) -> EventScores:
        """Both together."""
        return EventScores(
            self.matched + other.matched, self.true_count + other.true_count, self.found_count + other.found_count
        )


def score_events(
    truth: LabelsYX, found: Proposals, min_iou: float = LEAST_IOU, faint: LabelsYX | None = None
) -> EventScores:
    """Match boxes with labelled events one to one, as many as possible.

    Parameters
    ----------
    truth : (Y, X) int
        Labels of the events.
    found : Proposals
        Boxes in the pixels of `truth`.
    min_iou : float
        Least intersection over union of a match, of boxes.
    faint : (Y, X) int, optional
        Labels of events that nobody need find: boxes of these alone do not count.
    """
    iou = box_ious(_boxes(truth)[1], found.boxes)
    if faint is not None:
        counts = ~_only_of(box_ious(_boxes(faint)[1], found.boxes) >= min_iou, iou >= min_iou)
        found, iou = found.where(counts), iou[:, counts]
    rows, columns = np.nonzero(iou >= min_iou)
    pairs = assign(rows, columns, iou[rows, columns])
    return EventScores(len(pairs), len(iou), len(found))


def score_linked_events(
    truth: LabelsZYX,
    slices: Sequence[Proposals],
    numbers: Sequence[IntsN],
    min_iou: float = LEAST_IOU,
    faint: LabelsZYX | None = None,
) -> EventScores:
    """Match linked boxes with labelled events of a stack one to one; what lies at the edge of the planes is left out.

    Parameters
    ----------
    truth : (Z, Y, X) int
        Labels of the events, each with its number in all slices.
    slices : sequence of Proposals
    numbers : sequence of (N,) int64
        Which boxes are one event, see `events.linked`.
    min_iou : float
        An event is found where a box and that of its section share at least so much of their union in one slice.
    faint : (Z, Y, X) int, optional
        See `score_events`.
    """
    count = max((int(n.max(initial=0)) for n in numbers), default=0) + 1
    is_there = overlaps(truth, slices, numbers, count)
    out = np.zeros(count, bool)
    for found, mine in zip(slices, numbers, strict=True):
        out[mine[~inside(found, truth.shape[1:])]] = True
    rims = [truth[:, 0], truth[:, -1], truth[:, :, 0], truth[:, :, -1]]
    at_rim = np.setdiff1d(np.concatenate([rim.ravel() for rim in rims]), 0)
    there = np.setdiff1d(truth[truth > 0], at_rim)
    out |= _only_of(is_there[at_rim] >= min_iou, is_there[there] >= min_iou)
    if faint is not None:
        out |= _only_of(overlaps(faint, slices, numbers, count) >= min_iou, is_there[there] >= min_iou)
    kept = np.array([n for n in range(1, count) if not out[n]], np.int64)
    shared = is_there[np.ix_(there, kept)]
    rows, columns = np.nonzero(shared >= min_iou)
    pairs = assign(rows, columns, shared[rows, columns])
    return EventScores(len(pairs), len(there), len(kept))


def overlaps(truth: LabelsZYX, slices: Sequence[Proposals], numbers: Sequence[IntsN], count: int) -> MatrixF32:
    """Largest overlap of boxes in any slice, by label of the truth and by number of what was found.

    Parameters
    ----------
    truth : (Z, Y, X) int
    slices : sequence of Proposals
    numbers : sequence of (N,) int64
        Which boxes are one event, see `events.linked`.
    count : int
        One more than the largest number.
    """
    found = np.zeros((int(truth.max(initial=0)) + 1, count), np.float32)
    for plane, boxes, mine in zip(truth, slices, numbers, strict=True):
        labels, windows = _boxes(plane)
        for label, row in zip(labels, box_ious(windows, boxes.boxes), strict=True):
            np.maximum.at(found[label], mine, row)
    return found


def _boxes(truth: LabelsYX) -> tuple[list[int], BoxesN4]:
    """Labels, and their boxes."""
    windows = [(label, w) for label, w in enumerate(ndi.find_objects(truth), start=1) if w is not None]
    sides = [(y.start, x.start, y.stop, x.stop) for _, (y, x) in windows]
    return [label for label, _ in windows], np.array(sides, np.float32).reshape(-1, 4)


def _only_of(some: Mask, others: Mask) -> FlagsN:
    """Columns of which a row of the one says yes and none of the other."""
    only: FlagsN = np.logical_and(some.any(axis=0), np.logical_not(others.any(axis=0)))
    return only


def inside(found: Proposals, shape: tuple[int, ...]) -> FlagsN:
    """(N,) bool: boxes that do not reach the edge of a plane (Y, X)."""
    low, high = found.boxes[:, :2] > 1, found.boxes[:, 2:] < np.array(shape) - 1
    within: FlagsN = np.logical_and(low.all(axis=1), high.all(axis=1))
    return within


def seen_events(found: Proposals, seen: MaskYX) -> Proposals:
    """The boxes whose middle lies where it is known whether there is an event.

    Parameters
    ----------
    found : Proposals
        In the pixels of `seen`.
    seen : (Y, X) bool
    """
    limits = np.array(seen.shape) - 1
    y, x = np.clip(found.centres.astype(np.int64), 0, limits).T
    return found.where(seen[y, x])
