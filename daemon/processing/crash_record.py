"""What the service was committing when a fault of its own killed it: a file that the next start reads.

A process that crashes (SIGSEGV and the like), or is aborted by the service manager's watchdog because it hangs, still
writes where it was: Python's faulthandler sees to that. One that is killed, or loses power, writes nothing. So a time
point is blamed only where its name is followed by such last words, and no number of kills and power cuts counts against
one that merely was under way.
"""

from __future__ import annotations

import faulthandler
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from daemon import logs
from storage.schema.states import TimepointState

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import TimepointJob

SUFFIX = ".crash"
_LONGEST_TRACE = 20_000  # characters that go into the log


class CrashRecord:
    """The file, open while the service runs.

    Parameters
    ----------
    path : Path
        Beside the database, as only one service works on one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> Self:
        """From now on this process's last words go to the file."""
        faulthandler.enable(self._handle, all_threads=True)
        return self

    def judge(self, catalog: Catalog, crashes: int) -> None:
        """Read what the last service left, and count its crash against the time point that it was committing.

        Parameters
        ----------
        catalog : Catalog
        crashes : int
            Attempts in which the service may crash before the time point is set aside.
        """
        with open(self._path, encoding="utf-8", errors="replace") as file:
            name, trace = file.readline(), file.read(_LONGEST_TRACE)
        os.ftruncate(self._handle, 0)
        if not name.startswith("{"):
            name, trace = "", name + trace  # it crashed while it committed nothing
        if not trace.strip():
            return
        logs.error("the service crashed when it last ran", trace=trace.strip())
        if name:
            blamed = json.loads(name)
            reason = f"The service itself crashed while it stored the result ({trace.strip().splitlines()[0]})."
            state = catalog.blame(blamed["acquisition"], blamed["t"], reason, crashes)
            if state is not None:
                what = "time point is tried again" if state is TimepointState.QUEUED else "time point is set aside"
                row = catalog.acquisition(blamed["acquisition"])
                logs.warning(what, acquisition=row.name, t=row.source_t(blamed["t"]), reason=reason)

    @contextmanager
    def around(self, job: TimepointJob) -> Iterator[None]:
        """Note the time point while its result is committed."""
        note = json.dumps({"acquisition": job.acquisition.id, "t": job.t})
        with suppress(OSError):  # a full disk: then a crash has no name, and blames nobody
            os.write(self._handle, f"{note}\n".encode())
        try:
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)

    def __exit__(self, *exception: object) -> None:
        """The service ends well, or by an error that it can still report itself."""
        faulthandler.disable()
        os.close(self._handle)
        self._path.unlink(missing_ok=True)
