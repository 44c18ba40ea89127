"""How far a command is, for programs: a line of JSON for each thing that happens, appended to a file.

Each line has ``what`` happened and ``at`` which time (seconds since 1970). Whoever reads the file while it grows leaves
a last line without an end alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError

PROGRESS = "progress.jsonl"
_PAUSE_S = 0.5  # between two lines of what happens all the time


class ProgressLines:
    """Writes the lines.

    Parameters
    ----------
    folder : Path
        Gets `PROGRESS`; is made where it is not there.
    often : tuple of str
        What may happen many times a second: of these a line is written now and then.
    clock : callable
        Steady seconds.

    Raises
    ------
    DaemonError
        When the folder cannot be made.
    """

    def __init__(self, folder: Path, often: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._file = folder / PROGRESS
        self._often, self._clock = often, clock
        self._last = float("-inf")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DaemonError(f"{folder} cannot be made ({error.strerror}): choose another --report.") from error

    def tell(self, what: str, /, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can say
        """Write a line.

        Raises
        ------
        DaemonError
            When it cannot be written.
        """
        if what in self._often:
            if self._clock() - self._last < _PAUSE_S:
                return
            self._last = self._clock()
        line = json.dumps({"what": what, "at": round(time.time(), 3), **values}, ensure_ascii=False)
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise DaemonError(f"{self._file} cannot be written ({error.strerror}): choose another --report.") from error
