"""Labels that are being edited: whatever is about to change is kept first, so that it can be put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import IntsN, LabelsZYX, MaskZYX
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.voxels import Box

LEAST_OVERLAP = 0.5
"""Intersection over union from which on a nucleus is the one that was meant: of two only one can have it."""


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
        self.blocks = list(blocks)
        self._counts: IntsN = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
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
        """Return the nucleus that is the one of a region, by overlap; None where there is none."""
        overlaps = region.overlaps(self.labels)
        if not overlaps:
            return None
        label = max(overlaps, key=lambda one: (overlaps[one], -one))
        union = region.size + self.count(label) - overlaps[label]
        return label if overlaps[label] >= LEAST_OVERLAP * union else None

    def region(self, label: int) -> NucleusRegion:
        """Return the voxels of a nucleus that is there."""
        found = NucleusRegion.of_mask(self.labels == label)
        assert found is not None
        return found

    def paint(self, box: Box, mask: MaskZYX, label: int) -> None:
        """Give the voxels of a mask within a box to a nucleus, or to the background (0)."""
        block = self.labels[box]
        z, y, x = (part.start for part in box)
        plain = block.copy()
        for earlier in self.blocks:
            _copy_overlap(plain, box, earlier)
        self.blocks.append(PlainBlock((z, y, x), plain))
        size = max(len(self._counts), label + 1)
        lost = np.bincount(block[mask], minlength=size)
        counts = np.pad(self._counts, (0, size - len(self._counts))) - lost
        counts[label] += int(np.count_nonzero(mask))
        block[mask] = label
        self._counts = counts


def _copy_overlap(plain: LabelsZYX, box: Box, block: PlainBlock) -> None:
    """Put what a block keeps into the part of a box that they share."""
    low = [max(a.start, b.start) for a, b in zip(box, block.box, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(box, block.box, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return
    here = tuple(slice(a - part.start, b - part.start) for a, b, part in zip(low, high, box, strict=True))
    there = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, block.corner, strict=True))
    plain[here] = block.labels[there]
