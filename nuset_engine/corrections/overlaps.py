"""Two label images of one stack, laid over each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import LabelsZYX

_SHIFT = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """How much nuclei of one image have in common with those of another one.

    Attributes
    ----------
    shared : Counter of (label, other label)
        Voxels.
    sizes, other_sizes : Counter of label
    """

    shared: Counter[tuple[int, int]]
    sizes: Counter[int]
    other_sizes: Counter[int]

    @classmethod
    def between(cls, one: LabelsZYX, other: LabelsZYX) -> Overlaps:
        """Lay (Z, Y, X) labels over others of the same shape."""
        pairs: Counter[tuple[int, int]] = Counter()
        for plane, other_plane in zip(one, other, strict=True):
            inside = (plane > 0) | (other_plane > 0)
            keys = (plane[inside].astype(np.uint64) << _SHIFT) | other_plane[inside].astype(np.uint64)
            for key, count in zip(*np.unique(keys, return_counts=True), strict=True):
                pairs[divmod(int(key), 2**32)] += int(count)
        sizes: Counter[int] = Counter()
        other_sizes: Counter[int] = Counter()
        for (a, b), count in pairs.items():
            sizes[a] += count
            other_sizes[b] += count
        sizes.pop(0, None)
        other_sizes.pop(0, None)
        return cls(Counter({pair: count for pair, count in pairs.items() if all(pair)}), sizes, other_sizes)

    def iou(self, label: int, other: int) -> float:
        """Intersection over union of two nuclei."""
        shared = self.shared[label, other]
        return shared / (self.sizes[label] + self.other_sizes[other] - shared)

    def same(self) -> dict[int, int]:
        """Return the nuclei that are the same in both, voxel for voxel: the other label -> the label."""
        return {b: a for (a, b), n in self.shared.items() if n == self.sizes[a] == self.other_sizes[b]}

    def best(self, least: float) -> dict[int, int]:
        """Return which nuclei are the same by an intersection over union of at least `least` > 0.5, or 0.5."""
        found: dict[int, int] = {}
        taken: set[int] = set()
        for label, other in sorted(self.shared, key=lambda pair: (-self.iou(*pair), pair)):
            if self.iou(label, other) >= least and other not in found and label not in taken:
                found[other] = label
                taken.add(label)
        return found
