"""From finished files to queued time points: which acquisition a file belongs to, in which order, and when it ends."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs
from daemon.configuration.config import WatchConfig
from daemon.errors import DaemonError
from daemon.watching.arrivals.heap import Heap
from daemon.watching.arrivals.opened_files import OpenedFiles
from daemon.watching.file_sets import FileSets, Group, Opening, let_go
from daemon.watching.inspection import Answer, Gone, Missing, Open, Opened, Stuck, SupportsInspection
from daemon.watching.readiness import Identity
from daemon.watching.said.correction import Corrections
from daemon.watching.said.source_facts import SourceFacts
from daemon.watching.series import Series
from daemon.watching.taken import admitted, forgotten, lying_elsewhere, named_after, owner_of, printable, sources
from storage import readers
from storage.errors import DatabaseUnavailableError, StorageError
from storage.readers.names import counts_instead, file_of_image, stem
from storage.schema.states import FINISHED
from storage.spans import spoken

if TYPE_CHECKING:
    from daemon.processing.queue_loop import QueueLoop
    from daemon.processing.recipe import Recipe
    from storage.database.catalog import Catalog
    from storage.readers import AcquisitionKey
    from storage.schema.rows import AcquisitionRow

# Files that are opened with one request, or queued in one turn, and files that are handed on in one turn: thousands at
# once must not keep the loop from turning.
_TOGETHER, _PER_TURN = 16, 64
# What cannot be opened for now is tried again after growing pauses; what crashes or hangs its reader, three times.
_PAUSE_S, _LONGEST_PAUSE_S, _STUCK_TRIES = 5.0, 600.0, 3


class Admission:
    """Takes the finished files of one watched folder; `turn` is called often and never waits.

    What the database refuses for now stays here, and is handed in again by a later turn.

    Parameters
    ----------
    try_again : callable
        Told of a path that has to be looked at anew, and of the pause (s) before.
    reachable : callable
        Says whether a source can be there at all: False while its watched folder is offline.
    left : callable
        Told of paths from which a source was moved away.
    taken : callable
        Told of files, as they were, that were opened with another one of their set.
    """

    def __init__(
        self,
        watch: WatchConfig,
        catalog: Catalog,
        queue_loop: QueueLoop,
        inspection_client: SupportsInspection,
        try_again: Callable[[Path, float], None],
        reachable: Callable[[Path], bool] = lambda source: True,
        left: Callable[[Iterable[Path]], None] = lambda files: None,
        taken: Callable[[Mapping[Path, Identity]], None] = lambda files: None,
    ) -> None:
        self._watch, self._catalog, self._queue_loop = watch, catalog, queue_loop
        self._inspection_client, self._reachable = inspection_client, reachable
        self._try_again, self._left, self._taken = try_again, left, taken
        self._finished: dict[Path, tuple[int, ...] | None] = {}
        self._growing: dict[Path, tuple[int, ...]] = {}
        self._refused: deque[tuple[Path, Identity | None, str, Path | None]] = deque()
        self._groups: dict[Path, Group] = {}
        self._active: dict[Path, Group] = {}
        self._unfinished: dict[int, list[Path]] = {}
        self._declared: set[Path] = set()
        self._troubles: dict[Path, int] = {}
        self._sets, self.facts = FileSets(), SourceFacts(watch)
        self.heap = Heap(watch.archive, lambda: queue_loop.shares.live)
        self._opened = OpenedFiles(self.heap, _TOGETHER)
        called = partial(named_after, watch)
        self.corrections = Corrections(
            watch, catalog, queue_loop, inspection_client, self.facts, called, self._group_of, self._wake
        )

    # What the intake says

    def expect(self, path: Path) -> None:
        """A file has begun to arrive."""
        group = self._group_of(path)
        self.heap.found(path, path if group is None else group.key.path)
        if group is not None:
            group.series.seen.add(self._number(path))
            group.arriving += 1

    def arrived(self, path: Path) -> None:
        """A file is no longer followed: it was taken, set aside, or is gone."""
        group = self._group_of(path)
        self.heap.left(path)
        if group is not None:
            group.arriving = max(group.arriving - 1, 0)  # it may have begun to arrive for a group that was given up

    def finish(
        self, path: Path, identity: Identity, others: Sequence[Path] = (), time_points: tuple[int, ...] | None = None
    ) -> None:
        """A file is whole, with the others that it names; or with `time_points`, no more than these will come."""
        self._sets.announce(path, identity, others)
        self._growing.pop(path, None)
        self._finished[path] = time_points

    def grow(self, path: Path, time_points: tuple[int, ...]) -> None:
        """These time points of a file that still grows are whole."""
        self._growing[path] = time_points

    def refuse(self, path: Path, identity: Identity | None, reason: str, called: Path | None = None) -> None:
        """Leave a file alone until it changes; the complaint is about its set, by what that is `called`."""
        self._refused.append((path, identity, reason, called))

    def declare(self, name: Path) -> None:
        """Nothing more will come of the series of this name, or of those in the folder of this name."""
        self._declared.add(name)
        for group in self._groups.values():
            if not group.declared and self._is_declared(group.key):
                group.declared = True
                self._wake(group)

    def resume(self, now: float) -> dict[str, Identity]:
        """Take up what the database knows of this folder's files; return what each was when it was taken."""
        rows = {row.id: row for row in self._catalog.acquisitions()}
        known: dict[str, Identity] = {}
        for source in self._catalog.sources.taken(self._watch.path):
            known[source.path] = Identity(source.size, source.mtime_ns, source.files, source.readable)
            row, path = rows[source.acquisition_id], Path(source.path)
            self.facts.restore(row, path)
            if row.state not in FINISHED and row.zarr_path is not None:
                self._unfinished.setdefault(row.id, []).append(path)
            group = self._group_of(path)
            if group is not None:
                self._restore(group, path, row, now)
        for path in forgotten(self._catalog, self._watch.path, known):
            self._give_up(path)
        for row in rows.values():
            if row.state not in FINISHED and owner_of(row.source_path, known) is not None:
                self._queue_loop.end(row.id)
        return known

    def part(self, path: Path) -> None:
        """What comes of a file's series from now on belongs to what was made of it no more."""
        for groups in (self._groups, self._active):
            groups.pop(readers.acquisition_key(path, self._watch.pattern).path, None)

    def let_go(self, acquisition_id: int) -> None:
        """An acquisition is forgotten: what still comes of its series is another one."""
        let_go(self._groups.values(), acquisition_id)

    def turn(self, now: float, recipe: Recipe | None) -> None:
        """Hand in what was refused, open what is finished, queue what was opened, end what is over."""
        while self._refused:
            self._set_aside(*self._refused[0])
            self._refused.popleft()
        if recipe is None:
            return
        self.corrections.turn(recipe)
        if self._unfinished:
            self._begin_anew_where_settings_changed(recipe)
        self._opened.turn(partial(self._queue, recipe))
        for path in list(islice(self._growing, _PER_TURN)):
            self._open([path], is_last=False, time_points=self._growing.pop(path))
        for path in list(islice(self._finished, _PER_TURN)):
            self._take(path, self._finished.pop(path), now)
        for group in list(self._active.values()):
            self._advance(group, recipe, now)

    def _take(self, path: Path, time_points: tuple[int, ...] | None, now: float) -> None:
        group = self._group_of(path)
        if group is None:
            self._open([path], time_points=time_points)
            return
        number = self._number(path)
        group.files[number] = path
        group.series.settle(number, now)
        group.over = False
        self._wake(group)
        if group.acquisition_id is not None:
            self._queue_loop.reopen(group.acquisition_id)

    def _advance(self, group: Group, recipe: Recipe, now: float) -> None:
        """Hand on the files of a growing acquisition in order, and end it when nothing new has come for long."""
        quiet_s = 0.0 if group.declared and not group.arriving else self._watch.acquisition_quiet_s
        release = group.series.release(now, quiet_s)
        if release.passed_over:
            logs.warning("time points did not come", acquisition=group.key.name, numbers=spoken(release.passed_over))
        if release.ready:
            if group.acquisition_id is not None and not self._is_current(group.acquisition_id, recipe):
                self._begin_anew(group)
                return
            self._open(group.next(release.ready), group, is_last=False)
        if group.series.is_over(now, quiet_s) and not group.arriving and not group.opening:
            group.over = True
            del self._active[group.key.path]
            if group.acquisition_id is not None:
                self._queue_loop.end(group.acquisition_id)

    def _open(
        self,
        paths: list[Path],
        group: Group | None = None,
        is_last: bool = True,
        time_points: tuple[int, ...] | None = None,
    ) -> None:
        again = partial(self._open, group=group, is_last=is_last, time_points=time_points)
        paths = [path for path in paths if self._sets.leads(path, partial(again, [path]))]
        for start in range(0, len(paths), _TOGETHER):
            some = tuple(paths[start : start + _TOGETHER])
            request = Open(some, self.facts.of(some[0]), self._watch.pattern, time_points)
            if group is not None:
                group.opening += 1
            self._inspection_client.ask(request, partial(self._hear, Opening(request, group, is_last)))

    def _hear(self, opening: Opening, answer: Answer) -> None:
        if isinstance(answer, Stuck):
            tries = self._troubles.get(opening.request.paths[0], 0) + 1
            answer = Opened(error=answer.reason, may_pass=tries < _STUCK_TRIES)
        assert isinstance(answer, Opened)
        self._opened.add(opening, answer)

    def _queue(self, recipe: Recipe, opening: Opening, answer: Opened) -> None:
        """Queue the time points of what was opened; a file that cannot be is set aside, the others go on."""
        paths, group = opening.request.paths, opening.group
        if opening.request.given != self.facts.of(paths[0]):  # a person said more of it meanwhile
            request = replace(opening.request, given=self.facts.of(paths[0]))
            self._inspection_client.ask(request, partial(self._hear, replace(opening, request=request, gone=None)))
            return
        if answer.error is None:
            try:
                if opening.gone is None and self._asks_what_moved(opening, answer):
                    return
                self._admit(opening, answer, recipe)
            except DatabaseUnavailableError:
                raise  # this turn is over, and the next one hands it in again
            except (StorageError, DaemonError) as error:
                answer = Opened(identities=answer.identities, error=str(error))
        if group is not None:
            group.opening -= 1
        if answer.error is None:
            self._troubles.pop(paths[0], None)
        elif len(paths) > 1:
            for path in paths:
                self._open([path], group, opening.is_last, opening.request.time_points)
        elif answer.may_pass:
            tries = self._troubles[paths[0]] = self._troubles.get(paths[0], 0) + 1
            logs.warning("file cannot be opened now", path=paths[0], attempt=tries, reason=answer.error)
            self._try_again(paths[0], min(_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S))
        else:
            self._troubles.pop(paths[0], None)
            self.refuse(paths[0], answer.identities[0] if answer.identities else None, answer.error)
        self._sets.over(paths, answer.beside if opening.is_last or group is not None else {})

    def _asks_what_moved(self, opening: Opening, answer: Opened) -> bool:
        """Have it looked up whether sources with the same content are gone; False where there are none."""
        elsewhere = lying_elsewhere(self._catalog, answer.found, self._reachable)
        if elsewhere:
            self._inspection_client.ask(Gone(elsewhere), partial(self._hear_what_moved, opening, answer))
        return bool(elsewhere)

    def _hear_what_moved(self, opening: Opening, opened: Opened, answer: Answer) -> None:
        gone = answer.sources if isinstance(answer, Missing) else frozenset()
        self._opened.add(replace(opening, gone=gone), opened)

    def _admit(self, opening: Opening, answer: Opened, recipe: Recipe) -> None:
        taken, first = {}, opening.request.paths[0]
        recipe, told = self.facts.recipe(first, recipe), self.facts.told(first)
        recipe = replace(recipe, archive=self.heap.holds(opening.request.paths))
        if opening.is_last or opening.group is not None:
            taken = {p: i for p, i in zip(opening.request.paths, answer.identities, strict=True) if i is not None}
            taken |= answer.beside
        for found in answer.found:
            gone, group = opening.gone or frozenset(), opening.group
            ends = opening.is_last or (group is not None and found.description.first_number is None)
            files, image = sources(taken), found if ends else found.growing()
            row = admitted(self._catalog, image, gone, recipe, self._watch, first, files, told, self._left)
            if row.zarr_path is None:
                continue  # set aside
            logs.info("queued", acquisition=row.name, files=len(opening.request.paths), state=row.state)
            is_last, start = opening.is_last, found.description.first_number
            if opening.group is not None:
                is_last = not opening.group.joined(row.id, opening.request.paths, start)
            if is_last:
                self._queue_loop.end(row.id)
            elif opening.group is None:
                self._queue_loop.reopen(row.id)
        if taken:
            self._taken_with_another(answer.beside)

    def _taken_with_another(self, files: Mapping[Path, Identity]) -> None:
        for path in files:
            group = self._group_of(path)
            if group is not None:
                group.files[self._number(path)] = path
                group.series.restore(self._number(path), float("-inf"))
        self._taken(files)

    def _set_aside(self, path: Path, identity: Identity | None, reason: str, called: Path | None) -> None:
        named = printable(called or path)
        taken = sources({path: identity}) if identity is not None and printable(path) == os.fspath(path) else ()
        self._catalog.set_aside_source(named, named_after(self._watch, Path(named))(stem(Path(named))), reason, taken)
        logs.warning("file set aside", path=printable(path), reason=reason)
        self._give_up(path)

    def _give_up(self, path: Path) -> None:
        group = self._group_of(path) if counts_instead(path, self._watch.pattern) is None else None
        if group is not None:
            group.series.give_up(self._number(path))
            self._wake(group)

    def take_back(self, path: Path) -> None:
        """A file that was taken was away, and is there again as it was: what failed for want of it goes on."""
        group = self._group_of(path)
        for number in self._catalog.sources.returned(path):
            logs.info("source is back", acquisition=number, path=path)
            if group is None or group.over:
                self._queue_loop.end(number)

    # After a start

    def _restore(self, group: Group, path: Path, row: AcquisitionRow, now: float) -> None:
        number = self._number(path)
        if row.zarr_path is None:
            group.series.give_up(number)
            return
        group.files[number] = path
        group.series.restore(number, now)
        group.acquisition_id = row.id
        if row.first_number is None and number > 1:
            group.alone = number
        group.over = row.state in FINISHED
        if not group.over:
            self._wake(group)

    def _begin_anew_where_settings_changed(self, recipe: Recipe) -> None:
        """An unfinished acquisition whose recipe is not ours any more becomes a second result, from its first file."""
        unfinished, self._unfinished = self._unfinished, {}
        for acquisition_id, paths in unfinished.items():
            if self._is_current(acquisition_id, recipe):
                continue
            group = self._group_of(paths[0])
            if group is not None:
                self._begin_anew(group)
            else:
                self._supersede(acquisition_id)
                for path in paths:
                    self._try_again(path, 0.0)

    def _begin_anew(self, group: Group) -> None:
        if group.acquisition_id is not None:
            self._supersede(group.acquisition_id)
        self._groups.pop(group.key.path, None)
        self._active.pop(group.key.path, None)
        for path in group.files.values():
            self._try_again(path, 0.0)

    def _supersede(self, acquisition_id: int) -> None:
        row = self._catalog.acquisition(acquisition_id)
        if row.state in FINISHED or row.zarr_path is None:
            return
        logs.warning("begun anew: weights or settings changed", acquisition=row.name)
        reason = "Weights or settings changed before its turn: it is processed anew in a second result."
        self._catalog.abandon(acquisition_id, reason)
        self._queue_loop.end(acquisition_id)

    def _is_current(self, acquisition_id: int, recipe: Recipe) -> bool:
        row = self._catalog.acquisition(acquisition_id)
        return row.zarr_path is None or self.facts.recipe(file_of_image(Path(row.source_path)), recipe).made(row)

    def _wake(self, group: Group) -> None:
        self._active[group.key.path] = group

    def _group_of(self, path: Path) -> Group | None:
        key = readers.acquisition_key(path, self._watch.pattern)
        if key.t is None:
            return None
        if key.path not in self._groups:
            declared = self._is_declared(key.group)
            self._groups[key.path] = Group(key.group, Series(given_step=self._watch.step), declared=declared)
        return self._groups[key.path]

    def _is_declared(self, key: AcquisitionKey) -> bool:
        names = (key.path.with_name(key.name), *key.path.parents)
        return bool(self._declared) and any(name in self._declared for name in names)

    def _number(self, path: Path) -> int:
        return readers.acquisition_key(path, self._watch.pattern).t or 0
