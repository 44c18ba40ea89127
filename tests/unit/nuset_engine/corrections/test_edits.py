"""Corrections of nuclei on labels: what each does, what it leaves, and when it does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nuset_engine.corrections.drawing import divide
from nuset_engine.corrections.edited import EditedLabels, PlainBlock, put_back
from nuset_engine.corrections.edits import EditOutcome, EditScene, NucleusEdit, apply_edits, touched
from nuset_engine.corrections.measured import measure_some
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.errors import EngineError
from nuset_engine.measure import measure
from nuset_engine.nuclei import TRUST_COLUMNS
from nuset_engine.reconstruction.volume import Volume

SHAPE = (5, 30, 40)
SPACING = (2.0, 1.0, 1.0)


def ball(z: float, y: float, x: float, radius: float = 5.0) -> np.ndarray:
    """A ball (Z, Y, X) in micrometres."""
    at = np.indices(SHAPE, float)
    squares = [((axis - c) * s) ** 2 for axis, c, s in zip(at, (z, y, x), SPACING, strict=True)]
    return sum(squares) <= radius**2


def plain() -> np.ndarray:
    """Three nuclei: one alone, and two that touch, of which the network made one; and what it took for one (4)."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[ball(2, 7, 7)] = 1
    labels[ball(2, 22, 10) | ball(2, 22, 18)] = 2
    labels[ball(2, 7, 20)] = 3
    labels[2, 2:4, 34:36] = 4
    return labels


def image(labels: np.ndarray) -> np.ndarray:
    """Bright where nuclei are, and where one was missed."""
    return (100 + 900 * ((labels > 0) | ball(2, 22, 32))).astype(np.uint16)


def region(label: int) -> NucleusRegion:
    """A nucleus of `plain`."""
    found = NucleusRegion.of_mask(plain() == label)
    assert found is not None
    return found


def edited(*edits: NucleusEdit) -> tuple[EditedLabels, list[EditOutcome]]:
    """The labels after edits."""
    labels = plain()
    scene = EditScene(EditedLabels(labels), list(image(labels)), SPACING, diameter=10.0)
    return scene.edited, apply_edits(scene, edits)


def test_two_nuclei_become_one_with_the_lower_label() -> None:
    after, [outcome] = edited(NucleusEdit(1, "merge", (region(3), region(1))))
    assert (outcome.made, outcome.removed, outcome.reason) == ((1,), (3,), None)
    np.testing.assert_array_equal(after.labels == 1, (plain() == 1) | (plain() == 3))
    np.testing.assert_array_equal(after.labels == 2, plain() == 2)


def test_a_nucleus_is_divided_along_its_neck() -> None:
    after, [outcome] = edited(NucleusEdit(1, "split", (region(2),), ((2, 22, 8), (2, 22, 20))))
    assert (outcome.made, outcome.new_labels) == ((2, 5), (5,))
    assert set(np.unique(after.labels[:, 22, 10])) <= {0, 2}
    assert set(np.unique(after.labels[:, 22, 18])) <= {0, 5}
    assert abs(after.count(2) - after.count(5)) < 0.2 * after.count(2)
    np.testing.assert_array_equal(np.isin(after.labels, (2, 5)), plain() == 2)


def test_what_was_drawn_for_a_split_is_drawn_again_without_a_look() -> None:
    points = ((2, 22, 8), (2, 22, 20))
    first, [outcome] = edited(NucleusEdit(1, "split", (region(2),), points))
    for label, drawn in zip(outcome.made, outcome.drawn, strict=True):
        assert first.count(label) == drawn.size
        np.testing.assert_array_equal(first.labels[drawn.box] == label, drawn.mask)
    lower = (plain() == 2) & (np.indices(SHAPE)[2] >= 8)  # another border than the one that would be found
    parts = [NucleusRegion.of_mask(mask) for mask in ((plain() == 2) & ~lower, lower)]
    kept = tuple(part for part in parts if part is not None)
    again, [outcome] = edited(NucleusEdit(1, "split", (region(2),), points, kept=kept))
    assert outcome.how is None
    np.testing.assert_array_equal(again.labels == outcome.made[1], lower)


def test_why_the_network_was_not_asked_is_said() -> None:
    def broken(box: object) -> str:
        raise EngineError("its weights are gone")

    labels = plain()
    scene = EditScene(EditedLabels(labels), list(image(labels)), SPACING, 10.0, landscape=broken)
    [outcome] = apply_edits(scene, [NucleusEdit(1, "split", (region(2),), ((2, 22, 8), (2, 22, 20)))])
    assert outcome.how is not None
    assert "cannot be asked (its weights are gone)" in outcome.how


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.5), (0.1, 1.0, 1.0)])
def test_a_nucleus_in_a_single_plane_is_divided_along_its_neck_too(spacing: tuple[float, float, float]) -> None:
    """However thick the plane is: nobody knows where its nuclei end above and below."""
    _, y, x = np.indices((1, 44, 50))
    large, small = (y - 22) ** 2 + (x - 20) ** 2 <= 18**2, (y - 22) ** 2 + (x - 41) ** 2 <= 5**2
    parts, _ = divide(large | small, [(0, 22, 20), (0, 22, 41)], spacing)
    assert np.count_nonzero(parts[small & ~large] == 2) > 0.85 * np.count_nonzero(small & ~large)
    assert np.count_nonzero(parts[large & ~small] == 1) > 0.99 * np.count_nonzero(large & ~small)


def test_where_there_is_no_neck_it_is_divided_between_the_points() -> None:
    after, _ = edited(NucleusEdit(1, "split", (region(1),), ((2, 7, 7), (2, 7, 10))))
    assert min(after.count(1), after.count(5)) > 0.2 * region(1).size


def test_a_deleted_nucleus_is_background() -> None:
    after, [outcome] = edited(NucleusEdit(1, "delete", (region(4),)))
    assert outcome.removed == (4,)
    np.testing.assert_array_equal(after.labels, np.where(plain() == 4, 0, plain()))


def test_a_missed_nucleus_is_drawn_from_a_point() -> None:
    after, [outcome] = edited(NucleusEdit(1, "add", points=((2, 21, 31),)))
    assert outcome.made == outcome.new_labels == (5,)
    truth = ball(2, 22, 32)
    overlap = np.count_nonzero(truth & (after.labels == 5)) / np.count_nonzero(truth | (after.labels == 5))
    assert overlap > 0.6


def test_where_nothing_stands_out_no_nucleus_is_drawn() -> None:
    labels = plain()
    dark = [np.full(SHAPE[1:], 100, np.uint16)] * SHAPE[0]
    [outcome] = apply_edits(
        EditScene(EditedLabels(labels), dark, SPACING, 10.0), [NucleusEdit(1, "add", points=((2, 22, 32),))]
    )
    assert outcome.reason is not None
    assert "nothing stands out" in outcome.reason
    np.testing.assert_array_equal(labels, plain())


@pytest.mark.parametrize(("bright", "doubtful"), [(False, True), (True, False)])
def test_a_nucleus_drawn_from_noise_alone_is_said_to_be_so(bright: bool, doubtful: bool) -> None:
    labels = plain()
    noisy = np.random.default_rng(5).poisson(np.where(bright & ball(2, 22, 32), 160, 100)).astype(np.uint16)
    scene = EditScene(EditedLabels(labels), list(noisy), SPACING, 10.0)
    [outcome] = apply_edits(scene, [NucleusEdit(1, "add", points=((2, 22, 32),))])
    assert outcome.how is not None
    assert ("nothing is clearly brighter than around it" in outcome.how) == doubtful


def test_an_outline_leaves_other_nuclei_what_they_have() -> None:
    drawn = NucleusRegion.of_mask(ball(2, 7, 13, 6.0))
    after, [outcome] = edited(NucleusEdit(1, "add", drawn=drawn))
    assert outcome.made == (5,)
    np.testing.assert_array_equal(after.labels == 1, plain() == 1)
    np.testing.assert_array_equal(after.labels == 5, ball(2, 7, 13, 6.0) & (plain() == 0))


def test_what_is_redrawn_takes_from_its_neighbours_and_may_cover_them() -> None:
    drawn = NucleusRegion.of_mask(ball(2, 7, 11, 6.0) | (plain() == 4))
    after, [outcome] = edited(NucleusEdit(1, "redraw", (region(1),), drawn=drawn))
    assert (outcome.changed, outcome.removed, outcome.made) == ((1, 3), (4,), ())
    np.testing.assert_array_equal(after.labels == 1, ball(2, 7, 11, 6.0) | (plain() == 4))
    assert touched([outcome], after) == (1, 3)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (NucleusEdit(2, "delete", (region(1),)), "no nucleus"),
        (NucleusEdit(2, "merge", (region(1), region(2))), "no nucleus"),
        (
            NucleusEdit(2, "split", (region(2),), ((2, 22, 9), (2, 7, 30))),
            "point 2 lies outside the nucleus (2), wh",
        ),
        (NucleusEdit(2, "split", (region(2),), ((2, 7, 20), (2, 22, 9))), "point 1 lies outside the nucleus (2), in n"),
        (NucleusEdit(2, "split", (region(2),), ((2, 22, 9), (2, 22, 400))), "point 2 lies outside the nucleus (2), wh"),
        (NucleusEdit(2, "split", (region(2),), ((2, 22, 9), (2, 22, 9))), "one voxel"),
        (NucleusEdit(2, "add", points=((2, 22, 10),)), "a nucleus already"),
        (NucleusEdit(2, "add", points=((2, 22, 400),)), "outside the stack"),
        (NucleusEdit(2, "add", drawn=NucleusRegion((0, 0, 39), np.ones((1, 1, 2), bool))), "smaller now"),
        (NucleusEdit(2, "redraw", (region(2),), drawn=NucleusRegion((4, 0, 0), np.ones((2, 1, 1), bool))), "smaller"),
    ],
)
def test_what_does_not_fit_changes_nothing_and_says_why(edit: NucleusEdit, why: str) -> None:
    gone = NucleusEdit(1, "delete", (region(1),))
    after, [_, outcome] = edited(gone, edit)
    assert outcome.reason is not None
    assert why in outcome.reason
    np.testing.assert_array_equal(after.labels, np.where(plain() == 1, 0, plain()))


def test_a_fault_of_one_leaves_the_others_and_nothing_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody foresaw it: it is told with what does not fit, and what it painted until then is taken back."""
    paint, painted = EditedLabels.paint, []

    def faulty(self: EditedLabels, *values: Any) -> None:
        painted.append(values)
        if len(painted) == 3:
            raise IndexError("out of bounds")
        paint(self, *values)

    monkeypatch.setattr(EditedLabels, "paint", faulty)
    after, outcomes = edited(
        NucleusEdit(1, "delete", (region(4),)),
        NucleusEdit(2, "merge", (region(1), region(2), region(3))),
        NucleusEdit(3, "delete", (region(2),)),
    )
    reasons = [one.reason for one in outcomes]
    assert reasons == [None, "a fault in nusetd stopped it (IndexError: out of bounds)", None]
    np.testing.assert_array_equal(after.labels, np.where(np.isin(plain(), (2, 4)), 0, plain()))
    assert [after.count(label) for label in (1, 2, 3, 4)] == [region(1).size, 0, region(3).size, 0]


def test_what_was_two_nuclei_and_is_one_now_is_not_merged() -> None:
    labels = plain()
    labels[labels == 3] = 1
    one = NucleusRegion.of_mask(labels == 1)
    assert one is not None
    scene = EditScene(EditedLabels(labels), list(image(labels)), SPACING, 10.0)
    [outcome] = apply_edits(scene, [NucleusEdit(1, "merge", (one, one))])
    assert outcome.reason == "what was several nuclei is one now"


def test_a_nucleus_is_found_by_overlap_whatever_its_label() -> None:
    labels = np.where(plain() == 2, 9, plain())
    assert EditedLabels(labels).find(region(2)) == 9
    half = NucleusRegion.of_mask(plain() == 2)
    assert half is not None
    shifted = NucleusRegion((half.corner[0], half.corner[1], half.corner[2] + 9), half.mask)
    assert EditedLabels(labels).find(shifted) is None


def test_what_was_there_is_put_back_whatever_was_done_and_in_which_order() -> None:
    drawn = NucleusRegion.of_mask(ball(2, 20, 16, 7.0))
    after, outcomes = edited(
        NucleusEdit(1, "split", (region(2),), ((2, 22, 8), (2, 22, 20))),
        NucleusEdit(2, "redraw", (region(3),), drawn=drawn),
        NucleusEdit(3, "add", points=((2, 22, 32),)),
        NucleusEdit(4, "delete", (region(1),)),
    )
    assert [one.reason for one in outcomes] == [None] * 4
    kept = [PlainBlock(block.corner, block.labels.copy()) for block in after.blocks]
    put_back(after.labels, kept)
    np.testing.assert_array_equal(after.labels, plain())


def test_what_is_corrected_again_and_again_is_kept_once() -> None:
    """Each time all corrections are carried out on what was kept before."""
    edits = [NucleusEdit(n, "delete", (region(n),)) for n in (1, 2, 3, 4)]
    many: list[PlainBlock] = []
    for count in (1, 2, 3, 4, 4):
        labels = plain()
        scene = EditScene(EditedLabels(labels, many), list(image(labels)), SPACING, diameter=10.0)
        apply_edits(scene, edits[:count])
        many = scene.edited.blocks
        assert len(many) == count
    again = EditedLabels(plain(), [*many, *many])  # as they were kept once
    assert len(again.blocks) == 4
    changed = scene.edited.labels
    put_back(changed, again.blocks)
    np.testing.assert_array_equal(changed, plain())


def test_new_labels_stay_when_an_earlier_correction_is_undone() -> None:
    first = NucleusEdit(1, "split", (region(2),), ((2, 22, 8), (2, 22, 20)))
    second = NucleusEdit(2, "add", points=((2, 22, 32),))
    _, both = edited(first, second)
    _, [alone] = edited(NucleusEdit(2, "add", points=((2, 22, 32),), given=both[1].new_labels))
    assert both[1].new_labels == alone.new_labels == (6,)


def test_measurements_are_those_that_all_nuclei_together_have() -> None:
    labels, planes = plain(), list(image(plain()))
    count = int(labels.max())
    dtypes = {"score": "float64", **TRUST_COLUMNS}
    import pandas as pd

    trust = pd.DataFrame({name: np.ones(count) for name in dtypes}, index=range(1, count + 1)).astype(dtypes)
    everything = measure(Volume(labels, trust), {0: planes}, 0, SPACING, 3).table.set_index("label")
    some = measure_some(labels, [2, 4], {0: planes}, 0, SPACING, 3).table.set_index("label")
    names = [name for name in some.columns if name not in dtypes and not name.startswith("intensity_std")]
    pd.testing.assert_frame_equal(some[names], everything.loc[[2, 4], names])
    assert some["slices_seen"].tolist() == [int((labels == n).any(axis=(1, 2)).sum()) for n in (2, 4)]
    assert some["touches_border"].tolist() == [bool((labels[[0, -1]] == 2).any()), False]


def test_a_region_survives_being_packed_and_says_what_is_none() -> None:
    packed = NucleusRegion.unpack(region(2).pack())
    np.testing.assert_array_equal(packed.mask, region(2).mask)
    assert packed.corner == region(2).corner
    with pytest.raises(EngineError, match="cannot be read"):
        NucleusRegion.unpack(region(2).pack()[:30])
    assert NucleusRegion.of_mask(np.zeros(SHAPE)) is None


def round_one(radius: float, z: float = 10.0, y: float = 20.0) -> np.ndarray:
    """In a stack of 20 x 40 x 40."""
    zs, ys, xs = np.indices((20, 40, 40))
    return (zs - z) ** 2 + (ys - y) ** 2 + (xs - 20) ** 2 <= radius**2


@pytest.mark.parametrize("wide", [5.0, 7.0])
def test_an_outline_that_is_narrower_all_around_is_of_the_same_nucleus(wide: float) -> None:
    narrow, whole = round_one(wide - 0.25 * wide), round_one(wide)
    assert np.count_nonzero(narrow & whole) < 0.5 * np.count_nonzero(whole)
    for meant, there in ((narrow, whole), (whole, narrow)):
        region = NucleusRegion.of_mask(meant)
        assert region is not None
        assert EditedLabels(3 * there.astype(np.uint32)).find(region) == 3


def test_a_part_of_a_nucleus_is_not_the_whole_one() -> None:
    whole = round_one(6.0)
    upper = whole & (np.indices(whole.shape)[1] > 20)
    corner = round_one(4.0, z=12.0, y=23.0) & whole
    for meant, there in ((upper, whole), (whole, upper), (corner, whole), (round_one(2.0), whole)):
        region = NucleusRegion.of_mask(meant)
        assert region is not None
        assert EditedLabels(there.astype(np.uint32)).find(region) is None


def test_a_nucleus_is_not_the_two_in_one_that_hold_it() -> None:
    one, small = round_one(6.0, y=15.0), round_one(4.8, y=24.0)
    both = one | small
    assert np.count_nonzero(one) > 0.6 * np.count_nonzero(both)
    for meant, there in ((one, both), (both, one)):
        region = NucleusRegion.of_mask(meant)
        assert region is not None
        assert EditedLabels(there.astype(np.uint32)).find(region) is None


def test_an_outline_that_is_mostly_taken_adds_no_rim() -> None:
    labels = np.zeros((3, 20, 20), np.uint32)
    labels[:, 5:13, 5:13] = 7
    drawn = NucleusRegion.of_mask(np.pad(np.ones((3, 10, 10), bool), ((0, 0), (4, 6), (4, 6))))
    scene = EditScene(EditedLabels(labels.copy()), labels, (2.0, 1.0, 1.0), 9.0)
    (outcome,) = apply_edits(scene, [NucleusEdit(1, "add", drawn=drawn)])
    assert outcome.reason == "there is a nucleus already (7)"
    np.testing.assert_array_equal(scene.edited.labels, labels)
