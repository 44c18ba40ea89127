"""Which channel shows nuclei, of drawn ones, with a segmenter that is a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from cases.channel_scenes import KINDS, scene
from cases.threshold import ThresholdSegmenter
from scipy import ndimage

from nuset_engine.channels.choice import Verdict
from nuset_engine.channels.trial import try_channels

SEGMENTER = ThresholdSegmenter()
rng = np.random.default_rng(4)


def noise(shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    return np.random.default_rng(1).normal(100, 5, shape)


def discs(radius: float, bright: float = 200, dark: float = 0, shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    """Discs of this radius in rows 32 pixels apart; `dark` is what their middles lack."""
    y, x = np.indices(shape)
    distance = np.hypot((y % 32) - 16, (x % 32) - 16)
    drawn = noise(shape) + bright * (distance < radius) - dark * (distance < radius / 2)
    return ndimage.gaussian_filter(drawn, 1)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_nuclei_are_found_beside_noise_and_lines(place: int) -> None:
    lines = ndimage.gaussian_filter(noise() + 300 * (np.indices((128, 128)).sum(axis=0) % 16 == 0), 1)
    channels = [[noise()], [lines]]
    channels.insert(place, [discs(6)])
    trial = try_channels(channels, SEGMENTER)
    assert (trial.verdict, trial.best) == (Verdict.CLEAR, place)
    figures = trial.figures[place]
    assert figures.nuclei == 16
    assert figures.width_px == pytest.approx(12, abs=2)
    assert figures.likelihood > 0.5 > max(one.likelihood for one in trial.figures if one is not figures)


@pytest.mark.parametrize("bodies_first", [True, False])
def test_nuclei_lie_inside_cells_and_are_dark_there(bodies_first: bool) -> None:
    bodies, nuclei = [discs(13, bright=260, dark=180)], [discs(6)]
    trial = try_channels([bodies, nuclei] if bodies_first else [nuclei, bodies], SEGMENTER)
    assert (trial.verdict, trial.best) == (Verdict.CLEAR, 1 if bodies_first else 0)


def test_two_channels_with_the_same_nuclei_are_close() -> None:
    other = discs(6) + np.random.default_rng(5).normal(0, 8, (128, 128))
    trial = try_channels([[discs(6)], [other]], SEGMENTER)
    assert trial.verdict is Verdict.CLOSE


def test_a_picture_in_greys_of_three_colours_needs_no_question() -> None:
    """Neither with nuclei nor without."""
    hot = noise()
    hot[3, 4] = 60_000
    for grey in (discs(6), hot):
        trial = try_channels([[grey], [grey * 1.01], [grey]], SEGMENTER)
        assert (trial.verdict, trial.best) == (Verdict.CLEAR, 0)


def test_hot_pixels_that_channels_share_do_not_make_them_one() -> None:
    channels = [discs(6), np.random.default_rng(8).normal(100, 5, (128, 128))]
    for plane in channels:
        plane[::40, ::40] = 50_000
    trial = try_channels([[plane] for plane in channels], SEGMENTER)
    assert trial.verdict is not Verdict.CLEAR  # two pictures, and in both the threshold sees hot pixels alone


def test_channels_without_light_leave_one() -> None:
    dark = np.zeros((128, 128))
    assert try_channels([[dark], [discs(6, bright=60)], [dark]], SEGMENTER).verdict is Verdict.CLEAR
    assert try_channels([[dark], [noise()]], SEGMENTER).verdict is Verdict.NONE


def test_noise_is_none_and_a_hint_does_not_change_that() -> None:
    other = np.random.default_rng(6).normal(100, 5, (128, 128))
    assert try_channels([[noise()], [other]], SEGMENTER, hints=[0.0, 1.0]).verdict is Verdict.NONE


def test_a_hint_decides_between_equals_only() -> None:
    other = discs(6) + np.random.default_rng(5).normal(0, 8, (128, 128))
    hinted = try_channels([[discs(6)], [other]], SEGMENTER, hints=[0.0, 2.0])
    assert hinted.best == 1
    assert try_channels([[discs(6)], [noise()]], SEGMENTER, hints=[0.0, 2.0]).best == 0


def test_what_is_no_nucleus_by_its_size_is_none() -> None:
    channels = [[discs(6)], [noise()]]
    assert try_channels(channels, SEGMENTER, pixel_um=0.5).verdict is Verdict.CLEAR
    assert try_channels(channels, SEGMENTER, pixel_um=0.05).verdict is Verdict.NONE
    assert try_channels(channels, SEGMENTER, pixel_um=20).verdict is Verdict.NONE


def test_it_looks_where_there_is_something_to_see_and_no_further() -> None:
    """A few slices of many, and a window of a large plane."""
    seen: list[tuple[int, ...]] = []

    class Watching(ThresholdSegmenter):
        def segment_stack(self, planes, **unused):  # type: ignore[no-untyped-def]
            seen.append((len(planes), *planes[0].shape))
            return super().segment_stack(planes)

    stack = np.random.default_rng(2).normal(100, 5, (9, 700, 900))
    stack[4, 500:628, 700:828] = discs(6)
    trial = try_channels([list(noise((700, 900))[None].repeat(9, 0)), list(stack)], Watching(), numbers=[3, 5])
    assert (trial.verdict, trial.best) == (Verdict.CLEAR, 5)
    assert seen == [(3, 448, 448)] * 2


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"bleed-through"}))
def test_no_other_stain_is_taken_for_nuclei(kind: str) -> None:
    """What microscopes show beside nuclei, where these are plain to see: nuclei are taken, or asked for."""
    for seed in (3, 5):
        drawn = scene(seed, 192, (kind,))
        trial = try_channels([[plane] for plane in drawn.channels], SEGMENTER)
        assert trial.verdict is not Verdict.CLEAR or trial.best == drawn.nuclear, (kind, seed, trial)
