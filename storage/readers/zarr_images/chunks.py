"""Which chunks of a Zarr array are there, asked of the folders that they lie in."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True)
class Chunks:
    """The files of an array's chunks (of its shards, where it has such).

    Attributes
    ----------
    folder : Path
    grid : tuple of int
        Number of chunks along each axis.
    time : tuple of int, or None
        Which axis is time, and how many time points a chunk holds; None for an array without time.
    prefix, separator : str
        How the names of chunks begin, and what stands between their numbers.
    """

    folder: Path
    grid: tuple[int, ...]
    time: tuple[int, int] | None
    prefix: str
    separator: str

    @classmethod
    def of_array(cls, folder: Path, array: zarr.Array[Any], letters: str) -> Chunks:
        """Return the chunks of an open array in a folder, whose axes have these letters."""
        size = array.shards or array.chunks
        grid = tuple(max(1, math.ceil(n / step)) for n, step in zip(array.shape, size, strict=True))
        t = letters.find("t")
        metadata = array.metadata
        if metadata.zarr_format == 2:
            prefix, separator = "", str(metadata.dimension_separator)
        else:
            encoding = metadata.chunk_key_encoding
            separator = str(encoding.separator)  # type: ignore[attr-defined]  # both kinds that there are have it
            prefix = f"c{separator}" if encoding.name == "default" else ""
        return cls(folder, grid, None if t < 0 else (t, int(size[t])), prefix, separator)

    def of(self, t: int) -> list[tuple[Path, int]]:
        """Return the chunks of a time point that are there, in the order of the grid, with their bytes."""
        return [(path, path.stat().st_size) for path in self.paths(t) if path.is_file()]

    def written(self, size_t: int) -> tuple[int, ...]:
        """Return the time points of which anything was written."""
        if self.time is None or self.time[0] > 0:
            return tuple(t for t in range(size_t) if any(path.is_file() for path in self.paths(t)))
        # What is there is asked, not each time point that is declared: those may be millions, of which none came.
        nested, depth = self.separator == "/", self.time[1]
        try:
            names = [entry.name for entry in os.scandir(self.folder / self.prefix if nested else self.folder)]
        except OSError:
            return ()
        if not nested:
            ours = [name.removeprefix(self.prefix).split(self.separator) for name in names if self._is_chunk(name)]
            names = [numbers[0] for numbers in ours if len(numbers) == len(self.grid)]
        steps = {int(name) for name in names if name.isascii() and name.isdecimal() and name == str(int(name))}
        return tuple(t for step in sorted(steps) for t in range(step * depth, min((step + 1) * depth, size_t)))

    def _is_chunk(self, name: str) -> bool:
        return name.startswith(self.prefix) and all(
            n.isdecimal() for n in name[len(self.prefix) :].split(self.separator)
        )

    @property
    def listed(self) -> Path:
        """The folder in which it shows which time points are written."""
        nested = self.folder / self.prefix
        return nested if nested.is_dir() else self.folder

    def paths(self, t: int) -> Iterator[Path]:
        """Give the files of a time point's chunks, whether they are there or not."""
        return (self.folder / self.name(place) for place in self.places(t))

    def name(self, place: Iterable[int]) -> str:
        """Return the name of a chunk's file, in the array's folder."""
        return self.prefix + self.separator.join(map(str, place))

    def places(self, t: int) -> Iterator[tuple[int, ...]]:
        """Give the places in the grid of a time point's chunks."""
        numbers: list[range] = [range(n) for n in self.grid]
        if self.time is not None:
            axis, depth = self.time
            numbers[axis] = range(t // depth, t // depth + 1)
        return product(*numbers)
