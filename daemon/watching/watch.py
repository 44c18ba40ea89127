"""Watching a folder: events are hints that make it quick, a periodic sweep is the truth that makes it sure.

Network shares send no events, event queues overflow, observers die in silence. So nothing depends on them: every
candidate is found by the next sweep at the latest. A root that cannot be listed, does not answer, or lies on another
disk or share than it did is offline, which says nothing about the files that were in it: absent is not empty. On the
same one, what is not there any more was removed.

Each folder is looked at in a thread of its own: a share that does not answer must not stop the service.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs
from daemon.watching.readiness import Identity
from daemon.watching.tree import Sight, Tree
from storage import readers
from storage.connection.filesystems import Mount

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

_CHANGES = frozenset({"created", "modified", "moved", "closed"})
DONE_SUFFIX = ".done"
# A look that takes longer than this: the share hangs. The thread cannot be ended, but it goes on when the share does.
SILENCE_S = 60.0
_PAUSE_S = 0.1


class FolderWatch:
    """One watched root: hints from events, truth from sweeps. It may block where the disk does, see `FolderThread`.

    Parameters
    ----------
    root : Path
    recursive : bool
    excluded : iterable of Path
        Output folders, which are never watched.
    events : bool
        Whether events are asked for at all.
    rescan_s : float
        Seconds between two sweeps.
    pattern : str or None
        How names tell what belongs together, see `WatchConfig`.
    """

    def __init__(
        self,
        root: Path,
        recursive: bool,
        excluded: Iterable[Path],
        events: bool = True,
        rescan_s: float = 10.0,
        pattern: str | None = None,
    ) -> None:
        self.root = root
        self.offline_reason: str | None = None
        self.mount: Mount | None = None
        """On which mount the root lies; set before the first sweep where that is known from earlier."""
        self._recursive = recursive
        self._events = events
        self._rescan_s = rescan_s
        self._next_sweep = float("-inf")
        self._tree = Tree(root, recursive, excluded, partial(_stands_for, pattern=pattern))
        self._hints: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._again: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._observer: BaseObserver | None = None

    @property
    def online(self) -> bool:
        """False while nothing can be said about the root's files."""
        return self.offline_reason is None

    @property
    def progress(self) -> int:
        """Grows while the disk answers."""
        return self._tree.progress

    def know(self, files: Mapping[str, Identity]) -> None:
        """Take up what was known when the service stopped; before the first sweep."""
        self._tree.know(files)

    def sights(self, now: float) -> list[Sight]:
        """Return what is new or changed: what events named, and when it is time, all that a sweep finds."""
        while not self._again.empty():
            self._tree.forget(self._again.get_nowait())
            self._next_sweep = float("-inf")
        named = self._named()
        if now >= self._next_sweep:
            self._next_sweep = now + self._rescan_s
            return self._sweep(now)
        if not self.online:
            return []
        return [sight for path in named for sight in self._tree.look(path, now)]

    def look_again(self, path: Path) -> None:
        """Have a path reported although it did not change."""
        self._again.put(path)

    def stop(self) -> None:
        """End the delivery of events."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                observer.join(timeout=5.0)

    def _sweep(self, now: float) -> list[Sight]:
        before = len(self._tree)
        try:
            present = Mount.of(self.root)
            other = None if self.mount is None or present is None else self.mount.difference(present)
            if other is not None:
                raise OSError(0, f"{other}; if that is meant, reload the service")
            if (self.mount is None or present is None) and before and _is_empty(self.root):
                raise OSError(0, f"it is empty although it held {before} files: is the share mounted?")
            sights = self._tree.sweep(now)
            self.mount = present
        except OSError as error:
            self._go_offline(error.strerror or str(error))
            return []
        if not self.online:
            logs.info("watched folder is back", path=self.root)
            self.offline_reason = None
        self._revive_observer()
        return sights

    def _go_offline(self, reason: str) -> None:
        if self.online:
            logs.warning("watched folder is offline", path=self.root, reason=reason)
        self.offline_reason = reason
        self.stop()

    def _named(self) -> set[Path]:
        """Paths that events named since the last call."""
        found: set[str] = set()
        while True:
            try:
                found.add(self._hints.get_nowait())
            except queue.Empty:
                return {Path(path) for path in found}

    def _revive_observer(self) -> None:
        """Start the observer, or start another where it died; without events the sweeps still find everything."""
        if not self._events:
            return
        if self._observer is not None and self._observer.is_alive():
            if all(emitter.is_alive() for emitter in self._observer.emitters):
                return
            logs.warning("file events stopped and are started again", path=self.root)
        self.stop()
        try:
            self._observer = _start_observer(self.root, self._recursive, self._hints)
        except OSError as error:
            logs.warning("no file events, sweeps only", path=self.root, reason=error.strerror)
            self._observer = None


class FolderThread:
    """Passes on what a `FolderWatch` sees; none of its methods waits for the disk.

    Parameters
    ----------
    watch : FolderWatch
    clock : callable
        Steady seconds.
    """

    def __init__(self, watch: FolderWatch, clock: Callable[[], float] = time.monotonic) -> None:
        self._watch = watch
        self._clock = clock
        self._sights: queue.SimpleQueue[Sight] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._looking = False
        self._progress, self._answered_at = -1, clock()
        self._hangs = False
        self._thread: threading.Thread | None = None

    @property
    def root(self) -> Path:
        """The watched folder."""
        return self._watch.root

    @property
    def offline_reason(self) -> str | None:
        """Why nothing can be said about the folder's files now; None when it is online."""
        now = self._clock()
        if not self._looking or self._watch.progress != self._progress:
            self._progress, self._answered_at = self._watch.progress, now
        hangs = now - self._answered_at > SILENCE_S
        if hangs and not self._hangs:
            logs.warning("watched folder is offline", path=self.root, reason=f"no answer for {SILENCE_S:g} s")
        self._hangs = hangs
        return f"it has not answered for {SILENCE_S:g} s" if hangs else self._watch.offline_reason

    @property
    def online(self) -> bool:
        """False while nothing can be said about the folder's files."""
        return self.offline_reason is None

    @property
    def mount(self) -> Mount | None:
        """On which mount the folder lies, as far as that is known."""
        return self._watch.mount

    @mount.setter
    def mount(self, mount: Mount | None) -> None:
        self._watch.mount = mount

    def sights(self, now: float) -> list[Sight]:
        """Return what was seen since the last call."""
        del now  # the thread looks by its own watch
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_on, name=f"folder_thread {self.root}", daemon=True)
            self._thread.start()
        found: list[Sight] = []
        while not self._sights.empty():
            found.append(self._sights.get_nowait())
        return found

    def know(self, files: Mapping[str, Identity]) -> None:
        """Take up what was known when the service stopped; before the first look."""
        self._watch.know(files)

    def look_again(self, path: Path) -> None:
        """Have a path reported although it did not change."""
        self._watch.look_again(path)

    def stop(self) -> None:
        """End it; a thread that hangs with its share is left to the end of the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def _look_on(self) -> None:
        while not self._stop.is_set():
            self._looking = True
            try:
                for sight in self._watch.sights(self._clock()):
                    self._sights.put(sight)
            except Exception as error:  # noqa: BLE001  # this thread must outlive whatever a share does
                logs.error("look at the watched folder failed", path=self.root, reason=repr(error))
                self._stop.wait(1.0)
            self._looking = False
            self._stop.wait(_PAUSE_S)
        self._watch.stop()


def _stands_for(path: Path, pattern: str | None) -> Path | None:
    """The image that a file is or is a part of; a note that says that one is done stands for itself."""
    if path.name.endswith(DONE_SUFFIX):
        return path
    whole = readers.owner(path, pattern)
    return whole if readers.is_candidate(whole) else None


def _is_empty(root: Path) -> bool:
    with os.scandir(root) as listing:
        return next(iter(listing), None) is None


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
