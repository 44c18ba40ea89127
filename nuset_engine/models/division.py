"""How a mask alone is divided into nuclei: by the distance to its own border, with or without proposals."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import LabelsYX, MaskYX, PlaneF32
from nuset_engine.inference.instances import filled_probability, least_area
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.proposals import Proposals
from nuset_engine.inference.watershed import drop, drop_small, seed_positions
from nuset_engine.params import SegmentationParams

SMALLEST_SHARE = 0.2  # of the mean area: smaller objects were removed from all models' masks in the paper


def divided_by_distance(mask: MaskYX) -> LabelsYX:
    """(Y, X) labels: a watershed of the mask's distance transform from its own maxima.

    These are those of the smoothed transform, at least half of the largest regions' typical radius apart.
    """
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    distance = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 1.0)
    pieces, count = ndi.label(mask)
    radius = float(np.median(ndi.maximum(distance, pieces, np.arange(1, count + 1)))) if count else 1.0
    peaks = peak_local_max(distance, min_distance=max(1, round(radius / 2)), labels=pieces, exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels: LabelsYX = watershed(-distance, markers, mask=mask)
    return labels


def divided_by_proposals(mask: MaskYX, proposals: Proposals) -> LabelsYX:
    """(Y, X) labels: the same from the middles of boxes, as in the paper; a region without a proposal is a nucleus."""
    from skimage.segmentation import watershed

    distance = ndi.distance_transform_edt(mask).astype(np.float32)
    seeds = seed_positions(proposals, distance / TRAINED_DIAMETER_PX, mask)
    seeds = seeds[seeds[:, 0] >= 0]
    markers = np.zeros(mask.shape, np.int32)
    markers[seeds[:, 0], seeds[:, 1]] = np.arange(1, len(seeds) + 1)
    pieces, count = ndi.label(mask)
    orphans = np.setdiff1d(np.arange(1, count + 1), pieces[markers > 0])
    lonely = np.isin(pieces, orphans)
    markers[lonely] = len(seeds) + pieces[lonely]
    labels: LabelsYX = watershed(-distance, markers, mask=mask)
    return labels


def regions_of(mask: MaskYX) -> LabelsYX:
    """(Y, X) labels: every connected region is a nucleus."""
    labels: LabelsYX = ndi.label(mask)[0]
    return labels


def without_specks(labels: LabelsYX) -> LabelsYX:
    """Labels (Y, X) int32 without objects under a fifth of their mean area, numbered 1..N."""
    areas = np.bincount(labels.ravel())[1:]
    present = areas[areas > 0]
    least = SMALLEST_SHARE * float(present.mean()) if present.size else 1.0
    return drop_small(labels.astype(np.int32), np.zeros(len(areas), np.float32), least)[0]


def mean_inside(labels: LabelsYX, probability: PlaneF32) -> PlaneF32:
    """(N,) float32: mean probability of each label 1..N, 0 where it has no pixel."""
    inside = np.flatnonzero(labels)
    owner = labels.ravel()[inside]
    count = int(labels.max(initial=0)) + 1
    sums = np.bincount(owner, probability.ravel()[inside], count)
    return np.divide(sums, np.maximum(np.bincount(owner, None, count), 1))[1:].astype(np.float32)


def separated_as(labels: LabelsYX, mask: MaskYX, maps: PlaneMaps, params: SegmentationParams) -> Separated:
    """Nuclei from a divided mask; the score of each is its mean foreground probability."""
    labels = labels.astype(np.int32)
    kept, scores = drop_small(labels, mean_inside(labels, maps.foreground), least_area(params))
    return Separated(*drop(kept, scores, scores >= params.min_score), filled_probability(maps, mask, params))
