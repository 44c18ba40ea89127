"""Rendered stacks: the same bytes for the same seed, truth that is a partition, and a picture that shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nuset_engine.errors import EngineError
from nuset_engine.synthetic.optics import MissedSlice, Optics
from nuset_engine.synthetic.render import render
from nuset_engine.synthetic.shapes import NucleusShapes, Outline, crowd, radius_towards, random_rotations

SHAPE = (10, 96, 96)
VOXEL_UM = (1.0, 0.35, 0.35)
QUIET = Optics(read_noise=0.0, haze=0.0, background_photons=0.0, texture=0.0)


def ball(centre_um: tuple[float, float, float], radius_um: float = 4.0, **changes: object) -> NucleusShapes:
    """One round nucleus."""
    one = NucleusShapes(
        centres_um=np.array([centre_um], dtype=float),
        semi_axes_um=np.full((1, 3), radius_um),
        rotations=np.eye(3)[None],
        brightness=np.ones(1),
        condensation=np.zeros(1),
        seeds=np.array([5]),
    )
    return replace(one, **changes)


def pair(distance_um: float) -> NucleusShapes:
    """Two round nuclei of radius 4 um side by side along x."""
    a, b = ball((5, 16, 10)), ball((5, 16, 10 + distance_um), seeds=np.array([6]))
    names = ("centres_um", "semi_axes_um", "rotations", "brightness", "condensation", "seeds")
    return NucleusShapes(**{name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in names})


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_noise() -> None:
    shapes = crowd(np.random.default_rng(1), SHAPE, VOXEL_UM, 6)
    first, second, other = (render(shapes, SHAPE, VOXEL_UM, rng=seed) for seed in (4, 4, 5))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()
    assert (first[0] != other[0]).any()
    assert (first[1] == other[1]).all()


def test_a_ball_has_its_volume_its_place_and_its_light() -> None:
    smooth = replace(QUIET, irregularity=0.0)
    image, labels = render(ball((5, 16, 18)), SHAPE, VOXEL_UM, smooth)
    assert labels.dtype == image.dtype == np.uint16
    inside = labels == 1
    assert inside.sum() * np.prod(VOXEL_UM) == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.03)
    assert np.argwhere(inside).mean(axis=0) * VOXEL_UM == pytest.approx([5, 16, 18], abs=0.1)
    assert image[inside].mean() > 5 * image[~inside].mean()


def test_where_nuclei_overlap_a_voxel_belongs_to_the_one_in_which_it_is_deepest() -> None:
    _, labels = render(pair(6.0), SHAPE, VOXEL_UM, replace(QUIET, irregularity=0.0))
    x_um = np.arange(SHAPE[2]) * VOXEL_UM[2]
    row = labels[5, round(16 / 0.35)]
    assert set(row[(x_um > 7) & (x_um < 12.9)]) == {1}
    assert set(row[(x_um > 13.1) & (x_um < 19)]) == {2}


def test_touching_nuclei_are_separated_by_a_darker_seam() -> None:
    optics = replace(QUIET, irregularity=0.0)
    (dark, _), (even, _) = (render(pair(7.6), SHAPE, VOXEL_UM, replace(optics, seam_um=s)) for s in (0.6, 0.0))
    seam = (slice(4, 7), slice(42, 50), slice(39, 41))
    assert dark[seam].mean() < 0.85 * even[seam].mean()


def test_light_falls_with_depth_with_time_and_widens_along_z_more_than_in_the_plane() -> None:
    deep, _ = render(ball((7, 16, 16)), SHAPE, VOXEL_UM, QUIET)
    shallow, _ = render(ball((7, 16, 16)), SHAPE, VOXEL_UM, replace(QUIET, attenuation_length_um=1e6))
    later, _ = render(ball((7, 16, 16)), SHAPE, VOXEL_UM, QUIET, time_point=20)
    bright = shallow > 600
    assert deep[bright].mean() < 0.95 * shallow[bright].mean()
    assert later[bright].mean() < 0.85 * deep[bright].mean()

    cube = (0.35, 0.35, 0.35)
    image, labels = render(ball((7, 7, 7), 2.5), (41, 41, 41), cube, replace(QUIET, irregularity=0.0))
    bright = image > 0.4 * image[labels == 1].mean()
    extent = [np.ptp(np.flatnonzero(bright.any(axis=axes))) for axes in ((1, 2), (0, 1))]
    assert extent[0] > extent[1]


def test_missed_slices_are_black_or_shifted_and_the_truth_stays() -> None:
    shapes = ball((5, 16, 16))
    whole, labels = render(shapes, SHAPE, VOXEL_UM, QUIET)
    missed = (MissedSlice(4), MissedSlice(6, "shifted", (0, 20)))
    spoilt, same_labels = render(shapes, SHAPE, VOXEL_UM, QUIET, missed=missed)
    assert (labels == same_labels).all()
    assert spoilt[4].max() == QUIET.offset < whole[4].max()
    column = [np.average(np.arange(96), weights=stack[6].sum(axis=0) - QUIET.offset * 96) for stack in (whole, spoilt)]
    assert column[1] - column[0] == pytest.approx(20, abs=1)
    assert abs(spoilt[5].astype(int) - whole[5]).mean() < 30


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 6), st.integers(8, 48), st.integers(8, 48)),
    voxel_um=st.tuples(st.floats(0.3, 4), st.floats(0.2, 1.5), st.floats(0.2, 1.5)),
    count=st.integers(0, 12),
)
def test_any_crowd_in_any_stack_gives_labels_of_its_nuclei_only(
    seed: int, shape: tuple[int, int, int], voxel_um: tuple[float, float, float], count: int
) -> None:
    shapes = crowd(np.random.default_rng(seed), shape, voxel_um, count, diameter_um=6.0)
    image, labels = render(shapes, shape, voxel_um, rng=seed)
    assert image.shape == labels.shape == shape
    assert len(shapes) <= count
    assert labels.max(initial=0) <= len(shapes)
    # Bumps and the grid of voxels may add to an ellipsoid's volume, but not much.
    volumes_um3 = np.bincount(labels.ravel(), minlength=len(shapes) + 1)[1:] * np.prod(voxel_um)
    full = 4 / 3 * np.pi * shapes.semi_axes_um.prod(axis=1)
    assert (volumes_um3 <= 1.6 * full + 3 * np.prod(voxel_um)).all()


def test_a_crowd_is_spread_over_its_field_and_partly_in_contact() -> None:
    shapes = crowd(np.random.default_rng(3), (20, 200, 200), VOXEL_UM, 40)
    field = np.array((20, 200, 200)) * VOXEL_UM
    assert len(shapes) == 40
    assert ((shapes.centres_um >= 0) & (shapes.centres_um <= field)).all()
    distance = np.linalg.norm(shapes.centres_um[:, None] - shapes.centres_um[None], axis=2)
    size = shapes.semi_axes_um.prod(axis=1) ** (1 / 3)
    touching = (distance < size[:, None] + size[None]) & ~np.eye(40, dtype=bool)
    assert touching.any(axis=1).mean() > 0.4


def test_rotations_are_rotations() -> None:
    rotations = random_rotations(np.random.default_rng(0), 50)
    assert np.allclose(rotations @ np.swapaxes(rotations, 1, 2), np.eye(3))
    assert np.allclose(np.linalg.det(rotations), 1)


def test_radius_towards_an_axis_is_that_semi_axis() -> None:
    shapes = ball(
        (0, 0, 0), semi_axes_um=np.array([[2.0, 3.0, 5.0]]), rotations=random_rotations(np.random.default_rng(2), 1)
    )
    radii = radius_towards(shapes, np.zeros(3, dtype=int), shapes.rotations[0].T)
    assert radii == pytest.approx([2, 3, 5])


def test_an_outline_stays_within_its_farthest_radius() -> None:
    for seed in range(20):
        outline = Outline.random(np.random.default_rng(seed), 0.05)
        u = np.random.default_rng(seed).normal(size=(3, 500)).astype(np.float32)
        radius = outline.relative_radius(u, np.linalg.norm(u, axis=0))
        assert radius.min() >= 0.5
        assert radius.max() <= outline.farthest + 1e-5


def test_what_cannot_be_rendered_is_refused_with_a_sentence() -> None:
    one = ball((5, 16, 16))
    with pytest.raises(EngineError, match="give Z, Y, X"):
        render(one, (0, 5, 5), VOXEL_UM)
    with pytest.raises(EngineError, match="Voxel size"):
        render(one, SHAPE, (1.0, 0.0, 0.35))
    with pytest.raises(EngineError, match="give 0 to 9"):
        render(one, SHAPE, VOXEL_UM, missed=[MissedSlice(10)])
    with pytest.raises(EngineError, match="semi_axes_um"):
        ball((5, 16, 16), radius_um=0.0)
    with pytest.raises(EngineError, match=r"seeds has shape \(2,\)"):
        ball((5, 16, 16), seeds=np.zeros(2, dtype=int))
