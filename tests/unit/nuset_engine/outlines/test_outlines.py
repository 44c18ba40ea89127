"""Outlines of soft edges: where each nucleus' own rim says, whatever its brightness and its neighbour's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.errors import EngineError
from nuset_engine.inference.maps import Separated
from nuset_engine.inference.passes import Reading
from nuset_engine.inference.review import reviewed
from nuset_engine.outlines.growing import grown
from nuset_engine.outlines.moving import moved
from nuset_engine.outlines.placing import FOOT_SHARE, HALF_SHARE, half_widths, placed
from nuset_engine.outlines.rims import SPARSE, crossings, profiles, rays
from nuset_engine.params import FOOT, LEARNED, SegmentationParams
from nuset_engine.planes.normalize import BLANK
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

SHAPE = (80, 110)
THRESHOLD = 0.4
RADIUS = 13.0
FIRST, SECOND = (40.3, 30.6), (38.0, 70.0)  # y, x of two discs
BACKGROUND = 100.0


def distance(middle: tuple[float, float]) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return np.hypot(rows - middle[0], columns - middle[1])


def disc(middle: tuple[float, float], radius: float = RADIUS) -> np.ndarray:
    return np.clip(radius + 0.5 - distance(middle), 0, 1)


def learned(*radii: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probability as a network gives them, with outlines at these radii of both discs."""
    slopes = [
        np.clip(THRESHOLD + (radius - distance(middle)) / 2, 0, 1)
        for middle, radius in zip((FIRST, SECOND), radii, strict=False)
    ]
    probability = np.max(slopes, axis=0).astype(np.float32)
    labels = np.argmax(slopes, axis=0) + 1
    return np.where(probability > THRESHOLD, labels, 0).astype(np.int32), probability


def radius_of(labels: np.ndarray, number: int) -> float:
    return float(np.sqrt(np.count_nonzero(labels == number) / np.pi))


def true_radius(sigma_px: float, share: float) -> float:
    """Where a blurred disc has this share of its contrast left."""
    image = ndi.gaussian_filter(disc(FIRST), sigma_px)
    return float(np.sqrt(np.count_nonzero(image > share * image.max()) / np.pi))


@pytest.mark.parametrize("share", [HALF_SHARE, FOOT_SHARE])
@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("off_px", [-1.5, 1.5])
@pytest.mark.parametrize(("own", "neighbour"), [(1000.0, 0.0), (60.0, 1000.0), (1000.0, 60.0)])
def test_the_outline_lies_where_the_rim_says_whatever_is_beside_it(
    share: float, sigma_px: float, off_px: float, own: float, neighbour: float
) -> None:
    """Both the dim and the bright one of two neighbours; the network had drawn it too small or too large."""
    sharp = BACKGROUND + own * disc(FIRST) + neighbour * disc(SECOND)
    shown = ndi.gaussian_filter(sharp, sigma_px).astype(np.float32)
    labels, probability = learned(RADIUS + off_px, *([RADIUS] if neighbour else []))
    found, _ = placed(labels, probability, shown, THRESHOLD, share)
    assert radius_of(found, 1) == pytest.approx(true_radius(sigma_px, share), abs=0.3 + 0.15 * sigma_px)


def test_left_to_the_weights_crisp_nuclei_stay_and_soft_ones_come_towards_half() -> None:
    """In one image: decided per nucleus."""
    labels, probability = learned(RADIUS - 2.5, RADIUS + 1)
    soft, crisp = ndi.gaussian_filter(disc(FIRST), 5), ndi.gaussian_filter(disc(SECOND), 1)
    found, _ = placed(labels, probability, (soft + crisp).astype(np.float32), THRESHOLD, None)
    assert radius_of(labels, 1) + 0.4 < radius_of(found, 1) < true_radius(5, HALF_SHARE) + 0.3
    assert np.array_equal(found == 2, labels == 2)


def test_where_nuclei_touch_their_border_stays() -> None:
    probability = np.where(np.abs(np.arange(SHAPE[0]) - 40)[:, None] < 15, 1.0, 0.0) * np.ones(SHAPE)
    labels = np.where(probability > 0, np.where(np.arange(SHAPE[1]) < 50, 1, 2), 0).astype(np.int32)
    shown = ndi.gaussian_filter(np.where(labels == 1, 100.0, np.where(labels == 2, 400.0, 0.0)), 2.5)
    found, _ = placed(labels, probability.astype(np.float32), shown.astype(np.float32), THRESHOLD, FOOT_SHARE)
    assert np.count_nonzero(found) > 1.05 * np.count_nonzero(labels)
    both = (labels > 0) & (found > 0)
    assert np.array_equal(found[both], labels[both])


def test_one_that_grows_leaves_what_was_dropped() -> None:
    """The network saw a larger object, of which the right part scored too low."""
    rows, columns = np.indices(SHAPE)
    inside = (np.abs(rows - 40) < 15) & (np.abs(columns - 50) < 30)
    probability = np.where(inside, 0.95 - 0.004 * columns, 0).astype(np.float32)
    labels = (inside & (columns < 50)).astype(np.int32)
    found, _ = moved(labels, probability, np.array([0, 3.0]), THRESHOLD)
    assert np.count_nonzero(found) > 1.2 * np.count_nonzero(labels)
    assert not found[inside & (labels == 0)].any()


def test_where_nothing_is_known_nothing_moves() -> None:
    labels, probability = learned(RADIUS)
    for shown in (np.zeros(SHAPE), -disc(FIRST)):  # nothing, and a hole
        found, certain = placed(labels, probability, shown.astype(np.float32), THRESHOLD, FOOT_SHARE)
        assert found is labels
        assert certain is probability


def test_a_profile_ends_before_another_nucleus() -> None:
    """The neighbour's glow is no background of this one."""
    labels, probability = learned(RADIUS, RADIUS + 8)
    shown = np.where(labels == 2, np.nan, 10.0 * (labels == 1)).astype(np.float32)
    profile = profiles(shown, labels, rays(labels, probability, THRESHOLD), 2)
    assert np.isfinite(profile[1]).all()
    assert crossings(profile, HALF_SHARE)[1] == pytest.approx(0, abs=0.6)


def test_slices_of_stacks_stay_as_learned_unless_asked(segmenter: Segmenter) -> None:
    labels, probability = learned(RADIUS + 1, RADIUS + 1)
    shown = ndi.gaussian_filter(disc(FIRST) + disc(SECOND), 5).astype(np.float32)
    found = Separated(labels, np.ones(2, np.float32), probability)
    reading = Reading(BLANK, True, 768, 0.3, 0.35)
    assert reviewed(found, shown, reading, segmenter.predictor(stacked=True), SegmentationParams()) is found
    asked = reviewed(found, shown, reading, segmenter.predictor(stacked=True), SegmentationParams(outline=FOOT))
    assert np.count_nonzero(asked.labels) > 1.1 * np.count_nonzero(labels)
    assert len(asked.scores) == 2


def test_a_way_of_outlining_that_is_not_known_is_refused_and_others_are_stored() -> None:
    with pytest.raises(EngineError, match=r"outline = 'rim' is not learned, half or foot\."):
        SegmentationParams(outline="rim")
    assert SegmentationParams(outline=FOOT).as_dict()["outline"] == FOOT
    assert "outline" not in SegmentationParams(outline=LEARNED).as_dict()


def test_planes_and_stacks_are_outlined_as_asked(segmenter: Segmenter) -> None:
    """The foot lies outside of half; slices of stacks stay as learned unless asked."""
    drawn = SyntheticParams(median_diameter_px=(20, 21), covered=(0.12, 0.15), clustering=(0, 0.01), artefact_chance=0)
    image, _ = synthetic_image(np.random.default_rng(3), drawn)
    plane = (1000 * ndi.gaussian_filter(image, 1.5))[:150, :150]
    half, foot = (Segmenter(params=SegmentationParams(outline=outline)) for outline in ("half", "foot"))
    for planes in ([plane], [plane, plane]):
        known = segmenter.statistics(planes)
        areas = [np.count_nonzero(next(one.segment_stack(planes, known)).labels) for one in (half, segmenter, foot)]
        assert areas[0] < areas[1] < 0.95 * areas[2]
        counts = {next(one.segment_stack(planes, known)).labels.max() for one in (half, segmenter, foot)}
        assert len(counts) == 1


def test_a_thin_nucleus_grows_without_a_gap_where_another_one_lies_behind_it() -> None:
    """Three pixels back from the first place beyond two pixels of the first lies the second."""
    labels = np.zeros((30, 40), np.int32)
    labels[:, 5:16], labels[:, 16:18] = 2, 1
    probability = ndi.gaussian_filter((labels > 0).astype(np.float32), 1.0)
    out, _ = moved(labels, probability, np.array([0, 3.0, 0]), THRESHOLD)
    assert np.array_equal(out == 2, labels == 2)
    assert (out[10:20, 16:21] == 1).all()
    assert not (out[10:20, 22:] == 1).any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (30, 41)])
@pytest.mark.parametrize("reach", [0, 1, 2, 3, 6])
def test_masks_grow_by_squares(shape: tuple[int, int], reach: int) -> None:
    some = np.random.default_rng(reach).random(shape) < 0.05
    kept = some.copy()
    assert np.array_equal(grown(some, reach), ndi.maximum_filter(some, 2 * reach + 1))
    assert np.array_equal(some, kept)


def narrow_ones(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Long and narrow nuclei, each in one piece, their probability, and their image more or less out of focus."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SHAPE)
    drawn, labels = np.zeros(SHAPE, bool), np.zeros(SHAPE, np.int32)
    for _ in range(12):
        turn, long_px = rng.uniform(0, np.pi), rng.uniform(8, 40)
        down, along = rows - rng.uniform(0, SHAPE[0]), columns - rng.uniform(0, SHAPE[1])
        far = (down * np.cos(turn) + along * np.sin(turn)) / long_px
        aside = (along * np.cos(turn) - down * np.sin(turn)) / (long_px * rng.uniform(0.05, 0.25))
        one = (far**2 + aside**2 <= 1) & ~drawn
        if ndi.label(one, np.ones((3, 3)))[1] == 1:
            drawn |= one
            labels[one] = labels.max() + 1
    brightness = np.append(0, rng.uniform(0.1, 2, labels.max()))
    shown = ndi.gaussian_filter(brightness[labels], rng.uniform(0.5, 6)).astype(np.float32)
    return (
        labels,
        np.where(drawn, 0.9, 0.3 * ndi.gaussian_filter(drawn.astype(np.float32), 1)).astype(np.float32),
        shown,
    )


def pieces(labels: np.ndarray) -> list[int]:
    return [ndi.label(labels == number, np.ones((3, 3)))[1] for number in range(1, labels.max() + 1)]


@pytest.mark.parametrize("share", [None, HALF_SHARE, FOOT_SHARE])
def test_none_is_torn_or_lost_or_takes_from_another_one_however_narrow(share: float | None) -> None:
    for seed in range(20):
        labels, probability, shown = narrow_ones(seed)
        found, certain = placed(labels, probability, shown, THRESHOLD, share)
        assert pieces(found) == pieces(labels)
        assert (found[(labels > 0) & (found > 0)] == labels[(labels > 0) & (found > 0)]).all()
        assert (certain[found > 0] > THRESHOLD).all()


def test_what_grows_keeps_all_that_it_has_and_what_shrinks_gains_nothing() -> None:
    for seed in range(10):
        labels, probability, _ = narrow_ones(seed)
        for by in (-4.0, -1.5, 1.5, 4.0):
            way = np.append(0, np.full(labels.max(), by))
            found, _ = moved(labels, probability, way, THRESHOLD)
            assert (found[labels > 0] == labels[labels > 0]).all() if by > 0 else not found[labels == 0].any()
            assert len(np.unique(found)) == len(way), "one of which nothing would be left stays as it was"


def test_rays_leave_a_nucleus_on_all_sides_but_not_where_another_one_touches_it() -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
    probability = ndi.gaussian_filter((labels > 0).astype(np.float32), 1.5)
    out = rays(labels, probability, THRESHOLD)
    ways = {(int(np.rint(down)), int(np.rint(along))) for down, along in zip(out.down, out.along, strict=True)}
    assert ways >= {(-1, 0), (1, 0), (0, -1), (0, 1)}
    assert not ((out.y > 12) & (out.y < 28) & (abs(out.x - 30) < 3)).any()
    edge = np.minimum(abs(out.y - 9.5), abs(out.y - 29.5))
    assert (np.minimum(edge, np.minimum(abs(out.x - 9.5), abs(out.x - 49.5))) < 2).all()
    rows, columns = np.nonzero(
        (labels > 0) & (ndi.minimum_filter(labels, footprint=ndi.generate_binary_structure(2, 1)) == 0)
    )
    assert len(out.owner) == np.count_nonzero((rows + columns) % SPARSE == 0)


def test_long_nuclei_are_as_narrow_as_they_look() -> None:
    labels = np.where(distance(FIRST) < 12, 1, 0)
    labels[60:66, 5:105] = 2
    round_one, long_one = half_widths(labels, 2)[1:]
    assert round_one == pytest.approx(12, rel=0.05)
    assert long_one < 8
