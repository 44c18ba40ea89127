"""What a person may say of a movie, sensible or not: of what is there, was there, never was, or lies elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from storage.corrections.ordering import PersonsWord
from storage.corrections.persons_word import COUNTS

Shape = tuple[int, int, int]


class OddPerson:
    """Says such things at random.

    Parameters
    ----------
    shape : (Z, Y, X)
    spacing : (z, y, x)
    frames : int
    rng : Generator
    """

    def __init__(
        self, shape: Shape, spacing: tuple[float, float, float], frames: int, rng: np.random.Generator
    ) -> None:
        self.shape, self.spacing, self.frames, self.rng = shape, spacing, frames, rng
        self.known: set[int] = {1}  # labels that were ever seen

    def word(self, seen: dict[str, Any]) -> PersonsWord:
        """Something; most of it is of what is there."""
        nuclei, rng = seen["nuclei"], self.rng
        self.known |= set(nuclei["label"].tolist())
        kind = str(rng.choice(list(COUNTS)))
        t = self._time()
        here, later = COUNTS[kind]
        to_t = None
        if later:
            to_t = None if rng.random() < 0.6 else self._time()
        next_t = t + 1 if to_t is None else to_t
        labels = self._labels(nuclei, t, int(rng.integers(1, 6)) if here is None else here)
        to = self._labels(nuclei, next_t, later)
        points: tuple[tuple[float, float, float], ...] = ()
        mask = None
        if kind == "split":
            points = tuple(self._point(nuclei, t, labels) for _ in range(int(rng.integers(2, 5))))
        if kind == "add" and rng.random() < 0.5:
            points = (self._point(nuclei, t, ()),)
        elif kind in ("add", "redraw"):
            mask = self._mask(nuclei, t, labels)
        return PersonsWord(kind, t, labels, to, to_t, points, mask)

    def _time(self) -> int:
        rng = self.rng
        return int(rng.integers(0, self.frames)) if rng.random() < 0.97 else int(rng.choice([-1, self.frames, 2**40]))

    def _labels(self, nuclei: pd.DataFrame, t: int, count: int) -> tuple[int, ...]:
        there = nuclei[nuclei["t"] == t]["label"].tolist()
        found = []
        for _ in range(count):
            pick = self.rng.random()
            if pick < 0.93 and there:
                found.append(int(self.rng.choice(there)))
                if self.rng.random() < 0.9:
                    there.remove(found[-1])
            elif pick < 0.99:
                found.append(int(self.rng.choice(sorted(self.known))))
            else:
                found.append(int(self.rng.choice([0, -1, 2**31, 2**63])))
        return tuple(found)

    def _near(self, nuclei: pd.DataFrame, t: int, labels: tuple[int, ...]) -> tuple[float, float, float]:
        """A place in voxels, of a nucleus that is named, or of any, or anywhere."""
        rng = self.rng
        rows = nuclei[(nuclei["t"] == t) & (nuclei["label"].isin(labels) if labels else True)]
        if len(rows) and rng.random() < (0.9 if labels else 0.4):
            row = rows.iloc[int(rng.integers(0, len(rows)))]
            off = rng.normal(0, 1.5, 3)
            return tuple(float(row[f"centroid_{axis}_px"] + more) for axis, more in zip("zyx", off, strict=True))
        return tuple(float(at) for at in rng.uniform(-1, np.array(self.shape) + 0.5))

    def _point(self, nuclei: pd.DataFrame, t: int, labels: tuple[int, ...]) -> tuple[float, float, float]:
        if self.rng.random() < 0.02:
            return (float(self.rng.choice([np.nan, np.inf, -1e300])), 1.0, 1.0)
        z, y, x = (at * size for at, size in zip(self._near(nuclei, t, labels), self.spacing, strict=True))
        return min(max(z, 0.0), (self.shape[0] - 1) * self.spacing[0]), y, x

    def _mask(self, nuclei: pd.DataFrame, t: int, labels: tuple[int, ...]) -> np.ndarray:
        rng = self.rng
        pick = rng.random()
        if pick < 0.03:
            return np.zeros(self.shape, np.uint8)
        if pick < 0.06:
            return np.ones(self.shape, rng.choice([np.bool_, np.float32, np.int64]))
        if pick < 0.08:
            return np.ones((2, 2, 2), np.uint8)
        _, y, x = self._near(nuclei, t, labels)
        radius = float(rng.choice([0.6, 1.5, 3.0, 4.0, 6.0]))
        zs, ys, xs = np.indices(self.shape)
        mask = (ys - y) ** 2 + (xs - x) ** 2 <= radius**2
        if rng.random() < 0.4:
            mask &= zs >= int(rng.integers(0, self.shape[0]))
        if not mask.any() or pick > 0.97:
            mask = np.zeros(self.shape, bool)
            mask[tuple(int(rng.integers(0, size)) for size in self.shape)] = True
        return mask * rng.choice([1, 7, 300]) if rng.random() < 0.3 else mask
