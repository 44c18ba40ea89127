"""A watched folder in a thread of its own: a share that does not answer must not stop the service."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from daemon import logs
from daemon.watching.readiness import Identity
from daemon.watching.tree import Sight
from daemon.watching.watch import FolderWatch
from storage.connection.filesystems import Mount

# A look that takes longer than this: the share hangs. The thread cannot be ended, but it goes on when the share does.
SILENCE_S = 60.0
_PAUSE_S = 0.1


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
