"""What of a recording by Micro-Manager is there, beside what was planned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from storage.readers.image import PlaneIndex
from storage.readers.parts import absence
from storage.spans import spoken

Page = TypeVar("Page")


@dataclass(frozen=True)
class PlannedStack(Generic[Page]):
    """The pages of each position by place, what the summary says, and whether every file was closed."""

    planes: Mapping[int, Mapping[PlaneIndex, Page]]
    summary: Mapping[str, Any]
    closed: bool
    absent: tuple[Path, ...] = ()  # files between those that are there

    def size(self, axis: str, name: str, there: int) -> int:
        """Return the planned size of an axis, or the actual one where that is larger."""
        intended = self.summary.get("IntendedDimensions")
        planned = intended.get(axis) if isinstance(intended, dict) else None
        planned = planned if isinstance(planned, int) else self.summary.get(name, 1)
        return max(there, planned if isinstance(planned, int) and planned > 0 else 1)

    @cached_property
    def sizes(self) -> tuple[int, int, int]:
        """(t, c, z) as planned."""
        places = zip(*(place for planes in self.planes.values() for place in planes), strict=True)
        t, c, z = (max(numbers) + 1 for numbers in places)
        return (self.size("time", "Frames", t), self.size("channel", "Channels", c), self.size("z", "Slices", z))

    def time_points(self, position: int) -> tuple[int, ...]:
        """Those of which every plane is there."""
        size_t, size_c, size_z = self.sizes
        every, planes = [(c, z) for c in range(size_c) for z in range(size_z)], self.planes[position]
        return tuple(t for t in range(size_t) if all((t, c, z) in planes for c, z in every))

    def begins_in(self, first: Path | None) -> str:
        """Say that it is the rest of a recording, which begins in another file; empty where it is not.

        Parameters
        ----------
        first : Path or None
            That file, by the name of this one.
        """
        if first is not None and not first.exists() and any(0 not in self.time_points(one) for one in self.planes):
            return f"goes on from {first.name}, which is not there."
        if any(all(t > 0 for t, _, _ in planes) for planes in self.planes.values()):
            return "goes on from another file, which its name does not tell any more."
        return ""

    @property
    def ready(self) -> int:
        """How many planes are there."""
        return sum(len(planes) for planes in self.planes.values())

    @property
    def declared(self) -> int:
        """How many planes were planned."""
        return math.prod(self.sizes) * len(self.planes)

    def lacks(self, path: Path) -> str:
        """Say what is missing for want of a file between others; empty where nothing is."""
        if not self.absent or self.ready >= self.declared:
            return ""
        times = {t for one in self.planes for t in set(range(self.sizes[0])) - set(self.time_points(one))}
        lost = f"{self.declared - self.ready} of its {self.declared} planes, of time points {spoken(times)}"
        return f"{path} lacks {lost}: {absence(self.absent)}."
