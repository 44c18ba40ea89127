"""Images in several files: series with a file per time point, and sets of files that name each other, as OME-TIFF may.

Of a set, whichever file is opened, all of them are. One leads: the others wait for what is found. Those that were found
with it, and are as they were then, need no look of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.watching.inspection import Open
from daemon.watching.readiness import Identity
from daemon.watching.series import Series

if TYPE_CHECKING:
    from storage.readers import AcquisitionKey


@dataclass
class Group:
    """A series, as far as its files are known."""

    key: AcquisitionKey
    series: Series = field(default_factory=Series)
    files: dict[int, Path] = field(default_factory=dict)
    acquisition_id: int | None = None
    alone: int | None = None  # the number of the only file, which was taken as an image of its own
    arriving: int = 0
    opening: int = 0
    declared: bool = False
    over: bool = False

    def next(self, numbers: Sequence[int]) -> list[Path]:
        """Return the files of these numbers; with a second one, the first is a time point after all."""
        wanted = numbers if self.alone is None else sorted({self.alone, *numbers})
        self.alone = None
        return [self.files[number] for number in wanted]

    def joined(self, acquisition_id: int, paths: Sequence[Path], first_number: int | None) -> bool:
        """Note where files went; False for images of their own, of which nothing more will come."""
        self.acquisition_id = acquisition_id
        if first_number is None and len(paths) == 1 and self.series.is_single:
            self.alone = min(self.series.seen)
        return first_number is not None


@dataclass(frozen=True)
class Opening:
    """Files that are being opened: for a group, or on their own; `is_last` when nothing more will come of them."""

    request: Open
    group: Group | None = None
    is_last: bool = True
    gone: frozenset[str] | None = None  # sources of the same content that are not there any more; None: not asked yet


def let_go(groups: Iterable[Group], acquisition_id: int) -> None:
    """Have groups forget the acquisition that they belonged to."""
    for group in groups:
        if group.acquisition_id == acquisition_id:
            group.acquisition_id = None


class FileSets:
    """Which files of sets are opened with another one."""

    def __init__(self) -> None:
        self._announced: dict[Path, tuple[Identity, tuple[Path, ...]]] = {}
        self._leader: dict[Path, Path] = {}
        self._waiting: dict[Path, list[Callable[[], None]]] = {}
        self._found: dict[Path, Identity] = {}

    def announce(self, path: Path, identity: Identity, others: Sequence[Path]) -> None:
        """A file that is going to be opened, and the others that it names."""
        if others:
            self._announced[path] = (identity, tuple(others))

    def leads(self, path: Path, otherwise: Callable[[], None]) -> bool:
        """Say whether a file has to be opened itself.

        Parameters
        ----------
        otherwise : callable
            Called when the look at the file that leads its set is over.
        """
        identity, others = self._announced.get(path, (None, ()))
        if identity is None:
            return True
        leader = self._leader.get(path)
        if leader is not None:
            self._waiting.setdefault(leader, []).append(otherwise)
            return False
        del self._announced[path]
        if self._found.get(path) == identity:
            return False
        self._leader |= dict.fromkeys(others, path)
        return True

    def over(self, paths: Iterable[Path], found: Mapping[Path, Identity]) -> None:
        """The look at files is over; `found` are others that were seen with them, as they were."""
        self._found |= found
        leaders = set(paths)
        self._leader = {path: leader for path, leader in self._leader.items() if leader not in leaders}
        for path in leaders:
            for call in self._waiting.pop(path, ()):
                call()


class FollowedSets:
    """Files of sets that are followed until their set is whole: one of each set speaks for all.

    What is found out about a set holds for each of its files, and what changes in one of them is news of all.
    """

    def __init__(self) -> None:
        self._called: dict[Path, Path] = {}
        self._files: dict[Path, dict[Path, None]] = {}
        self._changed: dict[Path, float] = {}
        self._grown: dict[Path, set[int]] = {}

    def note(self, path: Path, called: Path | None, last_change: float) -> float:
        """Return when a file, or another one of its set, changed last; `called` is what the set is called by."""
        if path in self._called and self._called[path] != called:
            self.leave(path)
        if called is None:
            return last_change
        self._called[path] = called
        self._files.setdefault(called, {}).setdefault(path)
        self._changed[called] = max(last_change, self._changed.get(called, last_change))
        return self._changed[called]

    def speaker(self, path: Path) -> Path:
        """Return the file that speaks for a file's set; a file of none speaks for itself."""
        return next(iter(self._files.get(self._called.get(path, path), (path,))))

    def files(self, path: Path) -> list[Path]:
        """Return the files of its set that are followed."""
        return list(self._files.get(self._called.get(path, path), (path,)))

    def more(self, path: Path, time_points: Iterable[int]) -> tuple[int, ...]:
        """Return which of these time points were not handed on before; from now on they were."""
        before = self._grown.setdefault(self._called.get(path, path), set())
        new = set(time_points) - before
        before |= new
        return tuple(sorted(new))

    def leave(self, path: Path) -> Path | None:
        """A file is not followed any more; return the one that speaks for its set from now on."""
        called = self._called.pop(path, path)
        files = self._files.get(called, {})
        files.pop(path, None)
        if files:
            return next(iter(files))
        for known in (self._files, self._changed, self._grown):
            known.pop(called, None)
        return None
