"""What each part of the method adds: the same images labelled by ever more of it, from Otsu's threshold to the engine.

The rows are those of the paper's comparison: `OTSU`; the U-Net's mask alone on the whole-image-normalised image; the
mask with foreground normalisation; with weights that saw synthetic images; divided by a watershed of the mask's own
distance transform from the proposals' middles (the paper's method); and the engine, which floods the learned distance
map and scores its nuclei. What the mask alone calls a nucleus is a connected region of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import LabelsYX, MaskYX, PlaneYX
from nuset_engine.inference.instances import NETWORK_AREA
from nuset_engine.inference.passes import PlaneMaps
from nuset_engine.inference.survey import StackStatistics, of_whole_image
from nuset_engine.inference.watershed import drop_small, fill_small_holes, seed_positions
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.resample import resample_labels

if TYPE_CHECKING:
    from nuset_engine.segment import Segmenter

OTSU = "Otsu with watershed"
MASK = "U-Net mask alone"
FOREGROUND = "+ foreground normalisation"
SYNTHETIC = "+ synthetic data"
SEEDS = "+ RPN seeds"
ENGINE = "full engine"
SMALLEST_SHARE = 0.2  # of the mean area: smaller objects were removed from all models' masks in the paper


@dataclass(frozen=True)
class Ablation:
    """The ladder of methods over one set of weights, or two.

    Attributes
    ----------
    segmenter : Segmenter
        The full engine.
    real_only : Segmenter or None
        The same engine with weights that were trained without synthetic images; without it the row `SYNTHETIC` is left
        out and the two rows before it have the full engine's weights.
    """

    segmenter: Segmenter
    real_only: Segmenter | None = None

    @property
    def rows(self) -> list[str]:
        """Names of the methods, in order."""
        return [OTSU, MASK, FOREGROUND, *([SYNTHETIC] if self.real_only else []), SEEDS, ENGINE]

    def labels(self, plane: PlaneYX) -> dict[str, LabelsYX]:
        """Labels (Y, X) of a plane by every method of `rows`."""
        found = {OTSU: otsu_watershed(plane)}
        first = self.real_only or self.segmenter
        statistics = first.statistics([plane])
        found[MASK] = _mask_labels(first, plane, of_whole_image([plane], statistics))
        found[FOREGROUND] = _mask_labels(first, plane, statistics)
        if self.real_only:
            statistics = self.segmenter.statistics([plane])
            found[SYNTHETIC] = _mask_labels(self.segmenter, plane, statistics)
        found[SEEDS] = _seeded_labels(self.segmenter, plane, statistics)
        found[ENGINE] = self.segmenter.segment_plane(plane, statistics).labels
        return found


def otsu_watershed(plane: PlaneYX) -> LabelsYX:
    """(Y, X) int32 labels without any network: smoothing (sigma 1 px), Otsu's threshold, watershed of the distances.

    The markers are the maxima of the smoothed distance transform, at least half of the largest regions' typical radius
    apart; objects under a fifth of the mean area are removed, as in the paper.
    """
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    finite = np.isfinite(plane)
    values = np.where(finite, plane, plane[finite].min() if finite.any() else 0).astype(np.float32)
    values = ndi.gaussian_filter(values, 1.0)
    if not np.ptp(values):
        return np.zeros(plane.shape, np.int32)
    mask = ndi.binary_fill_holes(values > threshold_otsu(values))
    distance = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 1.0)
    pieces, count = ndi.label(mask)
    radius = float(np.median(ndi.maximum(distance, pieces, np.arange(1, count + 1)))) if count else 1.0
    peaks = peak_local_max(distance, min_distance=max(1, round(radius / 2)), labels=pieces, exclude_border=False)
    markers = np.zeros(plane.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return _without_specks(watershed(-distance, markers, mask=mask))


def _without_specks(labels: LabelsYX) -> LabelsYX:
    areas = np.bincount(labels.ravel())[1:]
    present = areas[areas > 0]
    least = SMALLEST_SHARE * float(present.mean()) if present.size else 1.0
    return drop_small(labels.astype(np.int32), np.zeros(len(areas), np.float32), least)[0]


def _inside(maps: PlaneMaps, params: SegmentationParams) -> MaskYX:
    return fill_small_holes(maps.foreground > params.foreground_threshold, 0.25 * NETWORK_AREA)


def _mask_labels(segmenter: Segmenter, plane: PlaneYX, statistics: StackStatistics) -> LabelsYX:
    """Every connected region of the mask is a nucleus."""
    if statistics.is_blank:
        return np.zeros(plane.shape, np.int32)
    mask = _inside(segmenter.maps(plane, statistics), segmenter.params)
    return _at_source(ndi.label(mask)[0], plane.shape)


def _seeded_labels(segmenter: Segmenter, plane: PlaneYX, statistics: StackStatistics) -> LabelsYX:
    """The mask divided as in the paper; regions without a proposal are nuclei too."""
    from skimage.segmentation import watershed

    if statistics.is_blank:
        return np.zeros(plane.shape, np.int32)
    maps = segmenter.maps(plane, statistics)
    mask = _inside(maps, segmenter.params)
    distance = ndi.distance_transform_edt(mask).astype(np.float32)
    seeds = seed_positions(maps.proposals, distance / TRAINED_DIAMETER_PX, mask)
    seeds = seeds[seeds[:, 0] >= 0]
    markers = np.zeros(mask.shape, np.int32)
    markers[seeds[:, 0], seeds[:, 1]] = np.arange(1, len(seeds) + 1)
    pieces, count = ndi.label(mask)
    orphans = np.setdiff1d(np.arange(1, count + 1), pieces[markers > 0])
    lonely = np.isin(pieces, orphans)
    markers[lonely] = len(seeds) + pieces[lonely]
    return _at_source(watershed(-distance, markers, mask=mask), plane.shape)


def _at_source(labels: LabelsYX, shape: tuple[int, ...]) -> LabelsYX:
    return resample_labels(_without_specks(labels), (shape[0], shape[1]))
