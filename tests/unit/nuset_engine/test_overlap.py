"""Overlap tables against hand-made cases and a brute-force count."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawn

from nuset_engine.errors import EngineError
from nuset_engine.overlap import compact, overlap

TRUTH = drawn("""
    AAAA..BB
    AAAA..BB
    ........
    CC..DDDD
""")
PREDICTED = drawn("""
    AAA...BB
    AAA...BB
    ........
    CCCCCC..
""")


def test_pairs_areas_and_shares_of_a_drawing():
    found = overlap(TRUTH, PREDICTED)
    assert found.areas_a.tolist() == [8, 4, 2, 4]
    assert found.areas_b.tolist() == [6, 4, 6]
    assert list(zip(found.rows, found.columns, found.shared, strict=True)) == [
        (0, 0, 6),
        (1, 1, 4),
        (2, 2, 2),
        (3, 2, 2),
    ]
    np.testing.assert_allclose(found.iou, [6 / 8, 1, 2 / 6, 2 / 8])
    np.testing.assert_allclose(found.over_smaller, [1, 1, 1, 2 / 4])
    np.testing.assert_allclose(found.share_of_a, [6 / 8, 1, 1, 2 / 4])
    np.testing.assert_allclose(found.share_of_b, [1, 1, 2 / 6, 2 / 6])


@pytest.mark.parametrize(
    ("dtype", "stretch"),
    [(t, 1) for t in (np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)]
    + [(np.uint16, 3), (np.int32, 7_000_000), (np.uint64, 7_000_000)],
)
def test_any_integer_type_and_any_labels_equal_a_brute_force_count(dtype, stretch):
    rng = np.random.default_rng(3)
    a = (rng.integers(0, 9, (5, 30, 31)) * stretch).astype(dtype)
    b = (rng.integers(0, 7, (5, 30, 31)) * stretch).astype(dtype)
    found = overlap(a, b)
    matrix = found.dense(found.shared)
    assert found.labels_a.tolist() == [i * stretch for i in range(1, 9)]
    for i, first in enumerate(found.labels_a):
        for j, second in enumerate(found.labels_b):
            assert matrix[i, j] == ((a == first) & (b == second)).sum()


def test_many_objects_take_the_sorting_path_and_agree():
    labels = np.arange(1, 2501, dtype=np.int32).reshape(50, 50)
    shifted = np.roll(labels, 1, axis=1)
    found = overlap(labels, shifted)
    assert len(found.rows) == 2500
    assert (found.labels_b[found.columns] == shifted.ravel()[found.labels_a[found.rows] - 1]).all()


def test_background_alone_shares_nothing():
    empty = np.zeros((4, 5), np.uint16)
    for a, b in ((empty, empty), (empty, empty + 1), (empty + 1, empty)):
        assert len(overlap(a, b).rows) == 0


def test_compact_closes_holes_and_keeps_the_order():
    labels, ranks = compact(np.array([[0, 7], [3, 7]]))
    assert labels.tolist() == [3, 7]
    assert ranks.tolist() == [0, 2, 1, 2]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "one shape"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "whole numbers"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), "negative"),
    ],
)
def test_what_is_no_label_image_is_refused(a, b, message):
    with pytest.raises(EngineError, match=message):
        overlap(a, b)
