"""The links that are possible between the nuclei of two frames, and what each would save."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine import assignment
from nuset_engine.arrays import FloatsN, RowsN


@dataclass(frozen=True)
class CandidateLinks:
    """Possible links, one per row: source, target and what the link saves (only savings above 0 are kept)."""

    source: RowsN
    target: RowsN
    saving: FloatsN
    sources: int
    targets: int

    @classmethod
    def build(cls, source: RowsN, target: RowsN, saving: FloatsN, sources: int, targets: int) -> CandidateLinks:
        """Drop what saves nothing, and order by source, then target."""
        keep = saving > 0
        source, target, saving = source[keep], target[keep], saving[keep]
        order = np.lexsort((target, source))
        return cls(source[order], target[order], saving[order], sources, targets)

    def assigned(self) -> RowsN:
        """Target of each source (n,), -1 for none: each with at most one of the other, and the largest total saving."""
        match = np.full(self.sources, -1, np.int64)
        chosen = assignment.assign(self.source, self.target, self.saving, at_once=True)
        match[self.source[chosen]] = self.target[chosen]
        return match

    def prices(self, match: RowsN) -> tuple[FloatsN, FloatsN]:
        """What each source (n,) and each target (m,) is worth to an optimal assignment; see `assignment.prices`."""
        return assignment.prices(self.source, self.target, self.saving, match, self.targets)
