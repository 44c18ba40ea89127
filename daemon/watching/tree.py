"""What lies under a watched folder, seen at a cost that does not grow with what is known already.

A folder's time changes when a name in it comes or goes, so folders that did not change are not listed. A file that is
written in place does not change its folder: files are looked at again and again for some minutes after their last
change. What has been at rest for longer is looked at in turns, a fixed number per sweep. All times are a steady clock's
that the caller passes: a share's own clock is only ever compared with itself.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon import logs
from daemon.watching.readiness import Identity, identify, looks_unchanged
from storage import readers

# Names that copying programs and file managers give to what is not finished, and litter beside images.
_UNFINISHED_PREFIXES = (".", "~$")
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")
STORE_SUFFIX = ".zarr"


@dataclass(frozen=True)
class SweepPlan:
    """How long what changed is watched closely, and how much of the rest is looked at in one sweep.

    Attributes
    ----------
    hot_s : float
        A folder is listed at every sweep for this long after its time changed: clocks of disks are coarse, and shares
        show changes late.
    warm_folder_s, warm_file_s : float
        Folders and files that changed within this time are looked at in every sweep.
    relist_s : float
        Every folder is listed at least this often, for disks that do not keep the times of folders.
    folders, files : int
        How many of those at rest are looked at in one sweep.
    """

    hot_s: float = 20.0
    warm_folder_s: float = 3600.0
    warm_file_s: float = 300.0
    relist_s: float = 900.0
    folders: int = 200
    files: int = 100


@dataclass(frozen=True)
class Sight:
    """A file or store that is new, or that changed since it was last seen."""

    path: Path
    identity: Identity


@dataclass
class _Folder:
    stamp: tuple[int, int] | None = None
    hot_until: float = float("-inf")
    listed_at: float = float("-inf")
    files: set[str] = field(default_factory=set)


class Tree:
    """The files under a root, and Zarr stores as one path each.

    Links to folders are not followed, folders in `excluded` (outputs) are not entered, wherever they are mounted.

    Parameters
    ----------
    root : Path
    recursive : bool
        Also look into the folders inside.
    excluded : iterable of Path
    stands_for : callable
        Given a path, returns the one that stands for the image which it is a part of (most stand for themselves), or
        None when it is of no interest.
    """

    def __init__(
        self,
        root: Path,
        recursive: bool,
        excluded: Iterable[Path],
        stands_for: Callable[[Path], Path | None] = lambda path: path,
        plan: SweepPlan | None = None,
    ) -> None:
        self._root = os.fspath(root)
        self._recursive = recursive
        self._excluded = tuple(os.fspath(path) for path in excluded)
        self._stands_for = stands_for
        self._plan = plan or SweepPlan()
        self._folders: dict[str, _Folder] = {}
        self._seen: dict[str, Identity | None] = {}
        self._expected: dict[str, set[str]] = {}  # of folders that are not listed yet
        self._warm_folders: dict[str, float] = {}
        self._warm_files: dict[str, float] = {}
        self._folder_round: deque[str] = deque()
        self._file_round: deque[str] = deque()
        self.progress = 0
        """Counts what was asked of the disk: while it grows, the disk answers."""

    def __len__(self) -> int:
        """Return the number of files that are known."""
        return len(self._seen)

    def sweep(self, now: float) -> list[Sight]:
        """Return what is new or changed.

        Raises
        ------
        OSError
            When the root itself cannot be listed; folders inside that cannot be listed are passed over.
        """
        sights: list[Sight] = []
        if self._root not in self._folders:
            self._folders[self._root] = _Folder()
        self._visit(self._root, now, sights, strict=True)
        self._cool(self._warm_folders, now)
        resting = _turn(self._folder_round, self._folders, self._plan.folders)
        for folder in dict.fromkeys([*self._warm_folders, *resting]):
            if folder != self._root:
                self._visit(folder, now, sights)
        self._cool(self._warm_files, now)
        resting = _turn(self._file_round, self._seen, self._plan.files)
        for path in dict.fromkeys([*self._warm_files, *resting]):
            self._look(path, now, sights)
        return sights

    def look(self, path: Path, now: float) -> list[Sight]:
        """Look at one path that somebody named; a path outside, or of no interest, gives nothing."""
        target = self._target(path)
        sights: list[Sight] = []
        if target is not None:
            self._look(target, now, sights, closely=True)
        return sights

    def forget(self, path: Path) -> None:
        """Have the next sweep report a path again, though it did not change."""
        name = os.fspath(path)
        if name in self._seen:
            self._seen[name] = None
            self._warm_files[name] = float("inf")

    def _target(self, path: Path) -> str | None:
        """Return the file, or the store around it, that a path stands for; None when it is none of ours."""
        if not path.is_relative_to(self._root) or any(path.is_relative_to(out) for out in self._excluded):
            return None
        parts = path.relative_to(self._root).parts
        if not parts or any(is_unfinished_name(part) for part in parts):
            return None
        for depth, part in enumerate(parts[:-1] if not self._recursive else parts):
            if part.lower().endswith(STORE_SUFFIX):
                parts = parts[: depth + 1]
                break
        if not self._recursive and len(parts) > 1:
            return None
        target = os.path.join(self._root, *parts)
        if os.path.isdir(target) and not target.lower().endswith(STORE_SUFFIX):
            return None
        whole = self._stands_for(Path(target))
        return None if whole is None else os.fspath(whole)

    def know(self, files: Mapping[str, Identity]) -> None:
        """Take up what was known when the service stopped: these are reported only if they are different now.

        What is not there at the first look has gone meanwhile, and is reported when it comes back.
        """
        self._seen.update(files)
        for path in files:
            folder, name = os.path.split(path)
            self._expected.setdefault(folder, set()).add(name)

    def _look(self, path: str, now: float, sights: list[Sight], closely: bool = False) -> None:
        """Look at an image; `closely` also at files that may have come to belong to it."""
        self.progress += 1
        before = self._seen.get(path)
        if not closely and looks_unchanged(path, before):
            return
        identity = identify_image(path)
        if identity is None or identity == before:
            return
        self._seen[path] = identity
        self._warm_files[path] = now + self._plan.warm_file_s
        sights.append(Sight(Path(path), identity))

    def _visit(self, folder: str, now: float, sights: list[Sight], strict: bool = False) -> None:
        waiting = [folder]
        while waiting:
            path = waiting.pop()
            try:
                waiting += self._list_if_changed(path, now, sights)
            except OSError as error:
                if strict and path == folder:
                    raise
                logs.debug("folder cannot be listed", path=path, reason=error.strerror)
                if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    self._drop(path)

    def _list_if_changed(self, path: str, now: float, sights: list[Sight]) -> list[str]:
        """List a folder if its time changed of late; return the folders inside that were not known."""
        known, plan = self._folders[path], self._plan
        self.progress += 1
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != known.stamp:
            known.stamp, known.hot_until = stamp, now + plan.hot_s
            self._warm_folders[path] = now + plan.warm_folder_s
        elif now >= known.hot_until and now - known.listed_at < plan.relist_s:
            return []
        files, folders = self._entries(path, known.files)
        known.listed_at = now
        for image, name in self._images(path, files - known.files).items():
            self._look(image, now, sights, closely=image != os.path.join(path, name))
        self._forget_files(path, (known.files | self._expected.pop(path, set())) - files)
        known.files = files
        new = [inner for inner in folders if inner not in self._folders and self._may_enter(inner)]
        self._folders.update({inner: _Folder() for inner in new})
        return new

    def _entries(self, folder: str, known: set[str]) -> tuple[set[str], list[str]]:
        """List a folder; of names that are `known` files, little is asked, since most are in a folder that fills."""
        files: set[str] = set()
        folders: list[str] = []
        with os.scandir(folder) as listing:
            for entry in listing:
                name = entry.name
                if name not in known and is_unfinished_name(name):
                    continue
                if not entry.is_dir(follow_symlinks=False) or name.lower().endswith(STORE_SUFFIX):
                    files.add(name)
                elif self._recursive:
                    folders.append(entry.path)
        return files, folders

    def _may_enter(self, folder: str) -> bool:
        """False for outputs, under whatever name they are mounted, and for a folder that holds itself (bind mounts)."""
        if folder in self._excluded:
            return False
        try:
            status = os.stat(folder)
            above = [Path(folder).parent, *Path(folder).parents]
            inside = above[: len(Path(folder).relative_to(self._root).parts)]
            return not any(_same(status, other) for other in (*self._excluded, *map(os.fspath, inside)))
        except OSError:
            return True  # the visit says what is wrong with it

    def _drop(self, folder: str) -> None:
        """Keep nothing in mind of a folder that is gone; if it comes back, what is in it counts as new."""
        known = self._folders.pop(folder, None)
        self._warm_folders.pop(folder, None)
        self._forget_files(folder, known.files if known is not None else ())

    def _forget_files(self, folder: str, names: Iterable[str]) -> None:
        for name in names:
            self._seen.pop(os.path.join(folder, name), None)
            self._warm_files.pop(os.path.join(folder, name), None)

    def _images(self, folder: str, names: Iterable[str]) -> dict[str, str]:
        """Return the images that files of a folder are, or are parts of, each with one of these files."""
        images: dict[str, str] = {}
        for name in sorted(names):
            whole = self._stands_for(Path(folder, name))
            if whole is not None:
                images.setdefault(os.fspath(whole), name)
        return images

    def _cool(self, warm: dict[str, float], now: float) -> None:
        for path in [path for path, until in warm.items() if now >= until]:
            del warm[path]


def identify_image(path: str | Path) -> Identity | None:
    """What of a file, and of the files that belong to it, changes when their content does; None as for `identify`."""
    try:
        return identify(path, readers.companions(Path(path)))
    except OSError:  # their folder cannot be listed now
        return None


def is_unfinished_name(name: str) -> bool:
    """True for hidden files and the temporary names of copying programs."""
    return name.startswith(_UNFINISHED_PREFIXES) or name.lower().endswith(_UNFINISHED_SUFFIXES)


def _turn(waiting: deque[str], everything: Iterable[str], count: int) -> list[str]:
    """The next of a round over everything; a round that ended begins anew."""
    if not waiting:
        waiting.extend(everything)
    return [waiting.popleft() for _ in range(min(count, len(waiting)))]


def _same(status: os.stat_result, other: str) -> bool:
    try:
        there = os.stat(other)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (there.st_dev, there.st_ino)
