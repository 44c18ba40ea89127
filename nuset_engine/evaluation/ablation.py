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

from nuset_engine.arrays import LabelsYX, PlaneYX
from nuset_engine.inference.instances import filled_mask
from nuset_engine.inference.survey import StackStatistics, of_whole_image
from nuset_engine.models.division import divided_by_distance, divided_by_proposals, regions_of, without_specks
from nuset_engine.planes.resample import resample_labels

if TYPE_CHECKING:
    from nuset_engine.segment import Segmenter

OTSU = "Otsu with watershed"
MASK = "U-Net mask alone"
FOREGROUND = "+ foreground normalisation"
SYNTHETIC = "+ synthetic data"
SEEDS = "+ RPN seeds"
ENGINE = "full engine"


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

    Objects under a fifth of the mean area are removed, as in the paper.
    """
    from skimage.filters import threshold_otsu

    finite = np.isfinite(plane)
    values = np.where(finite, plane, plane[finite].min() if finite.any() else 0).astype(np.float32)
    values = ndi.gaussian_filter(values, 1.0)
    if not np.ptp(values):
        return np.zeros(plane.shape, np.int32)
    mask = ndi.binary_fill_holes(values > threshold_otsu(values))
    return without_specks(divided_by_distance(mask))


def _mask_labels(segmenter: Segmenter, plane: PlaneYX, statistics: StackStatistics) -> LabelsYX:
    """Every connected region of the mask is a nucleus."""
    if statistics.is_blank:
        return np.zeros(plane.shape, np.int32)
    mask = filled_mask(segmenter.maps(plane, statistics), segmenter.params)
    return _at_source(regions_of(mask), plane.shape)


def _seeded_labels(segmenter: Segmenter, plane: PlaneYX, statistics: StackStatistics) -> LabelsYX:
    """The mask divided as in the paper; regions without a proposal are nuclei too."""
    if statistics.is_blank:
        return np.zeros(plane.shape, np.int32)
    maps = segmenter.maps(plane, statistics)
    mask = filled_mask(maps, segmenter.params)
    return _at_source(divided_by_proposals(mask, maps.proposals), plane.shape)


def _at_source(labels: LabelsYX, shape: tuple[int, ...]) -> LabelsYX:
    return resample_labels(without_specks(labels), (shape[0], shape[1]))
