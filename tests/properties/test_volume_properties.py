"""What holds for any slices: the result does not depend on numbers, invents no pixels, and has no holes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.volume import reconstruct


@dataclass(frozen=True)
class Slice:
    labels: np.ndarray
    scores: np.ndarray


@st.composite
def stacks(draw):
    """Random discs in random slices, many of them on top of each other."""
    depth = draw(st.integers(1, 8))
    y, x = np.mgrid[:20, :24]
    planes = np.zeros((depth, 20, 24), np.int32)
    disc = st.tuples(st.integers(0, 19), st.integers(0, 23), st.integers(1, 7))
    for plane in planes:
        for label, (cy, cx, radius) in enumerate(draw(st.lists(disc, max_size=5)), start=1):
            plane[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = label
    return planes


AS_OUTLINED = VolumeParams(surface_blur=0.0)
voxels = st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.5, 0.5), (0.4, 1.0, 1.0)])


def slices_of(planes: np.ndarray) -> list[Slice]:
    return [Slice(plane, np.linspace(0.1, 0.9, int(plane.max(initial=0)))) for plane in planes]


@settings(max_examples=60, deadline=None)
@given(stacks(), voxels)
def test_labels_are_consecutive_in_order_and_agree_with_the_table(planes, voxel):
    volume = reconstruct(slices_of(planes), voxel, AS_OUTLINED)
    present, first = np.unique(volume.labels, return_index=True)
    first = first[present > 0]
    assert present[present > 0].tolist() == volume.trust.index.tolist() == list(range(1, len(volume.trust) + 1))
    assert (np.diff(first) > 0).all()
    assert volume.trust["score"].between(0.1 - 1e-9, 0.9 + 1e-9).all()
    for label, row in volume.trust.iterrows():
        slices = np.count_nonzero((volume.labels == label).any(axis=(1, 2)))
        assert 1 <= row["slices_seen"] <= slices
        assert row["gap_bridged"] or row["slices_seen"] == slices


@settings(max_examples=60, deadline=None)
@given(stacks(), voxels)
def test_pixels_are_added_only_between_slices_of_a_bridged_nucleus(planes, voxel):
    volume = reconstruct(slices_of(planes), voxel, AS_OUTLINED)
    added = (volume.labels > 0) & (planes == 0)
    assert volume.trust["gap_bridged"].loc[np.unique(volume.labels[added])].all()
    for z in np.unique(np.nonzero(added)[0]):
        assert 0 < z < len(planes) - 1


@settings(max_examples=60, deadline=None)
@given(stacks(), voxels, st.floats(0.01, 0.3))
def test_smooth_surfaces_lose_no_nucleus_and_tell_the_same_of_it(planes, voxel, blur):
    smooth = reconstruct(slices_of(planes), voxel, VolumeParams(surface_blur=blur))
    outlined = reconstruct(slices_of(planes), voxel, AS_OUTLINED)
    assert smooth.trust.index.tolist() == np.unique(smooth.labels[smooth.labels > 0]).tolist()
    columns = outlined.trust.columns.tolist()
    assert (
        smooth.trust.sort_values(columns)
        .reset_index(drop=True)
        .equals(outlined.trust.sort_values(columns).reset_index(drop=True))
    )


@settings(max_examples=60, deadline=None)
@given(stacks(), voxels, st.integers(0, 2**32 - 1))
def test_the_numbers_of_labels_in_a_slice_do_not_matter(planes, voxel, seed):
    rng = np.random.default_rng(seed)
    first = reconstruct([Slice(p, np.full(9, 0.5)) for p in planes], voxel)
    shuffled = [np.concatenate([[0], rng.permutation(np.arange(1, 10))])[p] for p in planes]
    second = reconstruct([Slice(p, np.full(9, 0.5)) for p in shuffled], voxel)
    np.testing.assert_array_equal(first.labels, second.labels)
