"""From edited labels to corrections: what they make is what was edited, whatever that was."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.corrections.edited import EditedLabels
from nuset_engine.corrections.edits import EditScene, NucleusEdit, apply_edits
from nuset_engine.corrections.overlaps import Overlaps
from nuset_engine.corrections.planning import EditPlan, plan_edits

SPACING = (2.0, 1.0, 1.0)
SHAPE = (3, 24, 40)


def box(y: int, x: int, height: int = 8, width: int = 8) -> tuple[slice, slice, slice]:
    """A block through all planes."""
    return slice(None), slice(y, y + height), slice(x, x + width)


@pytest.fixture
def labels() -> np.ndarray:
    """Four nuclei, the first two touching."""
    found = np.zeros(SHAPE, np.uint32)
    for label, where in enumerate((box(2, 2), box(2, 10), box(2, 22), box(14, 2)), start=1):
        found[where] = label
    return found


def carried_out(labels: np.ndarray, plan: EditPlan) -> np.ndarray:
    """Labels after what was planned."""
    edited = EditedLabels(labels.copy())
    scene = EditScene(edited, np.zeros(SHAPE, np.uint16), SPACING, 9.0)
    edits = [NucleusEdit(n, one.kind, one.regions, one.points, one.drawn) for n, one in enumerate(plan.edits)]
    assert [one.reason for one in apply_edits(scene, edits)] == [None] * len(edits)
    return edited.labels


def check(labels: np.ndarray, wanted: np.ndarray, kinds: list[str]) -> EditPlan:
    """These kinds are planned, and make of the labels what is wanted."""
    plan = plan_edits(labels, wanted, {}, SPACING)
    assert [one.kind for one in plan.edits] == kinds
    over = Overlaps.between(carried_out(labels, plan), wanted)
    assert len(over.same()) == len(over.sizes) == len(over.other_sizes)
    assert plan.failed == ()
    return plan


def test_other_numbers_are_no_difference(labels: np.ndarray) -> None:
    plan = check(labels, np.array([0, 40, 30, 20, 10], np.uint32)[labels], [])
    assert plan.names == {40: 1, 30: 2, 20: 3, 10: 4}


def test_one_that_is_gone_is_deleted(labels: np.ndarray) -> None:
    check(labels, np.where(labels == 3, 0, labels), ["delete"])


def test_one_that_is_new_is_added(labels: np.ndarray) -> None:
    wanted = labels.copy()
    wanted[box(14, 22)] = 9
    plan = check(labels, wanted, ["add"])
    assert plan.names == {1: 1, 2: 2, 3: 3, 4: 4}


def test_new_ones_get_labels_in_the_order_of_their_numbers_and_none_that_another_had(labels: np.ndarray) -> None:
    wanted = labels.copy()
    for number, x in ((70, 13), (50, 31), (60, 22)):
        wanted[box(14, x)] = number
    plan = plan_edits(labels, wanted, {}, SPACING, reserved=(7,))
    edited = EditedLabels(labels.copy())
    scene = EditScene(edited, np.zeros(SHAPE, np.uint16), SPACING, 9.0, {7})
    edits = [NucleusEdit(n, one.kind, one.regions, one.points, one.drawn) for n, one in enumerate(plan.edits)]
    assert [one.new_labels for one in apply_edits(scene, edits)] == [(8,), (9,), (10,)]
    assert [int(edited.labels[1, 18, x]) for x in (35, 26, 17)] == [8, 9, 10], "50, 60, 70"


def test_one_that_lies_elsewhere_is_redrawn(labels: np.ndarray) -> None:
    wanted = np.where(labels == 3, 0, labels)
    wanted[box(3, 24)] = 3
    assert check(labels, wanted, ["redraw"]).names[3] == 3


def test_two_that_are_one_are_merged_and_drawn_where_the_edge_is_another(labels: np.ndarray) -> None:
    wanted = np.where(labels == 2, 1, labels)
    check(labels, wanted, ["merge"])
    wanted[:, 2:3] = np.where(wanted[:, 2:3] == 1, 0, wanted[:, 2:3])
    check(labels, wanted, ["merge", "redraw"])


def test_one_that_is_two_is_split(labels: np.ndarray) -> None:
    fused = np.where(labels == 2, 1, labels)
    plan = check(fused, labels, ["split"])
    assert len(plan.edits[0].points) == 2


def test_parts_that_a_watershed_does_not_find_are_drawn(labels: np.ndarray) -> None:
    wanted = labels.copy()
    wanted[:, 2:10, 22:24] = 7
    check(labels, wanted, ["split", "redraw", "redraw"])


def test_a_border_that_moved_between_two_takes_from_one_what_it_gives_the_other(labels: np.ndarray) -> None:
    wanted = labels.copy()
    wanted[:, 2:10, 10:15] = 1
    assert check(labels, wanted, ["redraw"]).names == {1: 1, 2: 2, 3: 3, 4: 4}


def test_a_nucleus_that_lies_where_another_was(labels: np.ndarray) -> None:
    wanted = np.where(labels == 1, 0, labels)
    wanted[box(2, 10)] = 1
    wanted[box(14, 22)] = 2
    check(labels, wanted, ["delete", "add"])


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_painted_is_made(labels: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = labels.copy()
    for _ in range(4):
        y, x = int(rng.integers(0, 20)), int(rng.integers(0, 34))
        wanted[box(y, x, int(rng.integers(2, 9)), int(rng.integers(2, 9)))] = rng.integers(0, 7)
    plan = plan_edits(labels, wanted, {}, SPACING)
    over = Overlaps.between(carried_out(labels, plan), wanted)
    assert len(over.same()) == len(over.sizes) == len(over.other_sizes)


def test_places_alone_split_what_is_there_and_add_what_is_not(labels: np.ndarray) -> None:
    places = {1: (1, 6, 4), 2: (1, 6, 13), 3: (1, 6, 26), 4: (1, 18, 6), 50: (1, 6, 8), 51: (1, 18, 30)}
    plan = plan_edits(labels, labels, places, SPACING)
    assert [(one.kind, one.points) for one in plan.edits] == [
        ("add", ((1, 18, 30),)),
        ("split", ((1, 6, 4), (1, 6, 8))),
    ]
    outside = plan_edits(labels, labels, {60: (1, 99, 4)}, SPACING)
    assert (outside.edits, outside.failed) == ((), (60,))
