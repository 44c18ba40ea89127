"""Which time points of which stores workers are writing, and whose store is just being made."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from daemon.processing.messages import AnalyseTask, CorrectTask, PaintTask, Task
from storage import naming

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow


class Writing:
    """What workers write at this moment; what a store says of itself is written by the loop alone."""

    def __init__(self) -> None:
        self._labels: dict[int, Counter[int]] = defaultdict(Counter)
        self._painted: dict[int, int] = {}
        self._corrected: set[int] = set()

    def begin(self, row: AcquisitionRow, task: Task) -> None:
        """A worker gets a task; most of them write into no store."""
        if isinstance(task, AnalyseTask):
            self._labels[row.id][task.t] += 1
        elif isinstance(task, PaintTask):
            self._painted[row.id] = task.t
        elif isinstance(task, CorrectTask):
            self._corrected.add(row.id)

    def over(self, row: AcquisitionRow, task: Task) -> None:
        """It is at it no more."""
        if isinstance(task, AnalyseTask):
            self._labels[row.id] -= Counter([task.t])
            if not self._labels[row.id]:
                del self._labels[row.id]
        elif isinstance(task, PaintTask):
            del self._painted[row.id]
        elif isinstance(task, CorrectTask):
            self._corrected.discard(row.id)

    def into(self, acquisition_id: int) -> bool:
        """Say whether anybody writes into the store of an acquisition."""
        others = acquisition_id in self._painted or acquisition_id in self._corrected
        return others or acquisition_id in self._labels

    def paints(self, acquisition_id: int) -> bool:
        """Say whether tracks of an acquisition are being painted: one time point of each at a time."""
        return acquisition_id in self._painted

    def is_at(self, acquisition_id: int, t: int) -> bool:
        """Say whether a time point is being written."""
        return t in self._labels.get(acquisition_id, ()) or acquisition_id in self._corrected

    def hides(self, acquisition_id: int, t: int) -> bool:
        """Say whether showing time point t would show one that is being written: arrays end behind what is shown."""
        if acquisition_id in self._corrected or self._painted.get(acquisition_id) == t:
            return True
        return any(written <= t for written in self._labels.get(acquisition_id, ()))


class Making:
    """Stores that are being made: by one worker at a time, and one at a time in a bundle.

    At a URL there is no step in which a store appears whole, and a bundle lists its positions in one place.
    """

    def __init__(self) -> None:
        self._made: set[int] = set()
        self._under_way: dict[str, tuple[int, int]] = {}  # the acquisition, and the row of the time point

    def may_begin(self, row: AcquisitionRow) -> bool:
        """Say whether a time point of an acquisition can be written now."""
        return row.id in self._made or _key(row) not in self._under_way

    def begin(self, row: AcquisitionRow, timepoint_id: int) -> None:
        """A worker makes it, or sees that it is there, first of all for this time point."""
        if row.id not in self._made:
            self._under_way[_key(row)] = (row.id, timepoint_id)

    def made(self, row: AcquisitionRow) -> None:
        """It is there."""
        self._made.add(row.id)
        self.over(row)

    def over(self, row: AcquisitionRow, timepoint_id: int | None = None) -> None:
        """Nobody makes it any more; with `timepoint_id`, if it was made for this time point."""
        number, other = self._under_way.get(_key(row), (None, None))
        if number == row.id and timepoint_id in (None, other):
            del self._under_way[_key(row)]

    def lasts(self, acquisition_id: int) -> bool:
        """Say whether it is being made."""
        return any(number == acquisition_id for number, _ in self._under_way.values())

    def forget(self, acquisition_id: int) -> None:
        """It is to be made anew."""
        self._made.discard(acquisition_id)


def _key(row: AcquisitionRow) -> str:
    place = naming.as_place(str(row.zarr_path))
    return str(naming.bundle_of(place) or place)
