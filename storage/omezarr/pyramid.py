"""Smaller copies of planes for viewers: images by mean, labels by choice, never a mixture of two labels."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import LabelsZYX, StackZYX

SMALLEST_LEVEL_PX = 256


def level_sizes(size_y: int, size_x: int) -> list[tuple[int, int]]:
    """Return (Y, X) of every level, full size first, halved until the longer side fits `SMALLEST_LEVEL_PX`."""
    sizes = [(size_y, size_x)]
    while max(sizes[-1]) > SMALLEST_LEVEL_PX:
        y, x = sizes[-1]
        sizes.append((-(-y // 2), -(-x // 2)))
    return sizes


def halved_image(block: StackZYX) -> StackZYX:
    """Return a (Z, Y, X) block at half its size in y and x, each pixel the mean of four; an odd edge is repeated."""
    _, size_y, size_x = block.shape
    if size_y % 2 or size_x % 2:
        block = np.pad(block, ((0, 0), (0, size_y % 2), (0, size_x % 2)), mode="edge")
    quads = (block[:, ::2, ::2], block[:, 1::2, ::2], block[:, ::2, 1::2], block[:, 1::2, 1::2])
    if block.dtype.kind == "f":  # quarters, because four large numbers may be more than the type holds
        mean: StackZYX = (quads[0] / 4 + quads[1] / 4 + quads[2] / 4 + quads[3] / 4).astype(block.dtype)
        return mean
    if block.dtype.itemsize == 8:
        rests: StackZYX = sum((quad & 3 for quad in quads[1:]), quads[0] & 3)
        return sum((quad >> 2 for quad in quads[1:]), quads[0] >> 2) + ((rests + 2) >> 2)
    total: StackZYX = quads[0].astype(np.int64 if block.dtype.itemsize >= 4 else np.int32)
    for quad in quads[1:]:  # in place, without a wide copy of each
        np.add(total, quad, out=total)
    np.add(total, 2, out=total)
    halved: StackZYX = np.right_shift(total, 2, out=total).astype(block.dtype)
    return halved


def halved_labels(block: LabelsZYX) -> LabelsZYX:
    """Return a (Z, Y, X) block of labels at half its size in y and x: every second pixel."""
    return block[:, ::2, ::2]
