"""Corrections of nuclei at their limits: how far beside, how much taken, which labels, and what is drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.corrections.edited import EditedLabels
from nuset_engine.corrections.edits import EditOutcome, EditScene, NucleusEdit, apply_edits
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.inference.landscape import Landscape
from tests.unit.nuset_engine.corrections.test_edits import SHAPE, SPACING, edited, image, plain, region


def brick(labels: np.ndarray, label: int, z: int, y: int, x: int, shape: tuple[int, int, int] = (2, 4, 4)) -> None:
    """A nucleus with straight sides."""
    labels[z : z + shape[0], y : y + shape[1], x : x + shape[2]] = label


def of(labels: np.ndarray, label: int) -> NucleusRegion:
    """A nucleus of these labels."""
    found = NucleusRegion.of_mask(labels == label)
    assert found is not None
    return found


@pytest.mark.parametrize(("beside", "fits"), [(0, True), (1, True), (3, True), ("corner", False), (4, False)])
def test_a_point_may_lie_a_quarter_of_a_diameter_beside_its_nucleus(beside: int | str, fits: bool) -> None:
    """A ball as large as this brick of 1,000 cubic micrometres has a diameter of 12.4."""
    labels = np.zeros((5, 30, 40), np.uint32)
    brick(labels, 3, 0, 4, 6, (5, 10, 10))
    y, x = (14, 18) if beside == "corner" else (8, 15 + int(beside))
    scene = EditScene(EditedLabels(labels.copy()), list(image(plain())), SPACING, 10.0)
    [outcome] = apply_edits(scene, [NucleusEdit(1, "split", (of(labels, 3),), ((2, 8, 7), (2, y, x)))])
    assert (outcome.reason is None) is fits
    if fits:
        assert scene.edited.labels[2, 8, 15] == 4


def test_new_labels_are_those_given_before_unless_somebody_has_them() -> None:
    points = ((2, 22, 6), (2, 22, 14), (2, 22, 22))
    for given, expected in (((9, 8), (9, 8)), ((9, 3), (9, 10)), ((7,), (7, 8)), ((), (5, 6))):
        _, [outcome] = edited(NucleusEdit(1, "split", (region(2),), points, given=given))
        assert outcome.new_labels == expected


def test_new_labels_are_above_all_that_are_or_may_be_used() -> None:
    one = NucleusRegion((0, 3, 3), np.ones((1, 2, 2), bool))
    for labels, reserved, expected in (
        (np.zeros(SHAPE, np.uint32), (), 1),
        (np.zeros(SHAPE, np.uint32), (4, 2), 5),
        (np.where(plain() == 1, 0, plain()), (2,), 5),
    ):
        scene = EditScene(EditedLabels(labels), list(image(labels)), SPACING, 10.0, reserved)
        assert apply_edits(scene, [NucleusEdit(1, "add", drawn=one)])[0].new_labels == (expected,)


def test_what_is_confirmed_is_named_and_stays() -> None:
    after, [outcome] = edited(NucleusEdit(1, "confirm", (region(3), region(1))))
    assert outcome == EditOutcome(1, labels=(3, 1))
    np.testing.assert_array_equal(after.labels, plain())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("beyond", "inside"), [(-1, 0), (0, -1)])
def test_a_place_is_in_the_stack_from_its_first_voxel_to_its_last(axis: int, beyond: int, inside: int) -> None:
    """Nothing stands out there; and who points beside the stack is told so."""
    places = []
    for end in (beyond, inside):
        place = [2, 2, 34]
        place[axis] = end if beyond < 0 else SHAPE[axis] + end
        places.append((place[0], place[1], place[2]))
    labels = np.zeros(SHAPE, np.uint32)
    dark = [np.full(SHAPE[1:], 100, np.uint16)] * SHAPE[0]
    scene = EditScene(EditedLabels(labels), dark, SPACING, 10.0)
    edits = [NucleusEdit(number, "add", points=(place,)) for number, place in enumerate(places)]
    first, second = (str(outcome.reason) for outcome in apply_edits(scene, edits))
    assert "outside the stack" in first
    assert "nothing stands out there" in second


def test_what_was_drawn_for_a_nucleus_is_drawn_again_without_a_look() -> None:
    point = NucleusEdit(1, "add", points=((2, 21, 31),))
    first, [outcome] = edited(point)
    [drawn] = outcome.drawn
    np.testing.assert_array_equal(drawn.mask, first.labels[drawn.box] == 5)
    assert outcome.how is not None
    labels = plain()
    dark = [np.full(SHAPE[1:], 100, np.uint16)] * SHAPE[0]
    again = EditScene(EditedLabels(labels), dark, SPACING, 10.0)
    [same] = apply_edits(again, [NucleusEdit(1, "add", points=point.points, kept=outcome.drawn)])
    np.testing.assert_array_equal(labels, first.labels)
    assert (same.how, same.made) == (None, (5,))
    assert [one.size for one in same.drawn] == [drawn.size], "and again"
    _, [given] = edited(NucleusEdit(1, "add", drawn=drawn))
    assert given.drawn == (), "a person has it"


def test_an_outline_of_which_half_is_free_is_a_nucleus_and_one_of_which_nothing_is_none() -> None:
    labels = np.zeros(SHAPE, np.uint32)
    brick(labels, 1, 0, 0, 0)
    for x, reason in ((2, None), (1, "there is a nucleus already (1)"), (0, "other nuclei cover all of it")):
        scene = EditScene(EditedLabels(labels.copy()), list(image(plain())), SPACING, 10.0)
        drawn = NucleusRegion((0, 0, x), np.ones((2, 4, 4), bool))
        [outcome] = apply_edits(scene, [NucleusEdit(1, "add", drawn=drawn)])
        assert outcome.reason == reason


def test_parts_are_drawn_again_only_where_they_are_of_this_very_nucleus() -> None:
    """Those of one that was larger, smaller or elsewhere are not, and none at all are no parts."""
    points = ((2, 22, 8), (2, 22, 20))
    whole = region(2)
    z, y, x = whole.corner
    half = NucleusRegion.of_mask((plain() == 2) & (np.indices(SHAPE)[2] < 12))
    rest = NucleusRegion.of_mask((plain() == 2) & (np.indices(SHAPE)[2] >= 12))
    assert half is not None
    assert rest is not None
    for kept in (
        (),
        (half,),
        *((NucleusRegion((z + dz, y + dy, x + dx), whole.mask),) for dz, dy, dx in np.eye(3, dtype=int).tolist()),
        *((NucleusRegion((z - dz, y - dy, x - dx), whole.mask),) for dz, dy, dx in np.eye(3, dtype=int)[1:].tolist()),
        (half, NucleusRegion((rest.corner[0], rest.corner[1], rest.corner[2] + 1), rest.mask)),
    ):
        _, [outcome] = edited(NucleusEdit(1, "split", (whole,), points, kept=kept))
        assert outcome.how is not None
        assert outcome.how.startswith("divided by its outline alone: the network is not at hand")
    again, [outcome] = edited(NucleusEdit(1, "split", (whole,), points, kept=(half, rest)))
    assert outcome.how is None
    np.testing.assert_array_equal(again.labels == 2, (plain() == 2) & (np.indices(SHAPE)[2] < 12))


def test_where_the_network_sees_no_border_that_is_said() -> None:
    """It sees one nucleus, and the first point on its edge."""

    def one_slope(box: tuple[slice, slice, slice]) -> Landscape:
        shape = tuple(part.stop - part.start for part in box)
        ridge = np.broadcast_to(np.linspace(0, 1, shape[2], dtype=np.float32), shape)
        return Landscape(np.ones(shape, np.float32), ridge, 0.5)

    labels = plain()
    scene = EditScene(EditedLabels(labels), list(image(labels)), SPACING, 10.0, landscape=one_slope)
    [outcome] = apply_edits(scene, [NucleusEdit(1, "split", (region(2),), ((2, 22, 5), (2, 22, 20)))])
    assert outcome.how == "divided by its outline alone: the network sees no border between the points"
