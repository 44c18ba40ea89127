"""Contrast limits of a channel: what viewers show black and what white, from every plane of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import FloatsN, PlaneYX

DARK_PERCENT = 0.5
BRIGHT_SHARE = 1e-5
"""Of all blocks of 2 x 2 pixels in the stack: this many may be as bright as white, and one at least."""
SAMPLE_PX = 4 * 2**20
"""Pixels of the stack among which black is looked for."""


def limits(planes: Sequence[PlaneYX]) -> tuple[float, float]:
    """Return (black, white) of a stack, white above black.

    White is the brightest place of any slice, so that a nucleus is no white disc because all others are dimmer. A
    place is a block of 2 x 2 pixels, as bright as the second brightest of them: one hot pixel would make all else dark.
    Slices of one value only were not exposed and tell nothing.

    Parameters
    ----------
    planes : sequence of (Y, X) planes
        Each is read once.
    """
    dark, bright = [np.empty(0)], np.empty(0)
    for plane in planes:
        finite = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane.ravel()
        if finite.size == 0 or finite.min() == finite.max():
            continue
        dark.append(finite[:: -(-len(planes) * finite.size // SAMPLE_PX)].astype(float))
        places = _places(plane)
        count = max(1, round(BRIGHT_SHARE * len(planes) * places.size))
        bright = _largest(np.concatenate([bright, _largest(places, count)]), count)
    if not bright.size:
        return (0.0, 1.0)
    start = float(np.percentile(np.concatenate(dark), DARK_PERCENT, method="lower"))
    end = float(bright.min())
    return (start, end if end > start else max(start + 1.0, float(np.nextafter(start, np.inf))))


def _places(plane: PlaneYX) -> FloatsN:
    """Return how bright each block of 2 x 2 pixels is. A lonely row or column counts twice, an odd edge is left out."""
    plane = np.repeat(plane, 2 if plane.shape[0] == 1 else 1, axis=0)
    plane = np.repeat(plane, 2 if plane.shape[1] == 1 else 1, axis=1)
    plane = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    a, b, c, d = (plane[y::2, x::2] for y in (0, 1) for x in (0, 1))
    second = np.fmax(np.fmin(np.fmax(a, b), np.fmax(c, d)), np.fmax(np.fmin(a, b), np.fmin(c, d)))
    values: FloatsN = second[np.isfinite(second)].astype(float)
    return values


def _largest(values: FloatsN, count: int) -> FloatsN:
    return values if values.size <= count else np.partition(values, values.size - count)[-count:]
