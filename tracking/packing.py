"""Links and divisions that fit together: a feasible set of both, improved one division at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracking.assignment import Pairs

REGION_SOURCES = 24
"""Sources that are assigned anew around one division: more than can be displaced by it, and few enough to be quick."""
MIN_GAIN = 1e-9


@dataclass(frozen=True)
class Triples:
    """Possible divisions, one per row: source, its two targets (first < second) and what the division saves."""

    source: np.ndarray
    first: np.ndarray
    second: np.ndarray
    saving: np.ndarray


@dataclass(frozen=True)
class Solution:
    """Target of each source (-1: none), and the daughters of those that divide instead.

    Attributes
    ----------
    match : (n,) int64
    divisions : dict
        Source to (first target, second target, gain over the best solution without this division).
    """

    match: np.ndarray
    divisions: dict[int, tuple[int, int, float]]


class Packing:
    """A feasible set of links and divisions, improved step by step."""

    def __init__(self, pairs: Pairs, match: np.ndarray) -> None:
        """Start from an assignment."""
        self.pairs = pairs
        self.source_starts = np.searchsorted(pairs.source, np.arange(pairs.sources + 1))
        self.match: list[int] = match.tolist()
        self.owner: list[int] = [-1] * pairs.targets
        for source, target in enumerate(self.match):
            if target >= 0:
                self.owner[target] = source
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

    def region(self, core: list[int], wanted: tuple[int, ...]) -> list[int]:
        """Sources that may change hands: `core`, and by two steps those that hold what they could take; no other division."""
        found = list(dict.fromkeys(core))
        edge = list(found)
        for _ in range(2):
            grown: list[int] = []
            for source in edge:
                for target in (*self.links_of(source), *wanted):
                    owner = self.owner[target]
                    if owner >= 0 and owner not in found and owner not in self.division:
                        if len(found) >= REGION_SOURCES:
                            return found
                        found.append(owner)
                        grown.append(owner)
            edge = grown
        return found

    def reassign(self, sources: list[int], taken: tuple[int, ...], released: set[int]) -> tuple[float, dict[int, int]]:
        """Best links of `sources` among free targets and those of `released`, without `taken`."""
        from scipy.optimize import linear_sum_assignment

        columns: dict[int, int] = {}
        cells: list[tuple[int, int, float]] = []
        for row, source in enumerate(sources):
            for target, saving in self.links_of(source).items():
                if target not in taken and (self.owner[target] < 0 or target in released):
                    cells.append((row, columns.setdefault(target, len(columns)), saving))
        if not cells:
            return 0.0, {}
        matrix = np.zeros((len(sources), len(columns)))
        for row, column, saving in cells:
            matrix[row, column] = saving
        rows, chosen = linear_sum_assignment(matrix, maximize=True)
        names = list(columns)
        links = {sources[r]: names[c] for r, c in zip(rows.tolist(), chosen.tolist(), strict=True) if matrix[r, c] > 0}
        return float(matrix[rows, chosen].sum()), links

    def _rearranged(self, core: list[int], taken: tuple[int, ...]) -> tuple[list[int], float, float, dict[int, int]]:
        """Sources of the region without `core[0]`, value of the region now, value and links of the rest once reassigned."""
        sources = self.region(core, taken)
        now = sum(self.value(source) for source in sources)
        released = {target for source in sources for target in self.held(source)}
        rest = [source for source in sources if source != core[0]]
        value, links = self.reassign(rest, taken, released)
        return sources, now, value, links

    def try_division(self, source: int, first: int, second: int, saving: float) -> bool:
        """Make a division if that, with everything it displaces put in order, saves more."""
        if source in self.division and self.division[source][:2] == (first, second):
            return False
        core = [source, *(o for o in (self.owner[first], self.owner[second]) if o >= 0 and o != source)]
        sources, now, rest, links = self._rearranged(core, (first, second))
        if saving + rest <= now + MIN_GAIN:
            return False
        self.apply(sources, links)
        self.divide(source, first, second, saving)
        return True

    def divide(self, source: int, first: int, second: int, saving: float) -> None:
        """Let a source that holds nothing divide into two free targets."""
        self.division[source] = (first, second, saving)
        self.owner[first] = self.owner[second] = source

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

    def gain_of(self, source: int) -> tuple[float, list[int], dict[int, int]]:
        """What a division saves over the best links of its region without it, and these links."""
        sources = self.region([source], self.division[source][:2])
        now = sum(self.value(member) for member in sources)
        released = {target for member in sources for target in self.held(member)}
        value, links = self.reassign(sources, (), released)
        return now - value, sources, links

    def drop_worthless(self) -> bool:
        """Undo divisions that later changes made worse than plain links."""
        changed = False
        for source in sorted(self.division):
            gain, sources, links = self.gain_of(source)
            if gain < -MIN_GAIN:
                self.apply(sources, links)
                changed = True
        return changed

    def scored(self) -> dict[int, tuple[int, int, float]]:
        """Divisions with their gains."""
        return {s: (*self.division[s][:2], max(0.0, self.gain_of(s)[0])) for s in sorted(self.division)}

    def solution(self) -> Solution:
        """The packing as it is, divisions with their gains."""
        return Solution(np.array(self.match, np.int64), self.scored())
