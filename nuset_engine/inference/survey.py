"""What is decided once per stack before its slices are segmented: the nuclei's size and the intensity statistics.

The coarse pass of NuSeT: the network runs on the whole-image-normalised image at several resolutions; the one at which
it recognises nuclei best gives their size, and its foreground gives the statistics that the fine pass normalises by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import PlaneF32, PlaneYX, ValuesN
from nuset_engine.inference.maps import PlaneMaps, edge_softness
from nuset_engine.inference.passes import run_network
from nuset_engine.inference.predictor import Predictor
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.exposure import PLAIN, Exposure, may_be_inverted, measure_exposure, places
from nuset_engine.planes.faulty_lines import common_faults, mended
from nuset_engine.planes.few_shapes import rounded_factor, rounded_shape
from nuset_engine.planes.lazy import LazyPlanes
from nuset_engine.planes.lines import Stripes, striped
from nuset_engine.planes.liveliness import showing
from nuset_engine.planes.normalize import (
    BLANK,
    LARGEST_SAMPLE,
    IntensityStatistics,
    foreground_statistics,
    sample,
    whole_image_statistics,
)
from nuset_engine.planes.quantiles import median
from nuset_engine.planes.resample import scaled_shape
from nuset_engine.planes.scaled_plane import ScaledPlane

FACTORS = (1.0, 0.5, 2.0, 0.25, 0.125)  # with seen sizes of 12 to 48 px they cover nuclei of 6 to 380 px
SEEN_PX = (11.0, 46.0)
WINDOW_PX = 288  # edge of the window, in network pixels, on which a resolution is tried
LEAST_PX = 12  # a plane of fewer network pixels across shows no nucleus
CERTAIN = 0.04  # evidence of a resolution at which nuclei of about the trained size are seen: no other need be tried
CERTAIN_PX = (18.0, 34.0)
TRUSTED_SCORE, SURER_SCORE = 0.4, 0.6  # of a nucleus at a first, and at a second search
CONVINCING = 0.5
CROWD = 8  # more nuclei than so many are not clusters of smaller ones
AGREEING = 3  # so many nuclei are half as convincing as a crowd, and never certain
SPANNING = 0.75  # a nucleus that is larger than this part of the plane is hardly one
SPANNING_TRUST = 0.02
SAMPLED_PLANES = 5
RELIABLE = 1.4  # a first guess of the size that is off by more than this factor is refined once more
BOX_TO_DIAMETER = 0.97  # diameter by area over mean side of the box; the median nucleus of the training images has 0.98
COARSE_FACTOR = 0.7  # resolution of the coarse pass, relative to the fine one
COARSE_PX = 256  # edge of the windows, in network pixels, that the coarse pass sees of a large plane
COARSE_PARTS = 2  # so many windows along both axes
LARGEST_WHOLE_PX = 1.25 * (COARSE_PARTS * COARSE_PX) ** 2  # the coarse pass sees all of a smaller plane
KEPT_BYTES = 1 << 28  # sampled planes are read again where they are larger than this together


@dataclass(frozen=True)
class StackStatistics:
    """Decided once per stack and used for each of its slices and tiles.

    Attributes
    ----------
    diameter_px : float
        Median nucleus diameter in source pixels.
    intensity : IntensityStatistics
        Of the foreground, for the fine pass.
    exposure : Exposure
        Polarity, believable range, background, stripes, levels, lost lines; `intensity` is of what it shows.
    softness : float
        How soft outlines look (`edge_softness`).
    stacked : bool
        There are several slices: outlines follow `SegmentationParams.of_stack`, else `SegmentationParams.of_plane`.
    """

    diameter_px: float
    intensity: IntensityStatistics
    exposure: Exposure = PLAIN
    softness: float = 0.0
    stacked: bool = False

    @property
    def inverted(self) -> bool:
        """True where nuclei are darker than the background; `intensity` is then that of the negative."""
        return self.exposure.inverted

    @property
    def scale(self) -> float:
        """Network pixels per source pixel."""
        return TRAINED_DIAMETER_PX / self.diameter_px

    def network_shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The shape of a slice of this shape at network resolution."""
        return scaled_shape(shape, self.scale) if self.stacked else rounded_shape(shape, self.scale)

    def scaled(self, plane: PlaneYX) -> ScaledPlane:
        """A slice as the network sees it."""
        shape = self.network_shape(plane.shape)
        return ScaledPlane(plane, self.scale, self.intensity.background, self.exposure, shape)

    @property
    def is_blank(self) -> bool:
        """True where the stack shows no nucleus at all."""
        return self.intensity.is_blank

    def outlined(self, params: SegmentationParams) -> SegmentationParams:
        """The parameters that hold for its slices."""
        return params.of_stack() if self.stacked else params.of_plane(self.softness)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


BLANK_STACK = StackStatistics(TRAINED_DIAMETER_PX, BLANK)


@dataclass(frozen=True)
class Sighting:
    """What the coarse pass saw at one resolution: nuclei, median size in source pixels, how sure it was, mean score."""

    factor: float
    count: int
    diameter_px: float
    evidence: float
    score: float = 0.0

    @property
    def is_certain(self) -> bool:
        """True where many nuclei of about the trained size are seen."""
        enough = self.count > AGREEING and self.evidence >= CERTAIN
        return enough and CERTAIN_PX[0] <= self.diameter_px * self.factor <= CERTAIN_PX[1]


class SampledPlanes(LazyPlanes):
    """At most `SAMPLED_PLANES` planes, evenly spread over those of a stack that show something, without `faults`.

    Parameters
    ----------
    planes : sequence of (Y, X)
        Those of the chosen that do not fit into `KEPT_BYTES` are read again whenever one is asked for.
    """

    def __init__(self, planes: Sequence[PlaneYX]) -> None:
        chosen = showing(planes, SAMPLED_PLANES)
        own = LazyPlanes(lambda i: np.asarray(planes[chosen[i]]), len(chosen), KEPT_BYTES)
        self.faults = common_faults(own)
        super().__init__(lambda i: mended(own[i], self.faults)[:, :], len(chosen))

    def values(self, exposure: Exposure) -> list[ValuesN]:
        """Finite values (N,) float32 of each plane as `exposure` shows it, as many as statistics need."""
        return [self._values(self[index], exposure) for index in range(len(self))]

    def _values(self, plane: PlaneYX, exposure: Exposure) -> ValuesN:
        stride = int(np.ceil(np.sqrt(plane.size / (LARGEST_SAMPLE / len(self)))))
        where = [places(slice(0, n, stride), n) for n in plane.shape]
        shown = exposure.shown(exposure.straight(plane)[::stride, ::stride], np.nan, *where)
        return sample(exposure.flattened(shown, *where))


def look(
    plane: PlaneYX,
    factor: float,
    statistics: IntensityStatistics,
    exposure: Exposure,
    predictor: Predictor,
    stacked: bool,
    near: bool = False,
) -> Sighting:
    """Try one resolution on the busiest window of a plane; see `ScaledPlane.busiest` for `near`."""
    scaled, least = ScaledPlane(plane, factor, statistics.background, exposure), SURER_SCORE if near else TRUSTED_SCORE
    small = scaled[scaled.busiest(WINDOW_PX, near=near)[0]]
    (maps,) = run_network(
        [small], statistics, predictor, stacked=stacked, tile=2 * WINDOW_PX, min_score=least, nms_iou=0.3
    )
    found = maps.proposals
    fits = (found.diameters > SEEN_PX[0]) & (found.diameters < SEEN_PX[1])
    if not fits.any():
        return Sighting(factor, 0, float("nan"), 0.0)
    scores, sizes = found.scores[fits], found.diameters[fits]
    explained = float((scores * np.minimum(sizes**2, TRAINED_DIAMETER_PX**2 * 2)).sum()) / small.size
    share, score = fits.sum() / len(found), float(scores.mean())
    return Sighting(factor, int(fits.sum()), median(sizes) / factor, explained * share * score**2, score)


def best_sighting(
    plane: PlaneYX,
    statistics: IntensityStatistics,
    exposure: Exposure,
    predictor: Predictor,
    stacked: bool,
    near: bool = False,
) -> Sighting:
    """The resolution at which nuclei are recognised; one with count 0 where none are seen at any.

    The first one at which a crowd of about the trained size is seen is right. Else, from afar a round cluster of nuclei
    looks like one nucleus, and from nearby hardly anything looks like many: of all resolutions with at least half of
    the best evidence the finest is right. Where some are seen, just the finer ones are tried besides.
    """
    seen, least = [], LEAST_PX / min(plane.shape)
    for factor in FACTORS:
        if factor >= least:
            seen.append(look(plane, factor, statistics, exposure, predictor, stacked, near))
            if seen[-1].is_certain and seen[-1].count > CROWD:
                return seen[-1]
            least = factor if seen[-1].is_certain else least
    weights = [credible(sighting, plane.shape) for sighting in seen]
    enough = CONVINCING * max(weights)
    return max((s for s, weight in zip(seen, weights, strict=True) if weight >= enough), key=lambda s: s.factor)


def credible(sighting: Sighting, shape: tuple[int, ...]) -> float:
    """Evidence of a resolution on a plane of this shape, less where few nuclei agree, or one fills the whole view.

    From far enough the lit field itself, the edge of a well or a whole colony looks like one nucleus; from too near,
    parts of nuclei look like nuclei, but their scores are low.
    """
    spans = sighting.diameter_px > SPANNING * min(shape)
    agreed = sighting.count / (sighting.count + AGREEING) * sighting.score**2
    return sighting.evidence * agreed * (SPANNING_TRUST if spans else 1.0)


def survey(
    planes: Sequence[PlaneYX], predictor: Predictor, params: SegmentationParams, stacked: bool
) -> StackStatistics:
    """Size and intensity statistics of a stack.

    Parameters
    ----------
    planes : sequence of (Y, X)
        The stack's slices, read lazily; a few of them are looked at, and of large ones a few windows.
    predictor : Predictor
    params : SegmentationParams
        `nucleus_diameter_px` is taken instead of the size that is found.
    stacked : bool
        As in `StackStatistics`.
    """
    some = SampledPlanes(planes)
    views = [Liveliest.of(some, False, stripes := striped(some))]
    # Of the values as they are: a surface through dark nuclei is no background.
    if may_be_inverted(views[0].plane):
        views.append(Liveliest.of(some, True, stripes))
    if not (views := [view for view in views if not view.whole.is_blank]):
        return BLANK_STACK
    found = _seen_in(views, some, predictor, params, stacked)
    if found.is_blank:  # what differs most may be the background
        found = _seen_in([replace(view, near=True) for view in views], some, predictor, params, stacked)
    return found


def _seen_in(
    views: Sequence[Liveliest], some: SampledPlanes, predictor: Predictor, params: SegmentationParams, stacked: bool
) -> StackStatistics:
    """Statistics of the polarity in which nuclei are seen best."""
    if (known := params.nucleus_diameter_px) is not None:
        view = _clearest(views, predictor, stacked, known)[0] if len(views) > 1 else views[0]
        return view.coarse_pass(some, predictor, params, stacked).of_known_size(known, view)
    view, seen = _clearest(views, predictor, stacked, None)
    if seen.count == 0:
        return BLANK_STACK
    return view.coarse_pass(some, predictor, params, stacked).refined(seen.diameter_px)


def _clearest(
    views: Sequence[Liveliest], predictor: Predictor, stacked: bool, known: float | None
) -> tuple[Liveliest, Sighting]:
    """The polarity in which nuclei are seen best, the first of equals."""
    pairs = [(view, view.sighting(predictor, stacked, known)) for view in views]
    return max(pairs, key=lambda pair: credible(pair[1], pair[0].plane.shape))


def of_whole_image(planes: Sequence[PlaneYX], found: StackStatistics) -> StackStatistics:
    """The statistics with the intensities of all pixels instead of the foreground's; size and exposure stay."""
    values = np.concatenate(SampledPlanes(planes).values(found.exposure))
    return replace(found, intensity=whole_image_statistics(values))


@dataclass(frozen=True)
class Liveliest:
    """The sampled plane that shows most, in one polarity.

    Attributes
    ----------
    exposure : Exposure
    plane : (Y, X)
    own : IntensityStatistics
        Of its values under `exposure`.
    whole : IntensityStatistics
        Of all sampled planes.
    near : bool
        Windows are those that differ most from what is near them, see `ScaledPlane.busiest`.
    """

    exposure: Exposure
    plane: PlaneYX
    own: IntensityStatistics
    whole: IntensityStatistics
    near: bool = False

    @classmethod
    def of(cls, planes: SampledPlanes, inverted: bool, stripes: Stripes) -> Liveliest:
        """The plane with the largest spread of intensities."""
        exposure = replace(measure_exposure(planes, inverted, stripes), faults=planes.faults)
        values = planes.values(exposure)
        spread = [part.std(dtype=np.float64) if part.size else 0.0 for part in values] if len(planes) > 1 else [0.0]
        liveliest = int(np.argmax(spread))
        own = whole_image_statistics(values[liveliest])
        whole = own if len(planes) == 1 else whole_image_statistics(np.concatenate(values))
        return cls(exposure, planes[liveliest], own, whole)

    def sighting(self, predictor: Predictor, stacked: bool, known: float | None) -> Sighting:
        """The best sighting of nuclei, or of those of the known diameter (source pixels)."""
        if known is None:
            return best_sighting(self.plane, self.own, self.exposure, predictor, stacked, self.near)
        return look(self.plane, TRAINED_DIAMETER_PX / known, self.own, self.exposure, predictor, stacked, self.near)

    def coarse_pass(
        self, planes: SampledPlanes, predictor: Predictor, params: SegmentationParams, stacked: bool
    ) -> CoarsePass:
        """The coarse pass in this polarity."""
        return CoarsePass(planes, self.whole, self.exposure, predictor, params, stacked, self.near)


@dataclass(frozen=True)
class CoarsePass:
    """The network's pass over whole-image-normalised planes at reduced resolution, and what it tells of a stack."""

    planes: SampledPlanes
    whole: IntensityStatistics
    exposure: Exposure
    predictor: Predictor
    params: SegmentationParams
    stacked: bool
    near: bool = False

    def refined(self, diameter: float) -> StackStatistics:
        """Statistics at about the right resolution, which takes a second look to find if need be."""
        seen, _ = self.at(diameter)
        if not 1 / RELIABLE < seen.diameter_px / diameter < RELIABLE:
            seen, _ = self.at(seen.diameter_px)
        return seen

    def of_known_size(self, diameter: float, view: Liveliest) -> StackStatistics:
        """Statistics where the size is given: nothing is looked for, unless the coarse pass sees no nucleus at all."""
        found, count = self.at(diameter)
        if (count == 0 or self.near) and view.sighting(self.predictor, self.stacked, diameter).count == 0:
            return BLANK_STACK
        return replace(found, diameter_px=diameter)

    def at(self, diameter: float) -> tuple[StackStatistics, int]:
        """Median diameter and intensities of the nuclei that are seen when nuclei of `diameter` are looked for.

        Returns
        -------
        StackStatistics
            `diameter` where no nucleus is seen, `whole` where there is no foreground.
        int
            So many are seen.
        """
        scale = self._factor(COARSE_FACTOR * TRAINED_DIAMETER_PX / diameter)
        pixels, foregrounds, sizes = [], [], []
        for index in range(len(self.planes)):
            plane = ScaledPlane(self.planes[index], scale, self.whole.background, self.exposure)
            for window in coarse_windows(plane, self.near):
                small = plane[window]
                maps = self._look(small)
                pixels.append(small.ravel())
                foregrounds.append(maps.foreground)
                sizes.append(maps.proposals.diameters)
        found = np.concatenate(sizes)
        measured = median(found) * BOX_TO_DIAMETER / scale if found.size else diameter
        seen = StackStatistics(measured, self.whole, self.exposure, edge_softness(foregrounds), self.stacked)
        threshold = seen.outlined(self.params).foreground_threshold
        inside = np.concatenate([f.ravel() > threshold for f in foregrounds])
        intensity = foreground_statistics(np.concatenate(pixels), inside) or self.whole
        return replace(seen, intensity=intensity), found.size

    def _factor(self, factor: float) -> float:
        """About this factor, so that small single planes of about the same size have the same shape."""
        height, width = self.planes[0].shape
        small = height * width * factor**2 <= LARGEST_WHOLE_PX
        return rounded_factor((height, width), factor) if small and not self.stacked else factor

    def _look(self, small: PlaneF32) -> PlaneMaps:
        p, whole, stacked = self.params, self.whole, self.stacked
        return run_network(
            [small], whole, self.predictor, stacked=stacked, tile=p.tile_px, min_score=p.seed_score, nms_iou=p.nms_iou
        )[0]


def coarse_windows(plane: ScaledPlane, near: bool = False) -> list[tuple[slice, slice]]:
    """All of a small plane, the busiest windows of a large one: more would cost much and change little."""
    if plane.shape[0] * plane.shape[1] <= LARGEST_WHOLE_PX:
        return [(slice(0, plane.shape[0]), slice(0, plane.shape[1]))]
    return plane.busiest(COARSE_PX, COARSE_PARTS, near)
