"""What a trial found in one channel, and what one channel shows where another has its nuclei."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import AnyFloatsN, FloatsN, IntsN, LabelsYX, PlaneF64, PlaneYX
from nuset_engine.reconstruction.volume import SliceLabels

RING = 0.3  # width of the ring around a nucleus, in widths of nuclei
HOT = 99.95  # per cent of the pixels are believed
MOST_OUTLINED = 80  # objects of a slice whose outline is looked at
MIDDLE, RIM = 0.6, (0.1, 0.5)  # of a section, by depth as a part of its greatest
INSIDE, WIDER = 0.75, 1.3  # an object lies within another: so much of it does, and the other is so much larger


@dataclass(frozen=True)
class ChannelEvidence:
    """What a segmenter found in a channel.

    Attributes
    ----------
    planes : sequence of (Y, X) float64
        Where the trial looked, without hot pixels.
    labels : sequence of (Y, X) int
    nuclei : int
        Sections in all slices.
    score : float
        Median of their scores.
    width_px : float
        Of the median area, as a circle's diameter.
    contrast : float
        Median over sections of the brightness inside above that of a ring around, in deviations of the pixels.
    roundness : float
        Median over sections of 4 pi area over perimeter squared, at most 1.
    core : float
        Median over sections of how much brighter the middle is than the rim, as a part of the whole brightness above
        the ring: the body of a cell is darker where its nucleus is.
    """

    planes: Sequence[PlaneF64]
    labels: Sequence[LabelsYX]
    nuclei: int = 0
    score: float = 0.6
    width_px: float = 0.0
    contrast: float = 0.0
    roundness: float = 0.5
    core: float = 0.0

    @property
    def is_blank(self) -> bool:
        """True of a channel of one value, which was not tried."""
        return not self.labels


def evidence(planes: Sequence[PlaneYX], found: Sequence[SliceLabels]) -> ChannelEvidence:
    """Return what a segmenter found in the slices of a channel; where it found nothing, what stands for that."""
    believed = [_believed(plane) for plane in planes]
    labels = [np.asarray(one.labels) for one in found]
    areas = np.concatenate([_areas(one)[1:] for one in labels])
    areas = areas[areas > 0]
    if not len(areas):
        return ChannelEvidence(believed, labels)
    width = float(np.sqrt(np.median(areas) * 4 / np.pi))
    nothing = ChannelEvidence(believed, labels, len(areas), width_px=width)
    return ChannelEvidence(
        planes=believed,
        labels=labels,
        nuclei=len(areas),
        score=float(np.median(np.concatenate([np.asarray(one.scores, float) for one in found]))),
        width_px=width,
        contrast=contrast_at(nothing, believed),
        roundness=_middle([_roundness(one) for one in labels]),
        core=_middle([_core(*pair, width) for pair in zip(labels, believed, strict=True)]),
    )


def contrast_at(places: ChannelEvidence, planes: Sequence[PlaneF64]) -> float:
    """Return how bright planes are where a channel has its nuclei, against the rings around them; 0 without any."""
    values = [_contrast(labels, plane, places.width_px) for labels, plane in zip(places.labels, planes, strict=False)]
    return _middle(values)


def nested(inner: ChannelEvidence, outer: ChannelEvidence) -> float:
    """Return the share of a channel's sections that lie inside larger ones of another, as nuclei do in cells."""
    counted = 0
    for mine, its in zip(inner.labels, outer.labels, strict=False):  # a channel that was not tried has none
        areas, their_areas = _areas(mine), _areas(its)
        pairs, common = np.unique(mine.ravel().astype(np.int64) * len(their_areas) + its.ravel(), return_counts=True)
        a, b = pairs // len(their_areas), pairs % len(their_areas)
        inside = (a > 0) & (b > 0) & (common >= INSIDE * areas[a]) & (their_areas[b] >= WIDER * areas[a])
        counted += len(np.unique(a[inside]))
    return counted / inner.nuclei if inner.nuclei else 0.0


def _middle(values: Sequence[AnyFloatsN]) -> float:
    """Return the median of all, 0 of none."""
    together = np.concatenate([np.zeros(0), *values])
    return float(np.median(together)) if len(together) else 0.0


def _believed(plane: PlaneYX) -> PlaneF64:
    values: PlaneF64 = np.nan_to_num(np.asarray(plane, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return np.minimum(values, np.percentile(values, HOT))


def _areas(labels: LabelsYX) -> IntsN:
    return np.bincount(labels.ravel(), minlength=int(labels.max(initial=0)) + 1)


def _core(labels: LabelsYX, plane: PlaneF64, width_px: float) -> FloatsN:
    """Return how much brighter the middle of each section is than its rim, over its brightness above its ring."""
    from scipy import ndimage

    if not labels.any():
        return np.zeros(0)
    count = int(labels.max()) + 1
    depth = np.where(labels == ndimage.minimum_filter(labels, 3), labels > 0, False)
    depth = ndimage.distance_transform_edt(depth)
    deepest = np.zeros(count)
    np.maximum.at(deepest, labels.ravel(), depth.ravel())
    share = depth / np.maximum(deepest, 1e-9)[labels]
    middle, rim = np.where(share > MIDDLE, labels, 0), np.where((share > RIM[0]) & (share < RIM[1]), labels, 0)
    (n, bright, _), (m, edge, _) = _moments(middle, plane, count), _moments(rim, plane, count)
    (_, inside, _), (k, around, _) = _moments(labels, plane, count), _moments(_rings(labels, width_px), plane, count)
    seen = (n > 0) & (m > 0) & (k > 0)
    seen[0] = False
    above = np.maximum(np.abs(inside - around), 1e-9)
    return np.clip((bright - edge) / above, -1, 1)[seen]


def _rings(labels: LabelsYX, width_px: float) -> LabelsYX:
    from skimage.segmentation import expand_labels

    rings: LabelsYX = expand_labels(labels, max(2.0, RING * width_px))
    rings[labels > 0] = 0
    return rings


def _contrast(labels: LabelsYX, plane: PlaneF64, width_px: float) -> FloatsN:
    if not labels.any():
        return np.zeros(0)
    rings, count = _rings(labels, width_px), int(labels.max()) + 1
    (n, mean, spread), (m, around, its) = _moments(labels, plane, count), _moments(rings, plane, count)
    seen = (n > 0) & (m > 0)
    seen[0] = False
    return (mean - around)[seen] / np.sqrt((spread + its)[seen] / 2 + 1e-9)


def _moments(labels: LabelsYX, plane: PlaneF64, count: int) -> tuple[FloatsN, FloatsN, FloatsN]:
    """Return pixels, mean and variance by label."""
    flat, values = labels.ravel(), plane.ravel()
    n = np.bincount(flat, minlength=count).astype(float)
    mean = np.bincount(flat, values, minlength=count) / np.maximum(n, 1)
    square = np.bincount(flat, values**2, minlength=count) / np.maximum(n, 1)
    return n, mean, np.maximum(square - mean**2, 0)


def _roundness(labels: LabelsYX) -> AnyFloatsN:
    from skimage.measure import regionprops

    regions = regionprops(labels)[:MOST_OUTLINED]
    return np.array([min(4 * np.pi * one.area / max(one.perimeter, 1e-9) ** 2, 1.0) for one in regions])
