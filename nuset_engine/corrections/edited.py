"""Labels that are being edited: whatever is about to change is kept first, so that it can be put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import IntsN, LabelsZYX, MaskZYX
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.voxels import Box

LEAST_OVERLAP = 0.5
"""Intersection over union from which on two nuclei may be the same: of two only one can have it."""
CERTAIN_OVERLAP = 0.8
"""From which on they are."""
CORE_OVERLAP = 0.6
"""The same of the smaller of two and the core of the larger: of a half and a core of half the size it is a third."""
LEAST_CORE = 0.25
"""Of the larger one: what is smaller is no other outline of it."""


@dataclass(frozen=True, eq=False)
class PlainBlock:
    """What labels were before anybody corrected them, in a box that begins at `corner`."""

    corner: tuple[int, int, int]
    labels: LabelsZYX

    @property
    def box(self) -> Box:
        """Where it is in the stack."""
        z, y, x = (slice(low, low + size) for low, size in zip(self.corner, self.labels.shape, strict=True))
        return z, y, x


def is_same(region: NucleusRegion, shared: int, size: int, whole: Callable[[], NucleusRegion]) -> bool:
    """Say whether a nucleus is the one of a region.

    It is where both are nearly equal, or the outline of one is only narrower all around: what lies deepest in the
    larger of the two, as much as the smaller one has, is that one then. Of two nuclei in one, and of a part, it is not.

    Parameters
    ----------
    region : NucleusRegion
    shared, size : int
        Voxels that the nucleus shares with the region, and that it has.
    whole : callable
        Gives all of it; asked only where overlap does not tell.
    """
    if shared >= CERTAIN_OVERLAP * (region.size + size - shared):
        return True
    small, large = sorted((region.size, size))
    if shared < CORE_OVERLAP * small or small < LEAST_CORE * large:
        return False
    found = whole()
    one, other = (region, found) if region.size <= size else (found, region)
    core = _core(other, one.size)
    inside = int(sum(core.overlaps(_painted(one, core)).values()))
    return inside >= CORE_OVERLAP * (one.size + core.size - inside)


def _core(region: NucleusRegion, size: int) -> NucleusRegion:
    """The `size` voxels of a region that lie deepest in it, in every plane."""
    from scipy import ndimage

    padded = np.pad(region.mask, ((0, 0), (1, 1), (1, 1)))
    depth = np.stack([ndimage.distance_transform_edt(plane) for plane in padded])[:, 1:-1, 1:-1]
    order = np.argsort(-depth, axis=None, kind="stable")[:size]
    mask = np.zeros(region.mask.size, bool)
    mask[order] = True
    return NucleusRegion(region.corner, mask.reshape(region.mask.shape))


def _painted(region: NucleusRegion, like: NucleusRegion) -> LabelsZYX:
    """A stack that holds another region, in which this one is 1."""
    ends = [max(a.stop, b.stop) for a, b in zip(region.box, like.box, strict=True)]
    stack = np.zeros(ends, np.uint8)
    stack[region.box][region.mask] = 1
    return stack


def put_back(labels: LabelsZYX, blocks: Iterable[PlainBlock]) -> None:
    """Make (Z, Y, X) labels what they were before anybody corrected them, in place."""
    for block in blocks:
        labels[block.box] = block.labels


class EditedLabels:
    """The labels of a stack, and what they were in every box that was touched.

    Parameters
    ----------
    labels : (Z, Y, X) integers
        Plain ones; changed in place.
    blocks : sequence of PlainBlock
        Boxes that were touched before, of which the labels are kept further on.
    """

    def __init__(self, labels: LabelsZYX, blocks: Sequence[PlainBlock] = ()) -> None:
        self.labels = labels
        self.blocks: list[PlainBlock] = []
        for block in blocks:
            self._keep(block)
        self._counts: IntsN = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
        self._replaced: list[tuple[Box, LabelsZYX, IntsN]] = []
        for plane in labels:
            self._counts += np.bincount(plane.ravel(), minlength=len(self._counts))

    def count(self, label: int) -> int:
        """How many voxels a nucleus has."""
        return int(self._counts[label]) if 0 < label < len(self._counts) else 0

    @property
    def sizes(self) -> IntsN:
        """How many voxels each nucleus has that is there."""
        sizes: IntsN = self._counts[1:][self._counts[1:] > 0]
        return sizes

    @property
    def highest(self) -> int:
        """The highest label that there ever was."""
        return len(self._counts) - 1

    def find(self, region: NucleusRegion) -> int | None:
        """Return the nucleus that is the one of a region, see `is_same`; None where there is none."""
        overlaps = region.overlaps(self.labels)
        if not overlaps:
            return None
        label = max(overlaps, key=lambda one: (overlaps[one], -one))
        return label if is_same(region, overlaps[label], self.count(label), lambda: self.region(label)) else None

    def region(self, label: int) -> NucleusRegion:
        """Return the voxels of a nucleus that is there."""
        found = NucleusRegion.of_mask(self.labels == label)
        assert found is not None
        return found

    def begin(self) -> None:
        """Begin something of which `take_back` takes all back."""
        self._replaced = []

    def take_back(self) -> None:
        """Make labels what they were at `begin`."""
        for box, labels, counts in reversed(self._replaced):
            self.labels[box] = labels
            self._counts = counts
        self._replaced = []

    def paint(self, box: Box, mask: MaskZYX, label: int) -> None:
        """Give the voxels of a mask within a box to a nucleus, or to the background (0)."""
        block = self.labels[box]
        self._touch(box)
        self._replaced.append((box, block.copy(), self._counts))
        size = max(len(self._counts), label + 1)
        lost = np.bincount(block[mask], minlength=size)
        counts = np.pad(self._counts, (0, size - len(self._counts))) - lost
        counts[label] += int(np.count_nonzero(mask))
        block[mask] = label
        self._counts = counts

    def _touch(self, box: Box) -> None:
        """Keep what the labels of a box were before anybody corrected them."""
        if self._is_kept(box):
            return
        z, y, x = (part.start for part in box)
        plain = self.labels[box].copy()
        for earlier in self.blocks:
            _copy_overlap(plain, box, earlier)
        self.blocks.append(PlainBlock((z, y, x), plain))

    def _keep(self, block: PlainBlock) -> None:
        if not self._is_kept(block.box):
            self.blocks.append(block)

    def _is_kept(self, box: Box) -> bool:
        """Say whether another block has all of a box: what is corrected again and again is kept once."""
        return any(
            all(known.start <= part.start and part.stop <= known.stop for known, part in zip(one.box, box, strict=True))
            for one in self.blocks
        )


def _copy_overlap(plain: LabelsZYX, box: Box, block: PlainBlock) -> None:
    """Put what a block keeps into the part of a box that they share."""
    low = [max(a.start, b.start) for a, b in zip(box, block.box, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(box, block.box, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return
    here = tuple(slice(a - part.start, b - part.start) for a, b, part in zip(low, high, box, strict=True))
    there = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, block.corner, strict=True))
    plain[here] = block.labels[there]
