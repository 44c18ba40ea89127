"""Pieces of labels, and smoothed planes: the quick ways give what scipy and scikit-image give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage as ndi
from skimage.measure import label

from nuset_engine.outlines.moving import TOGETHER_ROWS, WIDE, _smooth
from nuset_engine.outlines.pieces import pieces_in, pieces_of

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(arrays(np.int32, SHAPES, elements=st.integers(0, 2)))
def test_pieces_are_those_of_scikit_image(labels: np.ndarray) -> None:
    """Same pixels, in order, and the same ones together; numbered from 1 without gaps."""
    places, pieces = pieces_of(labels)
    assert np.array_equal(places, np.flatnonzero(labels))
    wanted = label(labels, background=0, connectivity=2).ravel()[places]
    together = set(zip(wanted.tolist(), pieces.tolist(), strict=True))
    assert len(together) == len(set(wanted.tolist())) == len(set(pieces.tolist()))
    assert set(pieces.tolist()) == set(range(1, len(together) + 1))


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.booleans())
def test_pieces_of_a_mask_are_those_of_scipy(mask: np.ndarray, corners: bool) -> None:
    """With the same numbers, places, areas and boxes, also of some of them alone."""
    wanted, count = ndi.label(mask, np.ones((3, 3)) if corners else None)
    pieces = pieces_in(mask, corners)
    assert pieces.count == count
    assert np.array_equal(pieces.places(), np.flatnonzero(mask))
    assert np.array_equal(pieces.each(pieces.of) + 1, wanted[mask])
    assert np.array_equal(pieces.of[pieces.run_at(pieces.places())] + 1, wanted[mask])
    assert np.array_equal(pieces.areas, np.bincount(wanted.ravel(), minlength=count + 1)[1:])
    chosen = np.arange(count) % 2 == 1
    some = pieces.among(chosen)
    assert np.array_equal(some.places(), np.flatnonzero(mask & np.append(False, chosen)[wanted]))
    assert np.array_equal(some.areas, pieces.areas * chosen)
    low, high = some.boxes()
    for number in np.flatnonzero(chosen):
        box = ndi.find_objects(wanted)[number]
        assert (*low[number], *high[number]) == (box[0].start, box[1].start, box[0].stop, box[1].stop)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64, np.bool_])
def test_pieces_of_any_kind_of_array(dtype: type) -> None:
    """Turned, mirrored or a part of another one, they are those of its pixels as they are seen."""
    whole = np.random.default_rng(0).integers(0, 3, (14, 60)).astype(dtype)
    for view in (whole.T, whole[::-1], whole[:, ::-1], whole[::2, ::3], whole[3:9, 5:50], np.asfortranarray(whole)):
        found, wanted = pieces_in(view), pieces_in(np.ascontiguousarray(view))
        assert np.array_equal(found.places(), np.flatnonzero(view))
        assert np.array_equal(found.of, wanted.of)
        assert np.array_equal(found.areas, wanted.areas)


def test_a_piece_far_out_has_its_box() -> None:
    mask = np.zeros((60, 80), bool)
    mask[50:53, 70:75] = True
    low, high = pieces_in(mask).boxes()
    assert (low.tolist(), high.tolist()) == ([[50, 70]], [[53, 75]])


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (["1.1", ".1."], 1),  # at corners
        (["1..1", "1..1"], 2),
        (["...1", "1..."], 2),  # the end of a row and the beginning of the next one
        (["1112", "2111"], 3),  # two of the label 2, in one piece of foreground
        (["111", "1.1", "111"], 1),
        (["...", "..."], 0),
    ],
)
def test_pieces_of_drawn_labels(rows: list[str], count: int) -> None:
    labels = np.array([[int(c) if c != "." else 0 for c in row] for row in rows])
    assert len(set(pieces_of(labels)[1].tolist())) == count


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (TOGETHER_ROWS, 9), (TOGETHER_ROWS + 1, 5), (100, 70)])
def test_smoothing_is_that_of_scipy(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).random(shape).astype(np.float32)
    wanted = ndi.uniform_filter(ndi.uniform_filter(plane.astype(float), WIDE), WIDE)
    found = _smooth(plane, (slice(0, shape[0]), slice(0, shape[1])))
    assert found.dtype == np.float32
    assert np.allclose(found, wanted, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_a_window_is_smoothed_as_in_the_plane(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 60, 2)
    plane = rng.random(shape, np.float32)
    rows, columns = (slice(*(np.sort(rng.choice(size + 1, 2, replace=False)).tolist())) for size in shape)
    whole = _smooth(plane, (slice(0, int(shape[0])), slice(0, int(shape[1]))))
    assert np.array_equal(_smooth(plane, (rows, columns)), whole[rows, columns])
