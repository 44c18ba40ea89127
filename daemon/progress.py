"""A progress bar on a terminal; nothing at all when standard error is a file or a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from daemon.plain_text import shown

if TYPE_CHECKING:
    from tqdm import tqdm

    from daemon.processing.queue_loop import Seen


class Bars:
    """Shows the time point under way, slice by slice."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, seen: Seen) -> None:
        """Draw what the queue loop reports."""
        if not sys.stderr.isatty():
            return
        if seen.what == "started":
            self._close()
            self._bar = self._new(seen)
        elif seen.what == "slices" and self._bar is not None:
            self._bar.update(seen.done - self._bar.n)
        elif seen.what in ("done", "failed", "again"):
            self._close()

    def _new(self, seen: Seen) -> tqdm[NoReturn]:
        from tqdm import tqdm

        row, t = seen.acquisition, seen.t
        title = shown(row.name if t is None else f"{row.name} t={row.source_t(t)}", allowed="")
        return tqdm(total=seen.acquisition.size_z, desc=title, unit="slice", file=sys.stderr, leave=False)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
