"""What the network says of a part of a stack, at the source's resolution: where nuclei are, and how they divide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import PlaneF32, PlaneYX, StackF32
from nuset_engine.planes.resample import reach, resample_window, steps
from nuset_engine.voxels import Box

ROOM_PX = 32
"""Around what is wanted, in network pixels: as much as a nucleus of the trained size needs to be recognised."""
Read = Callable[[Sequence[PlaneYX], tuple[slice, slice]], Sequence[tuple[PlaneF32, PlaneF32]]]
"""Foreground and ridge (Y, X) of windows, at network resolution, of planes (Y, X) of a source."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Maps of a box of a stack.

    Attributes
    ----------
    foreground : (Z, Y, X) float32
        Probability that something is a nucleus.
    ridge : (Z, Y, X) float32
        Predicted distance to a nucleus' own border in its plane: what the watershed floods.
    threshold : float
        Of the foreground, as the stack is segmented with it.
    """

    foreground: StackF32
    ridge: StackF32
    threshold: float


LandscapeOf = Callable[[Box], "Landscape | str"]
"""Gives the landscape of a box, or says why there is none."""


def landscape(planes: Sequence[PlaneYX], box: Box, network: tuple[int, int], read: Read, threshold: float) -> Landscape:
    """Read a box of a stack.

    Parameters
    ----------
    planes : sequence of (Y, X)
        Of the whole stack, read one by one.
    box : (slice, slice, slice)
        What is wanted, in the source's voxels.
    network : (int, int)
        Shape of a plane at network resolution.
    """
    z, rows, columns = box
    some = [np.asarray(planes[index]) for index in range(z.start, z.stop)]
    height, width = some[0].shape
    step = steps(network, (height, width))
    window = tuple(
        slice(max(0, near.start - ROOM_PX), min(size, near.stop + ROOM_PX))
        for near, size in ((reach(w, s, n), n) for w, s, n in zip((rows, columns), step, network, strict=True))
    )
    found = read(some, (window[0], window[1]))
    origin = window[0].start, window[1].start
    maps = [
        np.stack([resample_window(pair[index], origin, step, (rows, columns)) for pair in found]) for index in (0, 1)
    ]
    return Landscape(maps[0], maps[1], threshold)
