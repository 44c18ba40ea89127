"""The planes of a series by their places, (time point, channel, slice), as the numbers in their names tell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from storage.readers.bounded import BrokenFileError
from storage.readers.image import MOST_PLANES, PlaneIndex
from storage.spans import spoken
from tracking.steps import absent, step_of

Numbers = Mapping[str, int]
"""Of a name, by letter."""


@dataclass(frozen=True)
class Grid:
    """The files by place; those of a single plane a time point are in the order of their numbers.

    Slices and channels count from the lowest number, time points from 0 or 1.

    Attributes
    ----------
    files : mapping of (t, c, z) to the file
    sizes : (T, C, Z)
    start : int
        The number of time point 0.
    counts : mapping of t to how many of its planes are there
    time_points : tuple of int
        Those of which every plane is there that any time point has.
    remarks : tuple of str
    """

    files: dict[PlaneIndex, Path]
    sizes: PlaneIndex
    start: int
    counts: Mapping[int, int]
    time_points: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    @property
    def is_flat(self) -> bool:
        """A time point is a single plane."""
        return self.sizes[1:] == (1, 1)


class GrowingGrid:
    """The grid of a series, to which what is new is added where nothing else changed.

    Parameters
    ----------
    numbers : callable
        Returns the numbers in a file's name.
    is_timed : bool
        Names have a number for the time point.
    """

    def __init__(self, numbers: Callable[[Path], Numbers], is_timed: bool) -> None:
        self._numbers, self._is_timed = numbers, is_timed
        self._files: dict[Path, None] = {}
        self._orders: Mapping[str, Mapping[int, int]] = {}
        self._grid: Grid | None = None
        self._lock = Lock()

    def of(self, files: Sequence[Path]) -> Grid:
        """Return the grid of these files.

        Raises
        ------
        BrokenFileError
            When there are none, or their numbers are absurd.
        """
        with self._lock:
            return self._grown_to(files)

    def _grown_to(self, files: Sequence[Path]) -> Grid:
        new = {file: self._numbers(file) for file in files if file not in self._files}
        grid = self._grown(new) if len(self._files) + len(new) == len(files) else None
        if grid is None:
            self._files, self._grid = {}, None
            grid = self._anew({file: self._numbers(file) for file in files})
        if grid.sizes[0] * grid.sizes[1] * grid.sizes[2] > MOST_PLANES:
            raise BrokenFileError(f"its names claim the sizes {grid.sizes} (T, C, Z)")
        self._files |= dict.fromkeys(files)
        self._grid = grid
        return grid

    def _anew(self, told: Mapping[Path, Numbers]) -> Grid:
        if not told:
            raise BrokenFileError("it is gone, or none of its files is whole yet")
        times = [number["t"] for number in told.values()]
        start = 0 if 0 in times or not self._is_timed else 1
        seen = {letter: sorted({number[letter] for number in told.values()}) for letter in "cz"}
        self._orders = {letter: {n: i for i, n in enumerate(found)} for letter, found in seen.items()}
        placed: dict[PlaneIndex, Path] = {}
        for file, n in _in_order(told):
            placed.setdefault(self._place(n, start), file)  # of z1 and z01 the first
        sizes = (max(times) - start + 1, len(seen["c"]), len(seen["z"]))
        counts = Counter(t for t, _, _ in placed)
        whole = tuple(t for t in sorted(counts) if counts[t] == sizes[1] * sizes[2])
        return Grid(placed, sizes, start, counts, whole, (*_twins(told, placed), *_absent_slices(seen["z"])))

    def _grown(self, new: Mapping[Path, Numbers]) -> Grid | None:
        """Return the grid with what is new behind what was there; None where that does not do."""
        before = self._grid
        if before is None or not new:
            return before
        added = _in_order(new)
        if before.is_flat and _order(next(reversed(before.files.values()))) > _order(added[0][0]):
            return None
        if any(n["t"] < before.start for _, n in added):
            return None
        if any(n[letter] not in self._orders[letter] for _, n in added for letter in "cz"):
            return None
        places = {self._place(n, before.start): file for file, n in added}
        if len(places) < len(added) or any(place in before.files for place in places):
            return None
        counts = Counter(t for t, _, _ in places)
        whole = {t for t in counts if before.counts.get(t, 0) + counts[t] == before.sizes[1] * before.sizes[2]}
        return replace(
            before,
            files={**before.files, **places},
            sizes=(max(before.sizes[0], *(t + 1 for t in counts)), *before.sizes[1:]),
            counts={**before.counts, **{t: before.counts.get(t, 0) + n for t, n in counts.items()}},
            time_points=tuple(sorted({*before.time_points, *whole})),
        )

    def _place(self, numbers: Numbers, start: int) -> PlaneIndex:
        return (numbers["t"] - start, self._orders["c"][numbers["c"]], self._orders["z"][numbers["z"]])


def _order(file: Path) -> tuple[int, str]:
    return len(file.name), file.name


def _in_order(told: Mapping[Path, Numbers]) -> list[tuple[Path, Numbers]]:
    return sorted(told.items(), key=lambda one: _order(one[0]))


def _twins(told: Iterable[Path], placed: Mapping[PlaneIndex, Path]) -> tuple[str, ...]:
    left_out = sorted(set(told) - set(placed.values()))
    many = f"{len(left_out)} files, such as {left_out[0].name}, have" if len(left_out) > 1 else ""
    one = f"{left_out[0].name} has" if left_out and not many else ""
    return (f"has two files for a plane: {many or one} the numbers of others and is left out",) if left_out else ()


def _absent_slices(numbers: list[int]) -> tuple[str, ...]:
    """Say it where slices are not there at any time point, so that those around them look like neighbours."""
    step = step_of(numbers)
    if len(numbers) * step * 100 < numbers[-1] - numbers[0]:
        return (f"has slices numbered from {numbers[0]} to {numbers[-1]}, but only {len(numbers)} of them",)
    missing = absent(numbers, step)
    if not missing:
        return ()
    return (f"has no slice number {spoken(missing)}: those around are taken for neighbours",)
