"""Watching a folder: events are hints that make it quick, a periodic rescan is the truth that makes it sure.

Network shares send no events, event queues overflow, observers die in silence. So nothing depends on them: every
candidate is found by the next rescan at the latest, and a root that cannot be listed is offline, which says nothing
about the files that were in it.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

# Names that copying programs and file managers give to what is not finished, and litter beside images.
_UNFINISHED_PREFIXES = (".", "~$")
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".filepart", "~")
STORE_SUFFIX = ".zarr"
_CHANGES = frozenset({"created", "modified", "moved", "closed"})


def is_unfinished_name(name: str) -> bool:
    """True for hidden files and the temporary names of copying programs."""
    return name.startswith(_UNFINISHED_PREFIXES) or name.lower().endswith(_UNFINISHED_SUFFIXES)


def walk(root: Path, recursive: bool, excluded: Sequence[Path]) -> Iterator[Path]:
    """List the files under a root, and Zarr stores as one path each, in name order.

    Folders in `excluded` (outputs) are not entered; links to folders are not followed, so loops cannot happen.

    Raises
    ------
    OSError
        When the root itself cannot be listed; folders inside that cannot be listed are passed over.
    """
    closed = {str(path) for path in excluded}
    with os.scandir(root) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if is_unfinished_name(entry.name) or entry.path in closed:
            continue
        if not entry.is_dir(follow_symlinks=False) or entry.name.lower().endswith(STORE_SUFFIX):
            yield Path(entry.path)
        elif recursive:
            try:
                yield from walk(Path(entry.path), recursive, excluded)
            except OSError as error:
                logs.debug("folder cannot be listed", path=entry.path, reason=error.strerror)


@dataclass(frozen=True)
class Scan:
    """What a rescan found; `online` False means that nothing can be said about the root's files."""

    online: bool
    paths: tuple[Path, ...] = ()


class FolderWatch:
    """One watched root: hints from events, truth from `scan`."""

    def __init__(self, root: Path, recursive: bool, excluded: Iterable[Path], events: bool = True) -> None:
        self.root = root
        self.online = True
        self._recursive = recursive
        self._excluded = tuple(excluded)
        self._events = events
        self._hints: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._observer: BaseObserver | None = None

    def scan(self) -> Scan:
        """List the root's candidates; a root that vanished, or lost its mount, is offline."""
        try:
            paths = tuple(walk(self.root, self._recursive, self._excluded))
        except OSError as error:
            if self.online:
                logs.warning("watched folder is offline", path=self.root, reason=error.strerror)
            self.online = False
            self._stop_observer()
            return Scan(online=False)
        if not self.online:
            logs.info("watched folder is back", path=self.root)
        self.online = True
        self._revive_observer()
        return Scan(online=True, paths=paths)

    def hints(self) -> set[Path]:
        """Paths that events named since the last call, Zarr stores as a whole; never more than a hint."""
        found: set[Path] = set()
        while True:
            try:
                path = self._candidate(Path(self._hints.get_nowait()))
            except queue.Empty:
                return found
            if path is not None:
                found.add(path)

    def stop(self) -> None:
        """End the delivery of events."""
        self._stop_observer()

    def _candidate(self, path: Path) -> Path | None:
        if not path.is_relative_to(self.root) or any(path.is_relative_to(out) for out in self._excluded):
            return None
        parts = path.relative_to(self.root).parts
        if not parts or any(is_unfinished_name(part) for part in parts):
            return None
        for depth, part in enumerate(parts):
            if part.lower().endswith(STORE_SUFFIX):
                return self.root.joinpath(*parts[: depth + 1])
        if not self._recursive and len(parts) > 1:
            return None
        return path if path.is_file() else None

    def _revive_observer(self) -> None:
        """Start the observer, or start another where it died; without events the rescan still finds everything."""
        if not self._events:
            return
        if self._observer is not None and self._observer.is_alive():
            if all(emitter.is_alive() for emitter in self._observer.emitters):
                return
            logs.warning("file events stopped and are started again", path=self.root)
        self._stop_observer()
        try:
            self._observer = _start_observer(self.root, self._recursive, self._hints)
        except OSError as error:
            logs.warning("no file events, rescans only", path=self.root, reason=error.strerror)
            self._observer = None

    def _stop_observer(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                observer.join(timeout=5.0)


def _start_observer(root: Path, recursive: bool, hints: queue.SimpleQueue[str]) -> BaseObserver:
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    class PutOnly(FileSystemEventHandler):
        """Does nothing but put paths into a queue: an exception here would end all events for ever."""

        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in _CHANGES:  # our own reading also makes events
                for path in (event.src_path, event.dest_path):
                    if path:
                        hints.put(os.fsdecode(path))

    observer = Observer()
    observer.schedule(PutOnly(), str(root), recursive=recursive)
    observer.start()
    return observer
