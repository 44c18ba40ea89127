"""Cut planes that are too large for the network into overlapping tiles, and put the answers together without seams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HALO_PX = 96  # further than the network sees, rounded to its largest stride


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
    """(start, stop, core start, core stop) along one axis; starts are multiples of 16 because `tile` and `halo` are."""
    if length <= tile:
        return [(0, length, 0, length)]
    step = tile - 2 * halo
    return [
        (max(0, core - halo), min(length, core + step + halo), core, min(length, core + step))
        for core in range(0, length, step)
    ]


def tiles(shape: tuple[int, int], tile: int, halo: int = HALO_PX) -> Iterator[Tile]:
    """Tiles of at most `tile` pixels along each side whose cores cover the plane (Y, X) exactly once.

    Tiles start at multiples of the network's largest stride, so its pooling grid is the same in every tile.
    """
    for y0, y1, cy0, cy1 in _spans(shape[0], tile, halo):
        for x0, x1, cx0, cx1 in _spans(shape[1], tile, halo):
            yield Tile((y0, y1), (x0, x1), (cy0, cy1), (cx0, cx1))
