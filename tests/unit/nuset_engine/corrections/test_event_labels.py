"""Nuclei in mitosis as labels of events, and where nothing is known of events."""

from __future__ import annotations

import numpy as np

from nuset_engine.corrections.event_labels import event_labels

SPACING = (2.0, 1.0, 1.0)


def stack() -> np.ndarray:
    """Three nuclei (Z, Y, X) in three slices; the first has a cap of one pixel in the last one."""
    labels = np.zeros((3, 12, 40), np.uint16)
    labels[:2, 3:9, 2:8] = 1
    labels[2, 5, 5] = 1
    labels[:, 3:9, 16:22] = 2
    labels[:, 3:9, 22:28] = 3
    return labels


def test_events_stay_with_their_labels_and_others_are_none() -> None:
    labels = stack()
    events, seen = event_labels(labels, {2}, (), SPACING)
    np.testing.assert_array_equal(events, np.where(labels == 2, 2, 0))
    assert events.dtype == labels.dtype
    assert seen.all()


def test_nothing_is_said_of_what_may_be_an_event_and_around_it_but_of_its_neighbour() -> None:
    labels = stack()
    events, seen = event_labels(labels, {2}, {3}, SPACING)
    assert not seen[labels == 3].any()
    assert not seen[:, 5, 28].any()
    assert seen[:, 5, 36].all()
    assert seen[events > 0].all()


def test_a_cap_of_an_event_is_no_label_and_not_seen() -> None:
    events, seen = event_labels(stack(), {1}, (), SPACING)
    assert not events[2].any()
    assert not seen[2, 5, 5]
    assert (events[:2, 3:9, 2:8] == 1).all()
    assert seen[2, 5, 20]
