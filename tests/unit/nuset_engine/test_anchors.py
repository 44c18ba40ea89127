"""Anchors: their geometry, their coding, their overlap."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nuset_engine.anchors import (
    LEVELS,
    TRAINED_DIAMETER_PX,
    anchor_boxes,
    anchor_boxes_at,
    box_iou,
    decode,
    encode,
    level_shapes,
)


def test_anchors_are_multiples_of_the_median_nucleus() -> None:
    sides = np.sqrt(np.concatenate([level.shapes.prod(axis=1) for level in LEVELS]))
    assert sorted(set((sides / TRAINED_DIAMETER_PX).round(3).tolist())) == [0.5, 1.0, 2.0, 4.0]


def test_anchor_boxes_lie_around_their_cells() -> None:
    boxes = anchor_boxes(LEVELS[0], 3, 5)
    assert boxes.shape == (3, 5, 6, 4)
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert np.allclose(centres[2, 4], [10, 18])


def test_levels_halve_with_their_stride() -> None:
    assert [(h, w) for _, h, w in level_shapes(64, 32)] == [(16, 8), (8, 4), (4, 2)]


coordinate = st.floats(0, 200, allow_nan=False)
side = st.floats(4, 90, allow_nan=False)


@given(st.tuples(coordinate, coordinate, side, side), st.tuples(coordinate, coordinate, side, side))
def test_decoding_undoes_encoding(anchor: tuple[float, ...], box: tuple[float, ...]) -> None:
    one, other = (np.array([[y, x, y + h, x + w]]) for y, x, h, w in (anchor, box))
    if np.abs(np.log((other[:, 2:] - other[:, :2]) / (one[:, 2:] - one[:, :2]))).max() < 2:
        assert np.allclose(decode(one, encode(one, other)), other, rtol=1e-3, atol=1e-2)


def test_decoding_wild_offsets_stays_finite() -> None:
    boxes = decode(np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([[1e3, -1e3, 1e6, -1e6]]))
    assert np.isfinite(boxes).all()


def test_box_overlap_by_hand() -> None:
    """Two 2 x 2 boxes that share one pixel: 1 / 7."""
    overlap = box_iou(np.array([[0, 0, 2, 2]]), np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]]))
    assert np.allclose(overlap, [[1 / 7, 1, 0]])


def test_anchors_are_the_same_one_by_one() -> None:
    rng = np.random.default_rng(0)
    for level in LEVELS:
        y, x, anchor = rng.integers(7, size=20), rng.integers(9, size=20), rng.integers(level.count, size=20)
        assert np.array_equal(anchor_boxes_at(level, y, x, anchor), anchor_boxes(level, 7, 9)[y, x, anchor])
