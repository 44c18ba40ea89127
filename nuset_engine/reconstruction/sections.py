"""The sections of a stack: every object of every slice, with what neighbouring slices share."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field

import numpy as np

from nuset_engine.arrays import AnyFloatsN, FlagsN, FloatsN, IntsN, Labels, LabelsYX, PlaneYX, PointsYX, RowsN
from nuset_engine.errors import EngineError
from nuset_engine.overlap import Overlap, compact, shared_pixels


@dataclass(frozen=True)
class SectionPairs:
    """Sections of one slice (`own`) and of another (`other`) that share pixels; 0-based numbers, all arrays (P,)."""

    own: RowsN
    other: RowsN
    shared: IntsN
    share_own: FloatsN
    share_other: FloatsN
    iou: FloatsN

    @property
    def over_smaller(self) -> FloatsN:
        """Shared pixels over those of the smaller section."""
        return np.maximum(self.share_own, self.share_other)

    def where(self, keep: FlagsN) -> SectionPairs:
        """Some of the pairs."""
        return SectionPairs(*(getattr(self, name)[keep] for name in SectionPairs.__dataclass_fields__))


@dataclass
class SectionStack:
    """Labels of all slices of a stack and, computed when asked for, how slices overlap.

    Attributes
    ----------
    planes : list of (Y, X) uint32
        Labels 1..n without holes in each slice; section i of the tables has label i + 1.
    scores : list of (n,) float64
    brightness : list of (n,) float64
        How far the mean of a section is from the background of its slice, NaN where the image is not known.
    """

    planes: list[LabelsYX] = field(default_factory=list)
    scores: list[FloatsN] = field(default_factory=list)
    brightness: list[FloatsN] = field(default_factory=list)
    _overlaps: dict[tuple[int, int], Overlap] = field(default_factory=dict)
    _areas: dict[int, IntsN] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.planes)

    def append(self, labels: LabelsYX, scores: AnyFloatsN, image: PlaneYX | None = None) -> None:
        """Add the next slice: labels (Y, X), score of label i at ``scores[i - 1]``, grey values (Y, X) if known.

        Sections are numbered by their first pixel, so that nothing depends on the numbers that a slice came with.

        Raises
        ------
        EngineError
            If the slice or its image has another shape than the first, or a label has no score.
        """
        if labels.ndim != 2 or (self.planes and labels.shape != self.planes[0].shape):
            wanted = self.planes[0].shape if self.planes else "(Y, X)"
            raise EngineError(f"Slice {len(self)} has shape {labels.shape}, not {wanted}; give slices of one stack.")
        present, ranks = compact(labels)
        if len(present) and present[-1] > len(scores):
            raise EngineError(
                f"Slice {len(self)} has a label {present[-1]} but {len(scores)} scores; give one score per label."
            )
        order = _by_first_pixel(ranks, len(present))
        name = np.zeros(len(present) + 1, dtype=np.uint32)
        name[order] = np.arange(1, len(present) + 1)
        self.planes.append(_apart(name[ranks].reshape(labels.shape)))
        self.scores.append(np.asarray(scores, dtype=np.float64)[present[order - 1] - 1])
        self.brightness.append(_brightness(self.planes[-1], len(present), image))

    def replace(self, z: int, plane: LabelsYX, scores: FloatsN, brightness: FloatsN) -> None:
        """Put other sections into slice `z`; what was computed from the old ones is forgotten."""
        self.planes[z], self.scores[z], self.brightness[z] = _apart(plane), scores, brightness
        self._areas.pop(z, None)
        for key in [key for key in self._overlaps if z in key]:
            del self._overlaps[key]

    def count(self, z: int) -> int:
        """Number of sections of slice `z`."""
        return len(self.scores[z])

    def areas(self, z: int) -> IntsN:
        """(n,) int64 pixel counts of the sections of slice `z`."""
        if z not in self._areas:
            self._areas[z] = np.bincount(self.planes[z].ravel(), minlength=self.count(z) + 1)[1:]
        return self._areas[z]

    def centroids(self, z: int) -> PointsYX:
        """(n, 2) float64 centroids y, x of the sections of slice `z`, in pixels."""
        where = np.flatnonzero(self.planes[z])
        labels = self.planes[z].ravel()[where]
        positions = np.divmod(where, self.planes[z].shape[1])
        sums = [np.bincount(labels, p, self.count(z) + 1)[1:] for p in positions]
        return np.stack(sums, axis=1) / self.areas(z)[:, None]

    def boxes(self, z: int) -> list[tuple[slice, slice]]:
        """Bounding boxes of the sections of slice `z`."""
        from scipy import ndimage

        found = ndimage.find_objects(self.planes[z].astype(np.int32), max_label=self.count(z))
        return [(rows, columns) for rows, columns in found]

    def pairs(self, z: int, other: int) -> SectionPairs:
        """Sections of slice `z` that share pixels with sections of slice `other`."""
        low, high = min(z, other), max(z, other)
        if (low, high) not in self._overlaps:
            self._overlaps[low, high] = self._counted(low, high)
        found = self._overlaps[low, high]
        if z == low:
            return SectionPairs(found.rows, found.columns, found.shared, found.share_of_a, found.share_of_b, found.iou)
        return SectionPairs(found.columns, found.rows, found.shared, found.share_of_b, found.share_of_a, found.iou)

    def _counted(self, low: int, high: int) -> Overlap:
        """Overlap of two slices; what `overlap` would find out about their labels is known here."""
        a, b = self.planes[low].ravel(), self.planes[high].ravel()
        n, m = self.count(low), self.count(high)
        rows, columns, shared = shared_pixels(a, b, n, m)
        return Overlap(
            np.arange(1, n + 1), np.arange(1, m + 1), self.areas(low), self.areas(high), rows, columns, shared
        )


def _apart(plane: LabelsYX) -> LabelsYX:
    """A copy in memory of its own, which goes back to the system as soon as the plane is dropped.

    An ordinary array goes back to the allocator, which keeps it: the planes of a stack would then stay beside the
    labels that are painted from them, slice after slice.
    """
    if not plane.size:
        return plane
    memory = mmap.mmap(-1, plane.nbytes, access=mmap.ACCESS_COPY)
    copy = np.frombuffer(memory, plane.dtype).reshape(plane.shape)
    copy[...] = plane
    return copy


def _brightness(plane: LabelsYX, count: int, image: PlaneYX | None) -> FloatsN:
    """(count,) distance of the sections' means from the median outside of them; dark nuclei count like bright ones."""
    if image is None or not count:
        return np.full(count, np.nan)
    if image.ndim == 3:  # a picture in colours
        image = image.mean(axis=2)
    if image.shape != plane.shape:
        raise EngineError(f"A slice of labels {plane.shape} came with an image {image.shape}; give its own.")
    known = np.isfinite(image)
    values, labels = image[known].astype(np.float64), plane[known]
    size = np.bincount(labels, minlength=count + 1)
    if not size[0]:
        return np.full(count, np.nan)
    outside = np.median(values[labels == 0])
    return np.abs(np.bincount(labels, values - outside, count + 1)[1:] / np.where(size[1:] > 0, size[1:], np.nan))


def _by_first_pixel(ranks: Labels, count: int) -> IntsN:
    """(count,) labels 1..count of a flat label image in the order in which they appear."""
    where = np.flatnonzero(ranks)
    first = np.full(count + 1, len(ranks))
    np.minimum.at(first, ranks[where], where)
    return np.argsort(first[1:], kind="stable") + 1
