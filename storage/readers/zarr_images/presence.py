"""Which planes of a time point are there in a Zarr array, chunk by chunk, also inside shards.

A chunk that holds nothing but the fill value may be left out; one that never came, or was lost, looks the same. So what
is absent is counted, and it is the business of the caller to doubt it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.readers.confined import leading_out
from storage.readers.zarr_images.chunks import Chunks
from storage.readers.zarr_images.shards import ShardIndex
from storage.spans import spoken

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True)
class Presence:
    """What of a time point is there.

    Attributes
    ----------
    t : int
    chunks : int
        That the time point has.
    absent : int
        Of them.
    planes : tuple of (c, z)
        Those of which no chunk is there.
    """

    t: int
    chunks: int
    absent: int
    planes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Gaps:
    """What is absent of the time points of an array that something was written of.

    Attributes
    ----------
    fill : the value that counts for what is absent; None where none is said
    found : tuple of Presence
        Of the time points of which a chunk is absent.
    """

    fill: Any
    found: tuple[Presence, ...]

    @property
    def doubtful(self) -> tuple[int, ...]:
        """The time points that lack more than programs leave out of a plane with a black background."""
        return tuple(one.t for one in self.found if one.planes or not self._is_black)

    @property
    def unwritten(self) -> frozenset[int]:
        """The time points of which no chunk is there, though a file or folder for them is."""
        return frozenset(one.t for one in self.found if one.absent == one.chunks)

    @property
    def sparse(self) -> tuple[int, ...]:
        """All time points of which a chunk is absent."""
        return tuple(one.t for one in self.found)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people must know, each the end of a sentence about the store."""
        begun = [one for one in self.found if one.t not in self.unwritten]
        places = [(one.t, c, z) for one in begun for c, z in one.planes]
        partly = [one for one in begun if not one.planes]
        count = "count as nothing that was said" if self.fill is None else f"count as {self.fill}"
        remarks = []
        if places:
            t, c, z = (spoken(numbers) for numbers in zip(*places, strict=True))
            remarks.append(
                f"has no chunk of {len(places)} plane{'s' if len(places) > 1 else ''} (t {t}, c {c}, z {z}), which "
                f"{count}: if they are not blank, they are lost or still to come; write the store again"
            )
        if partly:
            absent, chunks = (sum(getattr(one, name) for one in partly) for name in ("absent", "chunks"))
            times = spoken(one.t for one in partly)
            remarks.append(
                f"lacks {absent} of {chunks} chunks of the time points {times}, which {count}: programs leave out "
                "blank chunks; if these are not blank, write the store again"
            )
        return tuple(remarks)

    @property
    def _is_black(self) -> bool:
        return self.fill is not None and bool(self.fill == 0)


def gaps(chunks: Chunks, array: zarr.Array[Any], letters: str, time_points: Iterable[int]) -> Gaps:
    """Look which chunks of time points are absent."""
    look = _Look(chunks, array, letters)
    found = [look.at(t) for t in time_points]
    said = array.metadata.fill_value
    fill = said.item() if isinstance(said, np.generic) else said
    return Gaps(fill, tuple(one for one in found if one.absent))


class _Look:
    """A look at the chunks of an array, those inside shards where it has such."""

    def __init__(self, chunks: Chunks, array: zarr.Array[Any], letters: str) -> None:
        self._chunks, self._letters = chunks, letters
        self._index = ShardIndex.of_array(array)
        outer = array.shards or array.chunks
        inner = outer if self._index is None else array.chunks
        self._steps = dict(zip(letters, inner, strict=True))
        self._sizes = dict(zip(letters, array.shape, strict=True))
        self._per_file = tuple(max(1, a // b) for a, b in zip(outer, inner, strict=True))
        self._names = self._listed()

    def at(self, t: int) -> Presence:
        """Return what is there of a time point."""
        counts = {letter: -(-self._sizes[letter] // self._steps[letter]) for letter in self._letters}
        moment = t // self._steps["t"] if "t" in self._letters else 0
        total = max(1, int(np.prod([n for letter, n in counts.items() if letter != "t"])))
        if self._index is not None and leading_out(self._chunks.folder, self._chunks.paths(t)) is not None:
            return Presence(t, total, 0)  # it is not opened to see what is in it, and refused when it is read
        seen: set[tuple[int, int]] = set()
        present = 0
        for place in self._chunks.places(t):
            for chunk in self._inside(place):
                where = dict(zip(self._letters, chunk, strict=True))
                if where.get("t", 0) == moment and all(n < counts[letter] for letter, n in where.items()):
                    present += 1
                    seen.add((where.get("c", 0), where.get("z", 0)))
        lacking = [at for at in product(range(counts.get("c", 1)), range(counts.get("z", 1))) if at not in seen]
        planes = [plane for c, z in lacking for plane in product(self._span("c", c), self._span("z", z))]
        return Presence(t, total, total - present, tuple(sorted(planes)))

    def _span(self, letter: str, chunk: int) -> range:
        step = self._steps.get(letter, 1)
        return range(chunk * step, min((chunk + 1) * step, self._sizes.get(letter, 1)))

    def _inside(self, place: Sequence[int]) -> Iterable[tuple[int, ...]]:
        """Give the chunks that are there of the file at a place of the grid: it alone, or those of a shard."""
        name = self._chunks.name(place)
        if self._names is not None and name not in self._names:
            return ()
        path = f"{self._chunks.folder}/{name}"
        if self._names is None and not os.path.isfile(path):
            return ()
        alone = [(0,) * len(self._per_file)]
        inner = alone if self._index is None else self._index.present(path, self._per_file)
        return [tuple(a * n + b for a, n, b in zip(place, self._per_file, one, strict=True)) for one in inner]

    def _listed(self) -> set[str] | None:
        """Return the names of all files where they lie in one folder, to be asked once; else None."""
        if self._chunks.separator == "/":
            return None
        try:
            return set(os.listdir(self._chunks.folder))
        except OSError:
            return set()
