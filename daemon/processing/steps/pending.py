"""What readers of the stores are still to see: committed time points, final tracks; and leftovers to remove."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow


@dataclass
class Pending:
    """What is pending; all of it can be found in the database, too.

    Attributes
    ----------
    to_publish : dict
        The row of the acquisition by (acquisition id, t) of committed time points, in the order of their commits.
    to_paint : set of int
        Acquisitions that may have final tracks to paint.
    to_sweep : dict
        Rows, by id, of acquisitions in whose stores a worker died.
    """

    to_publish: dict[tuple[int, int], AcquisitionRow] = field(default_factory=dict)
    to_paint: set[int] = field(default_factory=set)
    to_sweep: dict[int, AcquisitionRow] = field(default_factory=dict)

    def of(self, acquisition_id: int) -> bool:
        """Say whether readers of one acquisition have anything still to see."""
        return acquisition_id in self.to_paint or any(number == acquisition_id for number, _ in self.to_publish)
