"""Reconstruction: one case for each thing that goes wrong between slices, and the contract of the result."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawn, drawn_slices
from volume_scenes import Slice, slices_of

from nuset_engine.errors import EngineError
from nuset_engine.nuclei import TRUST_COLUMNS
from nuset_engine.overlap import overlap
from nuset_engine.reconstruction.missed import dismiss
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.sections import SectionStack
from nuset_engine.reconstruction.volume import reconstruct

VOXEL = (1.0, 0.5, 0.5)


def balls(*centres: tuple[float, float, float], radius_um: float = 4.0, step_um: float = 1.0) -> np.ndarray:
    """Labels (24 um, 64, 64) of balls at centres z, y, x in micrometres; the nearer one wins where two overlap."""
    z, y, x = np.mgrid[: round(24 / step_um), :64, :64] * np.array([step_um, *VOXEL[1:]])[:, None, None, None]
    distance = np.stack([np.sqrt((z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2]) ** 2) for c in centres])
    return np.where(distance.min(0) < radius_um, distance.argmin(0) + 1, 0)


def as_slices(labels: np.ndarray) -> list[Slice]:
    """Slices with labels shuffled in each."""
    return slices_of(labels.astype(np.uint16), np.random.default_rng(0))


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label images have the same objects under other numbers."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return (
        bool(((pairs > 0).sum(0) != 1).all()) and len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    )


AS_OUTLINED = VolumeParams(surface_blur=0.0)  # where a test compares voxel by voxel
ALONE = balls((12, 16, 16))
BESIDE = balls((12, 10, 16), (12, 17.6, 16))
STACKED = balls((6.5, 16, 16), (14.2, 16, 16))
BALL_MIDDLE = ALONE[12] > 0
SHIFTED = balls((7, 14, 16), (13, 18.5, 16))


@pytest.mark.parametrize("truth", [ALONE, BESIDE, STACKED, SHIFTED], ids=["alone", "beside", "stacked", "shifted"])
def test_clean_slices_give_the_truth(truth):
    assert same_partition(reconstruct(as_slices(truth), VOXEL, AS_OUTLINED).labels, truth)


@pytest.mark.parametrize("blank", [10, 12, 14])
@pytest.mark.parametrize("truth", [ALONE, BESIDE], ids=["alone", "beside"])
def test_a_blank_slice_is_filled_in(truth, blank):
    seen = truth.copy()
    seen[blank] = 0
    volume = reconstruct(as_slices(seen), VOXEL, AS_OUTLINED)
    assert len(volume.trust) == truth.max()
    assert volume.trust["gap_bridged"].all()
    assert (volume.trust["slices_seen"] == np.count_nonzero(seen.any((1, 2)))).all()
    np.testing.assert_array_equal(np.delete(volume.labels > 0, blank, 0), np.delete(truth > 0, blank, 0))
    shared = (volume.labels[blank] > 0) & (truth[blank] > 0)
    assert shared.sum() > 0.85 * ((volume.labels[blank] > 0) | (truth[blank] > 0)).sum()


def test_two_blank_slices_in_a_row_are_filled_in():
    seen = ALONE.copy()
    seen[[11, 12]] = 0
    volume = reconstruct(as_slices(seen), VOXEL)
    assert len(volume.trust) == 1
    assert volume.labels[11].any()
    assert volume.labels[12].any()
    assert len(reconstruct(as_slices(seen), VOXEL, VolumeParams(max_missed_slices=1)).trust) == 2


def displaced(seen: np.ndarray, z: int, shift: tuple[int, int]) -> None:
    """Move one slice of a stack sideways, in place."""
    seen[z] = np.roll(seen[z], shift, axis=(0, 1))


@pytest.mark.parametrize("slices", [{12: (7, -6)}, {11: (-8, 7), 12: (6, 9)}, {10: (9, 8), 13: (-9, 8)}])
@pytest.mark.parametrize("truth", [ALONE, BESIDE], ids=["alone", "beside"])
def test_a_displaced_slice_counts_as_missed(truth, slices):
    seen = truth.copy()
    for z, shift in slices.items():
        displaced(seen, z, shift)
    volume = reconstruct(as_slices(seen), VOXEL)
    assert len(volume.trust) == truth.max()
    assert volume.trust["gap_bridged"].all()
    assert overlap(truth, volume.labels).iou.max() > 0.9  # straight lines between outlines cut a ball's bulge


def test_slices_that_agree_are_all_kept():
    stack = SectionStack()
    for item in as_slices(SHIFTED):
        stack.append(item.labels, item.scores)
    before = [plane.copy() for plane in stack.planes]
    assert dismiss(stack) == []
    np.testing.assert_array_equal(stack.planes, before)


def test_a_slice_that_shows_half_of_the_nuclei_is_kept():
    seen = BESIDE.copy()
    seen[12][BESIDE[12] == 1] = 0
    stack = SectionStack()
    for item in as_slices(seen):
        stack.append(item.labels, item.scores)
    assert dismiss(stack) == []


@pytest.mark.parametrize("step_um", [2.0, 2.5, 3.0])
def test_a_blank_slice_in_nuclei_of_few_slices_is_filled_in(step_um):
    truth = balls((12, 8, 8), (12 + step_um, 24, 8), (12 - step_um, 8, 24), step_um=step_um)
    seen = truth.copy()
    blank = round(12 / step_um)
    seen[blank] = 0
    volume = reconstruct(as_slices(seen), (step_um, 0.5, 0.5))
    assert len(volume.trust) == 3
    assert volume.labels[blank][truth[blank] == 1].any()


def test_a_nucleus_cut_short_by_a_blank_slice_is_not_taken_for_a_speck():
    truth = balls((12, 8, 8), (12, 8, 24), (14.2, 24, 8), (14.2, 24, 24), step_um=2.2)
    seen = truth.copy()
    seen[6] = 0
    seen[4:6][truth[4:6] == 2] = 0
    trust = reconstruct(as_slices(seen), (2.2, 0.5, 0.5)).trust
    assert sorted(trust["slices_seen"]) == [1, 3, 3, 3]
    assert trust["gap_bridged"].sum() == 3


@pytest.mark.parametrize("twice", [9, 12, 15])
def test_a_slice_recorded_twice_changes_nothing_but_the_thickness(twice):
    slices = as_slices(BESIDE)
    volume = reconstruct([*slices[:twice], slices[twice], *slices[twice:]], VOXEL, AS_OUTLINED)
    assert same_partition(np.delete(volume.labels, twice, 0), BESIDE)


@pytest.mark.parametrize("step_um", [0.5, 1.0, 2.0, 3.0, 5.0])
def test_nuclei_cut_by_both_ends_of_the_stack_are_kept(step_um):
    """Two nuclei side by side, seen through their middle third only: anisotropy from 1 to 10."""
    truth = balls((12, 10, 16), (12, 17.6, 16), step_um=step_um)
    middle = truth[int(11 / step_um) : int(13 / step_um) + 2]
    volume = reconstruct(as_slices(middle), (step_um, 0.5, 0.5), AS_OUTLINED)
    assert same_partition(volume.labels, middle)
    assert volume.trust["touches_border"].all()


def test_one_nucleus_missed_beside_another_is_filled_in_without_touching_it():
    seen = BESIDE.copy()
    seen[12][BESIDE[12] == 1] = 0
    volume = reconstruct(as_slices(seen), VOXEL)
    assert volume.trust["gap_bridged"].tolist() == [True, False]
    assert ((volume.labels == 2) == (BESIDE == 2)).all()


def test_a_blank_slice_between_stacked_nuclei_joins_nothing():
    seen = STACKED.copy()
    seen[10] = 0
    volume = reconstruct(as_slices(seen), VOXEL)
    assert len(volume.trust) == 2
    assert not volume.trust["gap_bridged"].any()


@pytest.mark.parametrize("merged", [[12], [9, 14], [11, 12]])
def test_a_section_that_swallowed_its_neighbour_is_divided(merged):
    seen = BESIDE.copy()
    for z in merged:
        seen[z][seen[z] > 0] = 1
    volume = reconstruct(as_slices(seen), VOXEL)
    assert len(volume.trust) == 2
    assert (volume.labels > 0).sum() == (BESIDE > 0).sum()
    wrong = (volume.labels != BESIDE).sum()
    assert wrong < 0.02 * (BESIDE > 0).sum()


@pytest.mark.parametrize("broken", [[12], [9, 14], [16]])
def test_pieces_of_one_section_are_joined(broken):
    seen = ALONE.copy()
    for z in broken:
        half = seen[z, 34:]
        half[half > 0] = 2
    assert same_partition(reconstruct(as_slices(seen), VOXEL).labels, ALONE)


def test_a_speck_in_one_slice_is_dropped_only_where_a_nucleus_must_span_more():
    seen = ALONE.copy()
    seen[5, 50:58, 50:58] = 2
    assert len(reconstruct(as_slices(seen), VOXEL).trust) == 1
    thick = (8.0, 0.5, 0.5)
    assert len(reconstruct(as_slices(seen[5::8]), thick).trust) == 2


def test_stacked_nuclei_without_a_neck_part_where_it_is_dark_between_them():
    """Two columns of one width, twice as long as wide: one bright throughout, one with a dark slice in its middle."""
    seen = np.zeros((20, 64, 64), np.int32)
    y, x = np.mgrid[:64, :64]
    seen[2:18, np.hypot(y - 16, x - 16) < 8] = 1
    seen[2:18, np.hypot(y - 46, x - 46) < 8] = 2
    image = np.where(seen, 1000, 100)
    dark = (seen == 2) & np.isin(np.arange(20), (9, 10))[:, None, None]
    image[dark] = 300
    slices = as_slices(seen)
    bright, dim = (reconstruct(slices, VOXEL, planes=planes) for planes in (np.where(seen, 1000, 100), image))
    assert len(bright.trust) == len(reconstruct(slices, VOXEL).trust) == 2
    assert len(dim.trust) == 3
    assert len(reconstruct(slices, VOXEL, planes=-image).trust) == 3
    assert set(np.unique(dim.labels[:9, 46, 46])) != set(np.unique(dim.labels[10:, 46, 46]))
    with pytest.raises(EngineError, match="came with an image"):
        reconstruct(slices, VOXEL, planes=image[:, :3])


def test_grey_values_that_are_not_finite_are_no_evidence():
    image = np.where(BESIDE, 1000.0, 100.0)
    image[:, 20:30] = np.nan
    assert same_partition(reconstruct(as_slices(BESIDE), VOXEL, planes=image).labels, BESIDE)
    assert same_partition(reconstruct(as_slices(BESIDE), VOXEL, planes=np.full(BESIDE.shape, np.nan)).labels, BESIDE)


def test_a_section_cut_by_the_end_of_the_stack_stays():
    seen = ALONE.copy()
    seen[0, 50:58, 50:58] = 2
    trust = reconstruct(as_slices(seen), VOXEL).trust
    assert trust["touches_border"].tolist() == [True, False]


def test_anisotropy_decides_what_is_one_nucleus():
    """The same labels, 7 slices deep and 16 px wide, are a ball or, where slices are far apart, too long for one."""
    trust = reconstruct(as_slices(ALONE), (1.0, 0.5, 0.5)).trust
    assert trust["slices_expected"].tolist() == [8]
    assert not trust["merge_suspected"].any()
    trust = reconstruct(as_slices(ALONE), (4.0, 0.5, 0.5)).trust
    assert trust["slices_expected"].tolist() == [2]
    assert trust["merge_suspected"].all()


def test_a_thin_piece_on_top_of_a_nucleus_is_suspected_to_be_a_split():
    seen = balls((12, 16, 16), (12, 26, 26))
    seen[16:19] = np.where(BALL_MIDDLE, 3, 0)
    trust = reconstruct(as_slices(seen), VOXEL).trust
    assert trust["slices_seen"].tolist() == [7, 7, 3]
    assert trust["split_suspected"].tolist() == [False, False, True]


def test_labels_are_numbered_by_first_slice_then_first_pixel_without_holes():
    seen = np.stack(
        drawn_slices("""
        .....  B....  B....  B....
        ...A.  ...A.  ...A.  .....
        .....  .....  C....  C....
        .....  ...D.  ...D.  ...D.
    """)
    )
    volume = reconstruct(as_slices_of_any_size(seen), (1.0, 1.0, 1.0))
    assert volume.labels.dtype == np.uint32
    expected = np.array([0, 1, 2, 4, 3])[seen]
    np.testing.assert_array_equal(volume.labels, expected)
    assert volume.trust.index.tolist() == [1, 2, 3, 4]
    assert list(volume.trust.columns) == ["score", *TRUST_COLUMNS]


def as_slices_of_any_size(labels: np.ndarray) -> list[Slice]:
    """Slices as they are, with their own numbers."""
    return [Slice(plane, np.full(int(plane.max()), 0.5, np.float32)) for plane in labels]


def test_a_single_plane_passes_through_without_a_voxel_size():
    plane = drawn("""
        BB..A
        BB..A
        .....
        ..C..
    """)
    volume = reconstruct([Slice(plane, np.array([0.1, 0.2, 0.3]))], None)
    np.testing.assert_array_equal(volume.labels[0], np.array([0, 2, 1, 3])[plane])
    np.testing.assert_allclose(volume.trust["score"], [0.2, 0.1, 0.3])
    assert volume.trust["touches_border"].tolist() == [True, True, True]
    assert volume.trust["slices_seen"].tolist() == volume.trust["slices_expected"].tolist() == [1, 1, 1]
    assert not volume.trust[["gap_bridged", "split_suspected", "merge_suspected"]].any(axis=None)


@pytest.mark.parametrize("slices", [1, 5])
def test_stacks_without_nuclei_are_ordinary(slices):
    volume = reconstruct([Slice(np.zeros((6, 7), np.int32), np.zeros(0, np.float32))] * slices, VOXEL)
    assert volume.labels.shape == (slices, 6, 7)
    assert len(volume.trust) == 0
    assert volume.trust.dtypes.astype(str).to_dict() == {"score": "float64", **TRUST_COLUMNS}


def test_scores_are_means_by_area_of_the_sections():
    labels = np.zeros((2, 8, 8), np.int32)
    labels[0, 2:4, 2:4], labels[1, 2:4, 2:5] = 1, 1
    volume = reconstruct([Slice(labels[0], np.array([0.5])), Slice(labels[1], np.array([1.0]))], (1, 1, 1))
    assert volume.trust["score"].tolist() == pytest.approx([(4 * 0.5 + 6 * 1.0) / 10])


def test_slices_are_taken_from_a_generator_once():
    read = []

    def stream():
        for z, item in enumerate(as_slices(ALONE)):
            read.append(z)
            yield item

    assert len(reconstruct(stream(), VOXEL).trust) == 1
    assert read == list(range(len(ALONE)))


def test_input_is_left_as_it_was():
    slices = as_slices(BESIDE)
    before = [item.labels.copy() for item in slices]
    reconstruct(slices, VOXEL)
    for item, labels in zip(slices, before, strict=True):
        np.testing.assert_array_equal(item.labels, labels)


@pytest.mark.parametrize(
    ("slices", "voxel", "message"),
    [
        ([], VOXEL, "at least one slice"),
        (as_slices(ALONE), None, "24 slices without a voxel size"),
        (as_slices(ALONE), (0.0, 1.0, 1.0), "not three lengths"),
        (as_slices(ALONE), (np.nan, 1.0, 1.0), "not three lengths"),
        ([*as_slices(ALONE), Slice(np.zeros((3, 3), int), np.zeros(0))], VOXEL, "Slice 24 has shape"),
        ([Slice(np.full((3, 3), 2), np.ones(1))], None, "one score per label"),
    ],
)
def test_what_cannot_be_reconstructed_is_said_in_a_sentence(slices, voxel, message):
    with pytest.raises(EngineError, match=message):
        reconstruct(slices, voxel)


def test_wrong_parameters_are_all_named():
    with pytest.raises(EngineError, match=r"min_iou.*max_missed_slices.*min_slices_to_drop.*surface_blur"):
        VolumeParams(min_iou=0, max_missed_slices=99, min_slices_to_drop=1, surface_blur=1)
    assert VolumeParams().as_dict()["min_overlap"] == 0.5


def test_nuclei_of_sizes_that_are_not_wanted_are_dropped_and_the_rest_numbered_anew():
    sizes = balls((12, 8, 8), radius_um=5.0) + 2 * balls((12, 24, 8), radius_um=2.0) + 3 * balls((12, 20, 24))
    slices = as_slices(sizes)
    whole = reconstruct(slices, VOXEL, AS_OUTLINED)
    diameters = np.cbrt(6 / np.pi * 0.25 * np.bincount(whole.labels.ravel())[1:])  # of spheres; a voxel has 0.25 um3
    for low, high in ((5.0, None), (None, 9.0), (5.0, 9.0)):
        params = VolumeParams(surface_blur=0.0, min_diameter_um=low, max_diameter_um=high)
        found = reconstruct(slices, VOXEL, params)
        kept = (diameters >= (low or 0)) & (diameters <= (high or np.inf))
        assert found.trust.index.tolist() == list(range(1, kept.sum() + 1))
        np.testing.assert_array_equal(found.trust["score"], whole.trust["score"][kept])
        assert same_partition(found.labels, np.where(np.append(False, kept)[whole.labels], whole.labels, 0))


def test_sizes_of_a_plane_are_those_of_circles_in_pixels_where_there_is_no_voxel_size():
    plane = np.zeros((40, 40), np.int32)
    plane[2:6, 2:6], plane[10:30, 10:30] = 1, 2  # as circles: 4.5 and 22.6 px across
    slices = [Slice(plane, np.full(2, 0.9))]
    assert reconstruct(slices, None, VolumeParams(min_diameter_um=4.6)).labels.max() == 1
    assert reconstruct(slices, None, VolumeParams(min_diameter_um=4.4, max_diameter_um=22.7)).labels.max() == 2


def test_a_smallest_size_above_the_largest_is_refused():
    with pytest.raises(EngineError, match=r"min_diameter_um = 9\.0 is above max_diameter_um = 5"):
        VolumeParams(min_diameter_um=9.0, max_diameter_um=5.0)
