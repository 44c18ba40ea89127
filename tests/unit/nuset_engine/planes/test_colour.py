"""Colour images as planes of brightness, and nuclei that are darker than the rest."""

from __future__ import annotations

import numpy as np

from nuset_engine.planes.colour import grey, grey_planes
from nuset_engine.training.dataset import bright_nuclei


def test_colours_become_their_brightness() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = (30, 60, 90)
    assert grey(image)[0, 0] == 60
    assert grey(image).shape == (2, 3)


def test_transparency_does_not_count() -> None:
    image = np.full((2, 2, 4), 255, np.uint8)
    image[..., :3] = 9
    assert (grey(image) == 9).all()


def test_planes_and_stacks_stay_as_they_are() -> None:
    plane, stack = np.ones((4, 5)), np.ones((2, 4, 5))
    assert grey(plane) is plane
    assert grey(stack) is stack


def test_slices_in_colours_are_mixed_one_by_one() -> None:
    red, green, blue = (np.full((2, 3, 4), value, np.uint8) for value in (10, 20, 60))
    planes = grey_planes([red, green, blue])
    assert len(planes) == 2
    assert planes[1].shape == (3, 4)
    assert (planes[1] == 30).all()


def test_dark_nuclei_are_learned_from_the_negative() -> None:
    labels = np.array([[0, 0, 1, 1]])
    stained = np.array([[200, 210, 90, 80]], np.uint8)
    assert bright_nuclei(stained, labels).tolist() == [[-200, -210, -90, -80]]
    fluorescent = 255 - stained
    assert bright_nuclei(fluorescent, labels) is fluorescent
    assert bright_nuclei(stained, np.zeros_like(labels)) is stained
