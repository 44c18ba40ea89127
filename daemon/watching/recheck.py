"""Files of which nothing changed but the time: `touch`, a restore, a copy without times. Their content decides.

They are looked at when nothing else is to be done, and nothing is made anew of what holds the same as before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs
from daemon.configuration.config import WatchConfig
from daemon.watching.inspection import Answer, Open, Opened, SupportsInspection
from daemon.watching.readiness import Identity
from daemon.watching.said.source_facts import SourceFacts
from daemon.watching.taken import sources

if TYPE_CHECKING:
    from storage.database.catalog import Catalog


class Rechecks:
    """Follows touched files of one watched folder; `turn` is called often and never waits.

    Parameters
    ----------
    watch : WatchConfig
    catalog : Catalog
    inspection : SupportsInspection
        Looks into files when nothing else is to be done.
    facts : SourceFacts
    same, changed : callable
        Told of a file whose content is the same, or is not, and of what the file looks like now.
    """

    def __init__(
        self,
        watch: WatchConfig,
        catalog: Catalog,
        inspection: SupportsInspection,
        facts: SourceFacts,
        same: Callable[[Path, Identity], None],
        changed: Callable[[Path, Identity], None],
    ) -> None:
        self._watch = watch
        self._catalog = catalog
        self._inspection = inspection
        self._facts = facts
        self._same = same
        self._changed = changed
        self._resting: dict[Path, tuple[Identity, float]] = {}
        self._in_inspection: dict[Path, Identity] = {}
        self._answers: deque[tuple[Path, Answer]] = deque()

    def note(self, path: Path, identity: Identity, now: float) -> None:
        """A file has another time than when it was taken."""
        self._resting[path] = (identity, now)

    def forget(self, path: Path) -> None:
        """A file is followed as one that changed."""
        self._resting.pop(path, None)
        self._in_inspection.pop(path, None)

    def turn(self, now: float) -> None:
        """Ask about files that have come to rest, decide what was answered."""
        while self._answers:
            self._decide(*self._answers[0])
            self._answers.popleft()
        quiet = [path for path, (_, since) in self._resting.items() if now - since >= self._watch.settle.quiet_s]
        for path in quiet:
            identity, _ = self._resting.pop(path)
            if path not in self._in_inspection:
                request = Open((path,), self._facts.of(path), self._watch.pattern, idle=True)
                self._inspection.ask(request, partial(self._hear, path))
            self._in_inspection[path] = identity

    def _hear(self, path: Path, answer: Answer) -> None:
        self._answers.append((path, answer))

    def _decide(self, path: Path, answer: Answer) -> None:
        if path not in self._in_inspection:
            return
        if isinstance(answer, Opened) and answer.error is None and answer.found and answer.identities[0] is not None:
            identity = answer.identities[0]
            taken = sources({path: identity})
            if all(self._catalog.sources.confirm(found, taken) is not None for found in answer.found):
                del self._in_inspection[path]
                logs.debug("touched, and the same", path=path)
                self._same(path, identity)
                return
        self._changed(path, self._in_inspection.pop(path))


def is_touched(before: Identity | None, now: Identity) -> bool:
    """Say whether a file that was taken looks as it did, but for its time of change."""
    return before is not None and before != now and replace(before, mtime_ns=now.mtime_ns) == now
