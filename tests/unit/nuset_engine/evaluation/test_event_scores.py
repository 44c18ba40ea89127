"""Boxes against labelled events: what is one, what counts neither way, and what lies at the edge."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.evaluation.event_scores import (
    EventScores,
    inside,
    overlaps,
    score_events,
    score_linked_events,
    seen_events,
)
from nuset_engine.inference.proposals import EMPTY, Proposals

TRUE = (10, 10, 20, 20)


def boxed(*boxes: tuple[float, ...]) -> Proposals:
    return Proposals(np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32))


def events(*boxes: tuple[int, ...], slices: int = 1) -> np.ndarray:
    """Labels (Z, 40, 40) of events, each a box in all slices."""
    labels = np.zeros((slices, 40, 40), np.int32)
    for label, (top, left, bottom, right) in enumerate(boxes, start=1):
        labels[:, top:bottom, left:right] = label
    return labels


@pytest.mark.parametrize(("moved", "matched"), [(4, 1), (6, 0)])
def test_a_box_that_overlaps_little_is_another_one(moved: int, matched: int) -> None:
    """Of 10 pixels, moved by 4 they share 6 of 14, by 6 they share 4 of 16."""
    found = boxed((10, 10 + moved, 20, 20 + moved))
    assert score_events(events(TRUE)[0], found) == EventScores(matched, 1, 1)
    assert score_linked_events(events(TRUE), [found], [np.array([1])]) == EventScores(matched, 1, 1)


def test_a_box_of_a_true_event_counts_though_it_fits_a_faint_one_too() -> None:
    faint = events((10, 11, 20, 21))
    assert score_events(events(TRUE)[0], boxed(TRUE), faint=faint[0]) == EventScores(1, 1, 1)
    assert score_linked_events(events(TRUE), [boxed(TRUE)], [np.array([1])], faint=faint) == EventScores(1, 1, 1)
    assert score_linked_events(events(), [boxed(TRUE)], [np.array([1])], faint=faint) == EventScores(0, 0, 0)


@pytest.mark.parametrize("edge", [(0, 10, 10, 20), (30, 10, 40, 20), (10, 0, 20, 10), (10, 30, 20, 40)])
def test_what_lies_at_any_edge_is_left_out(edge: tuple[int, ...]) -> None:
    found, numbers = [boxed(TRUE, edge)], [np.array([1, 2])]
    assert inside(found[0], (40, 40)).tolist() == [True, False]
    assert score_linked_events(events(TRUE, edge), found, numbers) == EventScores(1, 1, 1)
    assert score_linked_events(events(TRUE), found, numbers) == EventScores(1, 1, 1)
    shorter = tuple(place + (2 if place == 0 else -2 if place == 40 else 0) for place in edge)
    assert inside(boxed(shorter), (40, 40)).all()
    assert score_linked_events(events(TRUE, edge), [boxed(TRUE, shorter)], numbers) == EventScores(1, 1, 1)


@pytest.mark.parametrize("first", [True, False])
def test_the_best_of_its_slices_speaks_for_an_event(first: bool) -> None:
    slices = [boxed(TRUE), boxed((10, 17, 20, 27))]
    numbers = [np.array([1]), np.array([1])]
    truth = events(TRUE, slices=2)
    assert score_linked_events(truth, slices if first else slices[::-1], numbers) == EventScores(1, 1, 1)
    assert overlaps(truth, slices, numbers, 2)[1].tolist() == [0, 1]


def test_measures_of_counts() -> None:
    some = EventScores(2, 4, 3) + EventScores(1, 1, 2)
    assert some == EventScores(3, 5, 5)
    assert (some.precision, some.recall, some.f1) == (0.6, 0.6, 0.6)
    assert EventScores(0, 0, 0).f1 == score_events(events()[0], EMPTY).f1 == 1
    assert EventScores(0, 3, 0).f1 == 0


def test_boxes_count_whose_middle_is_seen() -> None:
    seen = np.zeros((40, 40), bool)
    seen[12:30, 12:30] = True
    kept = seen_events(boxed(TRUE, (0, 0, 10, 10), (26, 26, 60, 60)), seen)
    assert kept.boxes.tolist() == [list(TRUE)]
