"""Where a person looked who spoke of some nuclei."""

from __future__ import annotations

import numpy as np

from nuset_engine.corrections.seen import seen_part

SPACING = (2.0, 1.0, 1.0)


def labels() -> np.ndarray:
    """Three nuclei of 8 x 8 in a row, and one far away."""
    found = np.zeros((3, 60, 60), np.uint32)
    for label, (y, x) in enumerate(((10, 4), (10, 14), (10, 24), (46, 46)), start=1):
        found[:, y : y + 8, x : x + 8] = label
    return found


def test_who_spoke_of_all_saw_everything() -> None:
    assert seen_part(labels(), (1, 2, 3, 4), (), SPACING).all()
    assert not seen_part(labels(), (), (), SPACING).any()
    assert seen_part(np.zeros((3, 60, 60), np.uint32), (), ((1, 2, 3),), SPACING).all(), "all were deleted"


def test_a_nucleus_is_seen_with_what_is_around_it_and_no_other_one() -> None:
    found = seen_part(labels(), (2,), (), SPACING)
    assert found[labels() == 2].all()
    assert not found[np.isin(labels(), (1, 3, 4))].any()
    assert found[1, 9, 18]
    assert found[1, 14, 13], "between two, nearer to the one"
    assert not found[1, 30, 18]


def test_a_place_is_seen_though_nothing_is_there() -> None:
    found = seen_part(labels(), (), ((1, 30, 30), (1, 99, 99)), SPACING)
    assert found[1, 30, 30]
    assert not found[labels() > 0].any()
    assert 0 < found.mean() < 0.2
