"""Live images are told from archives: an archive comes in a heap, so many at once that no microscope wrote them now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

HEAP = 100
"""Images, or series of files, of one folder that are followed at the same time: from so many on they are an archive."""

_TOGETHER_S = 5.0  # what is found later than that after the last file of a heap is not of it
_BESIDE_LIVE = 3  # files of an archive that are looked into at once while an experiment runs


class Heap:
    """Which files of one watched folder are of an archive: whoever looks after the queue has them wait for others.

    Parameters
    ----------
    always : bool
        A person says that the folder holds archives.
    live : callable
        Says whether an experiment runs meanwhile.

    Attributes
    ----------
    now : float
        The moment at which files are found.
    """

    def __init__(self, always: bool = False, live: Callable[[], bool] = lambda: False) -> None:
        self.now = self._last_found = 0.0
        self._always = always
        self._live = live
        self._followed: dict[Path, Path] = {}
        self._images: Counter[Path] = Counter()
        self._marked: set[Path] = set()

    def found(self, path: Path, image: Path) -> None:
        """A file has been found; `image` is what its image, or its series, is known by."""
        self.left(path)
        self._marked.discard(path)
        self._followed[path] = image
        self._images[image] += 1
        if len(self._images) == HEAP:
            self._marked.update(self._followed)
        elif len(self._images) > HEAP and self.now - self._last_found <= _TOGETHER_S:
            self._marked.add(path)
        else:
            return
        self._last_found = self.now

    def left(self, path: Path) -> None:
        """A file is no longer followed: it was taken, set aside, or is gone."""
        image = self._followed.pop(path, None)
        if image is not None:
            self._images[image] -= 1
            if not self._images[image]:
                del self._images[image]

    def holds(self, paths: Iterable[Path]) -> bool:
        """Say whether all of these files are of an archive."""
        return self._always or self._marked.issuperset(paths)

    def gives_way(self, paths: Iterable[Path]) -> bool:
        """Say whether these files are of an archive while an experiment runs."""
        return self._live() and self.holds(paths)

    def has_room(self, looked_into: Iterable[Path]) -> bool:
        """Say whether another file of an archive may be looked into beside these."""
        return not self._live() or sum(self.holds([path]) for path in looked_into) < _BESIDE_LIVE
