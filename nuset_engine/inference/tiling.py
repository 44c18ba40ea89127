"""Cut planes that are too large for the network into overlapping tiles, and put the answers together without seams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HALO_PX = 80  # in the 96 px that the network could see, what lies beyond hardly moves a probability by 0.04
GRID_PX = 16  # the network's largest stride
ELONGATION = 1.75  # of tiles that reach over the whole of one side of a plane


@dataclass(frozen=True)
class Tile:
    """A window of a plane and its core, the part whose answers are kept; (start, stop) pairs in pixels."""

    y: tuple[int, int]
    x: tuple[int, int]
    core_y: tuple[int, int]
    core_x: tuple[int, int]

    @property
    def window(self) -> tuple[slice, slice]:
        """Where to read."""
        return slice(*self.y), slice(*self.x)

    @property
    def core(self) -> tuple[slice, slice]:
        """Where to write in the plane."""
        return slice(*self.core_y), slice(*self.core_x)

    @property
    def inner(self) -> tuple[slice, slice]:
        """The core in the window's own frame."""
        return (
            slice(self.core_y[0] - self.y[0], self.core_y[1] - self.y[0]),
            slice(self.core_x[0] - self.x[0], self.core_x[1] - self.x[0]),
        )


def _spans(length: int, tile: int, halo: int) -> list[tuple[int, int, int, int]]:
    """(start, stop, core start, core stop) along one axis, as few and as equal as can be.

    Starts are multiples of `GRID_PX` because `halo` and the windows' common length are.
    """
    if length <= tile:
        return [(0, length, 0, length)]
    count = -(-(length - 2 * halo) // (tile - 2 * halo))
    # The windows overlap by two halos each: together they are that much longer than the plane.
    window = -(-(length + 2 * halo * (count - 1)) // (count * GRID_PX)) * GRID_PX
    spans = []
    for index in range(count):
        start = index * (window - 2 * halo)
        stop = min(length, start + window)
        spans.append((start, stop, start + halo if index else 0, stop - halo if index < count - 1 else length))
    return spans


def _pixels(spans: list[tuple[int, int, int, int]]) -> int:
    """Summed lengths of windows."""
    return sum(stop - start for start, stop, _, _ in spans)


def tiles(shape: tuple[int, int], tile: int, halo: int = HALO_PX) -> Iterator[Tile]:
    """Tiles of at most `tile` x `ELONGATION` * `tile` pixels whose cores cover the plane (Y, X) exactly once.

    They are square, or reach over the whole of one side if that reads fewer pixels. Tiles start at multiples of the
    network's largest stride, so its pooling grid is the same in every tile.
    """
    longest = int(ELONGATION * tile)
    cuts = [
        (_spans(shape[0], height, halo), _spans(shape[1], width, halo))
        for height, width in ((tile, tile), (tile, max(tile, shape[1])), (max(tile, shape[0]), tile))
        if max(height, width) <= longest
    ]
    rows, columns = min(cuts, key=lambda cut: _pixels(cut[0]) * _pixels(cut[1]))
    for y0, y1, cy0, cy1 in rows:
        for x0, x1, cx0, cx1 in columns:
            yield Tile((y0, y1), (x0, x1), (cy0, cy1), (cx0, cx1))
