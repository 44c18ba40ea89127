"""Sources that a person has read again with facts that were wrong, or missing: what they led to gives way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.configuration.config import WatchConfig
from daemon.errors import DaemonError
from daemon.watching.file_sets import Group
from daemon.watching.inspection import Answer, Open, Opened, Stuck, SupportsInspection
from daemon.watching.said.source_facts import SourceFacts
from daemon.watching.taken import sources
from storage.errors import DatabaseUnavailableError, StorageError
from storage.given_facts import GivenFacts
from storage.spans import counted

if TYPE_CHECKING:
    from daemon.processing.queue_loop import QueueLoop
    from daemon.processing.recipe import Recipe
    from storage.database.catalog import Catalog
    from storage.description import Description
    from storage.found import Found
    from storage.schema.rows import AcquisitionRow

Outcome = Callable[[bool | None, str], None]
"""Told whether what was asked is done, and what to say; None: the file is to be taken in the ordinary way."""

REASON = "It is read again with other facts, and processed anew."


@dataclass(frozen=True)
class _Correction:
    """A source as it is read now, until nobody works any more on what it was taken for."""

    path: Path
    files: frozenset[Path]
    before: GivenFacts
    request: Open
    opened: Opened
    then: Outcome


class Corrections:
    """Reads sources of one watched folder again; `turn` is called often and never waits.

    Parameters
    ----------
    watch, catalog, queue_loop
    inspection : SupportsInspection
        Looks into files.
    facts : SourceFacts
        Where it is noted what counts for a source.
    naming : callable
        Says what acquisitions of a file are called, from what it calls them.
    group_of : callable
        Gives the series that a file belongs to, None for none.
    wake : callable
        Told of a series that goes on.
    """

    def __init__(
        self,
        watch: WatchConfig,
        catalog: Catalog,
        queue_loop: QueueLoop,
        inspection: SupportsInspection,
        facts: SourceFacts,
        naming: Callable[[Path], Callable[[str], str]],
        group_of: Callable[[Path], Group | None],
        wake: Callable[[Group], None],
    ) -> None:
        self._watch = watch
        self._catalog = catalog
        self._queue_loop = queue_loop
        self._inspection = inspection
        self._facts = facts
        self._naming = naming
        self._group_of = group_of
        self._wake = wake
        self._opened: list[_Correction] = []

    def ask(self, path: Path, given: GivenFacts, then: Outcome) -> None:
        """Have the source of a file read with these facts; what was said of it before stays said."""
        told = given.over(self._facts.told(path) or GivenFacts())
        files = self._files_of(path)
        if not files:
            self._facts.note([path], told)
            then(None, "")
            return
        request = Open(files, told.over(self._watch.given), self._watch.pattern)
        self._inspection.ask(request, partial(self._hear, path, told, request, then))

    def turn(self, recipe: Recipe) -> None:
        """Let go on what waits for nothing any more."""
        for one in list(self._opened):
            try:
                if self._correct(one, self._facts.recipe(one.path, recipe)):
                    self._opened.remove(one)
            except DatabaseUnavailableError:
                raise  # it is tried again
            except (StorageError, DaemonError) as error:
                self._opened.remove(one)
                self._facts.note(one.files, one.before)
                one.then(False, str(error))

    def _hear(self, path: Path, told: GivenFacts, request: Open, then: Outcome, answer: Answer) -> None:
        if isinstance(answer, Stuck) or not isinstance(answer, Opened):
            then(False, answer.reason if isinstance(answer, Stuck) else f"{path} cannot be read now.")
            return
        if answer.error is not None and not answer.may_pass:
            then(False, answer.error)
            return
        before = self._facts.told(path) or GivenFacts()
        files = frozenset((path, *request.paths, *(file for one in answer.found for file in one.description.files)))
        self._facts.note(files, told)
        if answer.error is not None:  # not whole, perhaps for ever: the ordinary way knows what is to be done
            then(None, "")
        else:
            self._opened.append(_Correction(path, files, before, request, answer, then))

    def _correct(self, one: _Correction, recipe: Recipe) -> bool:
        """Put the source's new reading in the place of the old one; False while somebody works on that."""
        former = [pipeline.former(self._catalog, found, recipe) for found in one.opened.found]
        held = [self._queue_loop.hold(number, REASON) for number in former if number is not None]
        if not all(held):
            return False
        pairs = zip(one.request.paths, one.opened.identities, strict=True)
        taken = sources({path: identity for path, identity in pairs if identity is not None} | dict(one.opened.beside))
        for found, replaced in zip(one.opened.found, former, strict=True):
            told, called = self._facts.told(one.path), self._naming(one.path)
            row = pipeline.admit(self._catalog, found, recipe, self._watch.output, taken, called, told, replaced)
            self._queue_loop.show_again(row.id)
            self._go_on(one.path, row)
            logs.info("read again", acquisition=row.name, replaced=replaced is not None)
        one.then(True, _answer(one.path, one.opened.found, any(number is not None for number in former)))
        return True

    def _files_of(self, path: Path) -> tuple[Path, ...]:
        """All files of the acquisition that a file belongs to, as far as they are taken."""
        group = self._group_of(path)
        return (path,) if group is None else tuple(group.files[number] for number in sorted(group.files))

    def _go_on(self, path: Path, row: AcquisitionRow) -> None:
        group = self._group_of(path)
        if group is not None:
            group.acquisition_id = row.id
        if group is None or group.over:
            self._queue_loop.end(row.id)
        else:
            self._queue_loop.reopen(row.id)
            self._wake(group)


def _answer(path: Path, found: tuple[Found, ...], replaced: bool) -> str:
    read = "; ".join(_read_as(one.description) for one in found)
    then = "what it was taken for is replaced" if replaced else "nothing had to be replaced"
    return f"{path} is read as {read}: {then}."


def _read_as(image: Description) -> str:
    counts = ((image.size_t, "time point"), (image.size_c, "channel"), (image.size_z, "slice"))
    sizes = ", ".join(counted(count, what) for count, what in counts)
    return f"{sizes} of {image.size_y} x {image.size_x} pixels"
