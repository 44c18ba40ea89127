"""Dark nuclei on a bright background are seen as bright ones are, however few they are and whatever lies behind them;
and what a resolution is believed for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.inference.survey import CERTAIN, Sighting, credible
from nuset_engine.planes.exposure import may_be_inverted
from nuset_engine.segment import Segmenter

PLACES = ((40, 60), (120, 150), (70, 200), (190, 50), (200, 210), (128, 90), (30, 140), (230, 120))
TOP = 4000


def nuclei(count: int, edge: int = 256) -> np.ndarray:
    """(Y, X) float bright round nuclei of about 22 px on 0."""
    y, x = np.mgrid[:edge, :edge]
    inside = np.zeros((edge, edge))
    for down, along in PLACES[:count]:
        inside[(y - down) ** 2 / 1.2 + (x - along) ** 2 * 1.2 < 11**2] = 1
    texture = ndi.gaussian_filter(np.random.default_rng(0).normal(size=inside.shape), 2)
    return 1000 * ndi.gaussian_filter(inside, 1) * (1 + texture)


def behind(kind: str, edge: int) -> np.ndarray | float:
    """What lies behind them."""
    return 20 * np.random.default_rng(1).normal(size=(edge, edge)) + 100 if kind == "noise" else 0


@pytest.mark.parametrize(
    ("count", "edge", "kind"),
    [(1, 256, "even"), (1, 640, "noise"), (3, 256, "noise"), (3, 640, "even"), (8, 256, "even"), (8, 256, "noise")],
)
def test_the_negative_of_an_image_gives_what_the_image_gives(
    segmenter: Segmenter, count: int, edge: int, kind: str
) -> None:
    """In the even ones, all of three quarters of the pixels and more have the same value, the largest one."""
    image = np.clip(nuclei(count, edge) + behind(kind, edge), 0, TOP).astype(np.uint16)
    bright, dark = segmenter.statistics([image]), segmenter.statistics([TOP - image])
    assert not bright.inverted
    assert dark.inverted
    assert dark.diameter_px == pytest.approx(bright.diameter_px, rel=0.02)
    labels = segmenter.segment_plane(TOP - image).labels
    assert all(labels[place] > 0 for place in PLACES[:count])
    assert len(np.unique(labels)) == count + 1


@pytest.mark.parametrize("value", [0, 7])
def test_an_even_plane_is_blank_either_way(segmenter: Segmenter, value: int) -> None:
    assert segmenter.statistics([np.full((128, 128), value, np.uint8)]).is_blank


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_of_less_than_four_pixels_in_a_square_nothing_is_believed(shape: tuple[int, int]) -> None:
    assert not may_be_inverted(np.full(shape, 3.0))
    assert not may_be_inverted(np.full(shape, np.nan))


def test_dead_pixels_are_no_dark_nuclei() -> None:
    image = nuclei(8) + 5000
    image[::40, ::40] = 0
    assert not may_be_inverted(image)
    image[100:104, 100:104] = 0
    assert may_be_inverted(image)


def test_one_thing_of_the_right_size_is_never_certain() -> None:
    """From afar a colony is one round thing."""
    assert Sighting(1.0, 20, 24.0, CERTAIN).is_certain
    assert not Sighting(0.125, 1, 195.0, 2 * CERTAIN).is_certain
    assert not Sighting(1.0, 20, 24.0, CERTAIN / 2).is_certain
    assert not Sighting(1.0, 20, 12.0, CERTAIN).is_certain


def test_parts_of_nuclei_are_believed_less_than_nuclei() -> None:
    """From too near, parts are many, but their scores are low."""
    whole, parts = Sighting(0.5, 12, 46.9, 0.0263, 0.72), Sighting(2.0, 16, 11.9, 0.0148, 0.56)
    assert credible(parts, (1024, 1024)) < 0.5 * credible(whole, (1024, 1024))
