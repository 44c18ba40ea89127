"""What is decided once per stack before its slices are segmented: the nuclei's size and the intensity statistics.

The coarse pass of NuSeT: the network runs on the whole-image-normalised image at several resolutions; the one at which
it recognises nuclei best gives their size, and its foreground gives the statistics that the fine pass normalises by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.inference import run_network
from nuset_engine.normalize import BLANK, IntensityStatistics, foreground_statistics, whole_image_statistics
from nuset_engine.params import SegmentationParams
from nuset_engine.predictor import Predictor
from nuset_engine.resample import resample, scaled_shape

FACTORS = (2.0, 1.0, 0.5, 0.25, 0.125)  # with seen sizes of 12 to 48 px they cover nuclei of 6 to 380 px
SEEN_PX = (11.0, 46.0)
WINDOW_PX = 288  # edge of the window, in network pixels, on which a resolution is tried
SAMPLED_PLANES = 5
LEAST_PX = 12  # a plane of fewer network pixels across shows no nucleus
TRUSTED_SCORE = 0.4
CONVINCING = 0.5
RELIABLE = 1.4  # a first guess of the size that is off by more than this factor is refined once more
BOX_TO_DIAMETER = 0.97  # diameter by area over mean side of the box; the median nucleus of the training images has 0.98
COARSE_FACTOR = 0.7  # resolution of the coarse pass, relative to the fine one


@dataclass(frozen=True)
class StackStatistics:
    """Decided once per stack and used for each of its slices and tiles.

    Attributes
    ----------
    diameter_px : float
        Median nucleus diameter in source pixels.
    intensity : IntensityStatistics
        Of the foreground, for the fine pass.
    inverted : bool
        Nuclei are darker than the background; `intensity` is then that of the negative.
    """

    diameter_px: float
    intensity: IntensityStatistics
    inverted: bool = False

    @property
    def scale(self) -> float:
        """Network pixels per source pixel."""
        return TRAINED_DIAMETER_PX / self.diameter_px

    @property
    def is_blank(self) -> bool:
        """True where the stack shows no nucleus at all."""
        return self.intensity.is_blank

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


BLANK_STACK = StackStatistics(TRAINED_DIAMETER_PX, BLANK)


@dataclass(frozen=True)
class Sighting:
    """What the coarse pass saw at one resolution: nuclei, their median size in source pixels, and how sure it was."""

    factor: float
    count: int
    diameter_px: float
    evidence: float


def sampled(planes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """At most `SAMPLED_PLANES` planes, evenly spread over the stack and away from its ends."""
    count = len(planes)
    if count <= SAMPLED_PLANES:
        return [np.asarray(planes[z]) for z in range(count)]
    places = np.linspace(0, count - 1, SAMPLED_PLANES + 2)[1:-1].round().astype(int)
    return [np.asarray(planes[z]) for z in places]


def liveliest(planes: list[np.ndarray]) -> np.ndarray:
    """The plane with the largest spread of intensities: the one that shows most."""
    return planes[int(np.argmax([np.nanstd(plane.astype(np.float32)) for plane in planes]))]


def _window(plane: np.ndarray, edge: int) -> np.ndarray:
    """The busiest window of at most edge x edge pixels."""
    height, width = plane.shape
    if height <= edge and width <= edge:
        return plane
    blocks = resample(plane, (max(1, height * 4 // edge), max(1, width * 4 // edge)))
    busy = ndi.uniform_filter(np.abs(blocks - np.median(blocks)), 4, mode="constant")
    y, x = np.unravel_index(int(busy.argmax()), busy.shape)
    top = int(np.clip(y * edge // 4 - edge // 2, 0, max(0, height - edge)))
    left = int(np.clip(x * edge // 4 - edge // 2, 0, max(0, width - edge)))
    return plane[top : top + edge, left : left + edge]


def look(plane: np.ndarray, factor: float, statistics: IntensityStatistics, predictor: Predictor) -> Sighting:
    """Try one resolution on the busiest window of a plane."""
    window = _window(plane, round(WINDOW_PX / factor))
    small = resample(window, scaled_shape(window.shape, factor))
    maps = run_network([small], statistics, predictor, tile=2 * WINDOW_PX, min_score=TRUSTED_SCORE, nms_iou=0.3)[0]
    found = maps.proposals
    fits = (found.diameters > SEEN_PX[0]) & (found.diameters < SEEN_PX[1])
    if not fits.any():
        return Sighting(factor, 0, float("nan"), 0.0)
    scores, sizes = found.scores[fits], found.diameters[fits]
    explained = float((scores * np.minimum(sizes**2, TRAINED_DIAMETER_PX**2 * 2)).sum()) / small.size
    share = fits.sum() / len(found)
    return Sighting(
        factor, int(fits.sum()), float(np.median(sizes)) / factor, explained * share * float(scores.mean()) ** 2
    )


def best_sighting(plane: np.ndarray, predictor: Predictor) -> Sighting:
    """The resolution at which nuclei are recognised; one with count 0 where none are seen at any.

    From afar a round cluster of nuclei looks like one nucleus, while from nearby hardly anything looks like many. So of
    all resolutions with at least half of the best evidence the finest is right.
    """
    statistics = whole_image_statistics(plane)
    seen = [look(plane, f, statistics, predictor) for f in FACTORS if min(plane.shape) * f >= LEAST_PX]
    enough = CONVINCING * max(sighting.evidence for sighting in seen)
    return next(sighting for sighting in seen if sighting.evidence >= enough)


def may_be_inverted(plane: np.ndarray) -> bool:
    """True where the darker pixels are the rarer ones, as with dark nuclei on a bright background."""
    low, half, high = np.percentile(plane[:: max(1, plane.shape[0] // 1024)], (0.5, 50, 99.5))
    return bool(half - low > high - half)


def survey(planes: Sequence[np.ndarray], predictor: Predictor, params: SegmentationParams) -> StackStatistics:
    """Size and intensity statistics of a stack.

    Parameters
    ----------
    planes : sequence of (Y, X)
        The stack's slices, read lazily; a few of them are looked at.
    predictor : Predictor
    params : SegmentationParams
        `nucleus_diameter_px` is taken instead of the size that is found.
    """
    some = sampled(planes)
    whole = whole_image_statistics(np.stack([plane.astype(np.float32) for plane in some]))
    if whole.is_blank:
        return BLANK_STACK
    some = [np.where(np.isfinite(plane), plane, whole.background).astype(np.float32) for plane in some]
    plane = liveliest(some)
    seen = best_sighting(plane, predictor)
    inverted = False
    if may_be_inverted(plane):
        other = best_sighting(-plane, predictor)
        inverted = other.evidence > seen.evidence
        seen = other if inverted else seen
    if seen.count == 0:
        return BLANK_STACK
    some = [-plane for plane in some] if inverted else some
    found = refined(some, seen.diameter_px, predictor, params)
    return replace(found, inverted=inverted)


def refined(
    planes: list[np.ndarray], diameter: float, predictor: Predictor, params: SegmentationParams
) -> StackStatistics:
    """Statistics by the coarse pass at about the right resolution, which it takes a second look to find if need be."""
    whole = whole_image_statistics(np.stack(planes))
    if params.nucleus_diameter_px is not None:
        known = params.nucleus_diameter_px
        return replace(coarse_pass(planes, known, whole, predictor, params), diameter_px=known)
    seen = coarse_pass(planes, diameter, whole, predictor, params)
    if not 1 / RELIABLE < seen.diameter_px / diameter < RELIABLE:
        seen = coarse_pass(planes, seen.diameter_px, whole, predictor, params)
    return seen


def coarse_pass(
    planes: list[np.ndarray],
    diameter: float,
    whole: IntensityStatistics,
    predictor: Predictor,
    params: SegmentationParams,
) -> StackStatistics:
    """Segment whole-image-normalised planes at reduced resolution, one by one, and measure what was found.

    Returns
    -------
    StackStatistics
        Median diameter of the nuclei by their boxes, `diameter` where there are none; statistics of the foreground,
        `whole` where there is none.
    """
    scale = COARSE_FACTOR * TRAINED_DIAMETER_PX / diameter
    small, masks, sizes = [], [], []
    for plane in planes:
        small.append(resample(plane, scaled_shape(plane.shape, scale)))
        (maps,) = run_network(
            small[-1:], whole, predictor, tile=params.tile_px, min_score=params.seed_score, nms_iou=params.nms_iou
        )
        masks.append(maps.foreground > params.foreground_threshold)
        sizes.append(maps.proposals.diameters)
    found = np.concatenate(sizes)
    measured = float(np.median(found)) * BOX_TO_DIAMETER / scale if found.size else diameter
    intensity = foreground_statistics(np.stack(small), np.stack(masks))
    return StackStatistics(measured, intensity or whole)
