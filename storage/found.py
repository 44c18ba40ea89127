"""An image as it was found: what it says of itself, and what tells its time points from changed ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from storage.acquisition import Acquisition
from storage.description import Description


@dataclass(frozen=True)
class Found:
    """Plain values, which travel from the process that looked into the files to the one that writes the database.

    Attributes
    ----------
    description : Description
    fingerprints : mapping of the time point to its fingerprint
    former : mapping of the time point to its fingerprint as versions before made it, where that can be known
    """

    description: Description
    fingerprints: Mapping[int, str]
    former: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, acquisition: Acquisition, wanted: Collection[int] | None = None) -> Found:
        """Look at the time points of an acquisition, or at those of them that are `wanted`."""
        said = acquisition.description
        if wanted is not None:
            there = set(said.time_points)
            said = replace(said, time_points=tuple(t for t in sorted(wanted) if t in there))
        former = {t: acquisition.former_fingerprint(t) for t in said.time_points}
        return cls(
            said,
            {t: acquisition.fingerprint(t) for t in said.time_points},
            {t: text for t, text in former.items() if text is not None},
        )

    def growing(self) -> Found:
        """Return the same of an image of which more is expected: what it lacks is no fault of it yet."""
        return replace(self, description=replace(self.description, lacking=()))
