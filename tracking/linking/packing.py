"""Links and divisions that fit together: a feasible set of both, and what each division in it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN
from tracking.linking.candidates import CandidateLinks

REGION_SOURCES = 24
"""Sources that are assigned anew to see what there would be without a division: more than it can displace."""


@dataclass(frozen=True)
class Triples:
    """Possible divisions, one per row.

    Attributes
    ----------
    source, first, second : (E,) int64
        A source and its two targets, first < second.
    saving : (E,) float64
        What it saves that the source is both, as daughters or as its fragments.
    lead : (E,) float64
        How much more that is as daughters than as fragments.
    """

    source: RowsN
    first: RowsN
    second: RowsN
    saving: FloatsN
    lead: FloatsN


@dataclass(frozen=True)
class Solution:
    """Target of each source (-1: none), and the daughters of those that divide instead.

    Attributes
    ----------
    match : (n,) int64
    divisions : dict
        Source to (first target, second target, gain over the best solution without this division).
    late : dict
        Source to (target, delay, gain): its track was born `delay` frames before, and the target is its sister.
    """

    match: RowsN
    divisions: dict[int, tuple[int, int, float]]
    late: dict[int, tuple[int, int, float]] = field(default_factory=dict)


class Packing:
    """A feasible set of links and divisions, improved step by step."""

    def __init__(self, pairs: CandidateLinks, match: RowsN) -> None:
        """Start from an assignment."""
        self.pairs = pairs
        self.source_starts = np.searchsorted(pairs.source, np.arange(pairs.sources + 1))
        self.match: list[int] = match.tolist()
        self.owner = np.full(pairs.targets, -1, np.int64)
        self.owner[match[match >= 0]] = np.flatnonzero(match >= 0)
        self.division: dict[int, tuple[int, int, float]] = {}
        self.options: dict[int, dict[int, float]] = {}

    def links_of(self, source: int) -> dict[int, float]:
        """Saving by target of all possible links of a source."""
        if source not in self.options:
            part = slice(self.source_starts[source], self.source_starts[source + 1])
            self.options[source] = dict(
                zip(self.pairs.target[part].tolist(), self.pairs.saving[part].tolist(), strict=True)
            )
        return self.options[source]

    def held(self, source: int) -> tuple[int, ...]:
        """Targets that a source has now."""
        if source in self.division:
            return self.division[source][:2]
        return (self.match[source],) if self.match[source] >= 0 else ()

    def value(self, source: int) -> float:
        """What a source saves now."""
        if source in self.division:
            return self.division[source][2]
        target = self.match[source]
        return self.links_of(source)[target] if target >= 0 else 0.0

    def region(self, core: int, wanted: tuple[int, ...], through_divisions: bool = False) -> list[int]:
        """A source, and by two steps those that hold what it or they could take, with or without those that divide."""
        found = [core]
        edge = list(found)
        for _ in range(2):
            grown: list[int] = []
            for source in edge:
                for target in (*self.links_of(source), *wanted):
                    owner = int(self.owner[target])
                    if owner >= 0 and owner not in found and (through_divisions or owner not in self.division):
                        if len(found) >= REGION_SOURCES:
                            return found
                        found.append(owner)
                        grown.append(owner)
            edge = grown
        return found

    def reassign(self, sources: list[int], released: set[int]) -> float:
        """Value of the best assignment of `sources` to free targets and those of `released`."""
        from scipy.optimize import linear_sum_assignment

        columns: dict[int, int] = {}
        cells: list[tuple[int, int, float]] = []
        for row, source in enumerate(sources):
            for target, saving in self.links_of(source).items():
                if self.owner[target] < 0 or target in released:
                    cells.append((row, columns.setdefault(target, len(columns)), saving))
        if not cells:
            return 0.0
        matrix = np.zeros((len(sources), len(columns)))
        for row, column, saving in cells:
            matrix[row, column] = saving
        rows, chosen = linear_sum_assignment(matrix, maximize=True)
        return float(matrix[rows, chosen].sum())

    def apply(self, sources: list[int], links: dict[int, int]) -> None:
        """Replace everything that `sources` hold by `links`."""
        for source in sources:
            for target in self.held(source):
                self.owner[target] = -1
            self.division.pop(source, None)
            self.match[source] = -1
        for source, target in links.items():
            self.match[source] = target
            self.owner[target] = source

    def divide(self, source: int, first: int, second: int, saving: float) -> None:
        """Let a source that holds nothing divide into two free targets."""
        self.division[source] = (first, second, saving)
        self.owner[first] = self.owner[second] = source

    def gain_of(self, source: int) -> float:
        """What a division saves over the best links of its region without any other division."""
        sources = self.region(source, self.division[source][:2])
        now = sum(self.value(member) for member in sources)
        released = {target for member in sources for target in self.held(member)}
        return now - self.reassign(sources, released)
