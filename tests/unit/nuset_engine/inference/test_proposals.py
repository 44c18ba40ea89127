"""Decoding of heads and non-maximum suppression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nuset_engine.anchors import LEVELS, TRAINED_DIAMETER_PX, box_iou
from nuset_engine.inference import proposals
from nuset_engine.inference.proposals import EMPTY, Proposals, decode_heads, joined, suppress


def heads(height: int = 64, width: int = 48) -> list[np.ndarray]:
    """Heads that see nothing."""
    return [
        np.concatenate(
            [
                np.full((height // lv.stride, width // lv.stride, lv.count), -9.0),
                np.zeros((height // lv.stride, width // lv.stride, lv.count * 4)),
            ],
            axis=-1,
        ).astype(np.float32)
        for lv in LEVELS
    ]


def test_heads_that_see_nothing_propose_nothing() -> None:
    assert len(decode_heads(tuple(heads()), 0.5)) == 0


def test_one_bright_anchor_is_one_box() -> None:
    some = heads()
    square = int(np.argmin(np.ptp(LEVELS[0].shapes, axis=1) + abs(LEVELS[0].shapes[:, 0] - TRAINED_DIAMETER_PX)))
    some[0][5, 3, square] = 3.0
    found = decode_heads(tuple(some), 0.5)
    assert np.allclose(found.boxes, [[10, 2, 34, 26]])
    assert np.allclose(found.scores, 1 / (1 + np.exp(-3)))
    assert np.allclose(found.diameters, TRAINED_DIAMETER_PX)


def reference(found: Proposals, limit: float) -> list[int]:
    """Greedy suppression of everything against everything."""
    kept: list[int] = []
    for i in range(len(found)):
        if not kept or box_iou(found.boxes[[i]], found.boxes[kept]).max() <= limit:
            kept.append(i)
    return kept


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 200),
    st.sampled_from([0, 0.15, 0.35, 0.6, 0.97]),
    st.sampled_from([0, 99]),
)
def test_suppression_equals_brute_force(seed: int, count: int, limit: float, few: int) -> None:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 80, (count, 2)), rng.uniform(6, 60, (count, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    found = joined([Proposals(boxes, rng.random(count).astype(np.float32))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposals, "FEW", few)  # both ways of few and of many are taken
        kept = suppress(found, limit)
    assert np.array_equal(kept.boxes, found.boxes[reference(found, limit)])


def test_suppression_of_nothing() -> None:
    assert len(suppress(EMPTY, 0.3)) == 0
    assert len(joined([])) == 0


def test_order_does_not_depend_on_how_the_parts_came() -> None:
    rng = np.random.default_rng(1)
    boxes, scores = rng.random((10, 4)).astype(np.float32), np.repeat(np.float32(0.5), 10)
    one = joined([Proposals(boxes, scores)])
    other = joined([Proposals(boxes[5:], scores[5:]), Proposals(boxes[:5], scores[:5])])
    assert np.array_equal(one.boxes, other.boxes)
