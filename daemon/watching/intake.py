"""From a watched folder to finished files: what is new, when it is whole, what people declared done."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from daemon import logs
from daemon.configuration.config import WatchConfig
from daemon.configuration.settle_rules import SettleRules
from daemon.watching import readiness
from daemon.watching.admission import Admission
from daemon.watching.arrivals.due_files import DueFiles
from daemon.watching.file_sets import FollowedSets
from daemon.watching.inspection import Answer, Look, Looked, Stuck, SupportsInspection
from daemon.watching.readiness import Conclusion, Decision, Identity, Watched
from daemon.watching.recheck import Rechecks, is_touched
from daemon.watching.tree import Sight
from daemon.watching.watch import DONE_SUFFIX
from storage import readers
from storage.connection.filesystems import Mount
from storage.given_facts import GivenFacts
from storage.readers.names import counts_instead, same_number, stem

if TYPE_CHECKING:
    from daemon.processing.queue_loop import QueueLoop
    from daemon.processing.recipe import Recipe
    from storage.database.catalog import Catalog
    from storage.readers import Completion

# Files of one folder that are looked into at once: the others wait their turn.
_AT_ONCE = 32
# A file over which the looking program crashed or hung is tried again after this pause, then after twice as long.
_STUCK_PAUSE_S, _STUCK_TRIES = 30.0, 3


class Folder(Protocol):
    """What an intake needs of its folder: `watch.FolderWatch`, or `watch.FolderThread` around it."""

    @property
    def root(self) -> Path: ...

    @property
    def online(self) -> bool: ...

    mount: Mount | None

    def sights(self, now: float) -> list[Sight]: ...

    def know(self, files: dict[str, Identity]) -> None: ...

    def look_again(self, path: Path) -> None: ...

    def stop(self) -> None: ...


class Intake:
    """Follows one watched folder; `tick` is called often and never waits.

    Parameters
    ----------
    watch : WatchConfig
    folder : Folder
    catalog, queue_loop
        Where finished files go.
    inspection_client : SupportsInspection
        Looks into files.
    recipe : callable
        Gives the recipe, or None while the model is not loaded: finished files wait for it.
    idle_inspection : SupportsInspection, optional
        Looks into files of which only the time changed, when nothing else is to be done.
    reachable : callable
        Says whether a source can be there at all: False while its watched folder is offline.
    left : callable, optional
        Told of paths from which a source was moved away, in this folder or another one.
    """

    def __init__(
        self,
        watch: WatchConfig,
        folder: Folder,
        catalog: Catalog,
        queue_loop: QueueLoop,
        inspection_client: SupportsInspection,
        recipe: Callable[[], Recipe | None],
        idle_inspection: SupportsInspection | None = None,
        reachable: Callable[[Path], bool] = lambda source: True,
        left: Callable[[Iterable[Path]], None] | None = None,
    ) -> None:
        self._watch, self._folder = watch, folder
        self._inspection_client, self._catalog = inspection_client, catalog
        self._recipe = recipe
        self._noted_mount: Mount | None = None
        self._returned: deque[Path] = deque()
        self._now = 0.0
        self._resumed = False
        self._settling: dict[Path, Watched] = {}
        self._in_inspection: set[Path] = set()
        self._stuck: dict[Path, int] = {}
        self._known: dict[str, Identity] = {}
        self._sets = FollowedSets()
        self._declared: set[str] = set()
        self._submitted: set[Path] = set()
        self._not_before: dict[Path, float] = {}
        self.admission = Admission(
            watch,
            catalog,
            queue_loop,
            inspection_client,
            self._again,
            reachable,
            left or self._leave_behind,
            self._taken_with_another,
        )
        self._due = DueFiles(self.admission.heap.holds)
        facts, inspection = self.admission.facts, idle_inspection or inspection_client
        self._rechecks = Rechecks(watch, catalog, inspection, facts, self._same, self._follow)

    @property
    def root(self) -> Path:
        """The watched folder."""
        return self._watch.path

    @property
    def online(self) -> bool:
        """False while nothing can be said about the folder's files."""
        return self._folder.online

    @property
    def settling(self) -> int:
        """How many files are followed that are not known to be whole yet."""
        return len(self._settling)

    def tick(self, now: float) -> None:
        """Take up what is new; look into what is due; hand on what is finished."""
        self._now = self.admission.heap.now = now
        if not self._resumed:
            self._known = self.admission.resume(now)
            self._folder.know(self._known)
            self._folder.mount = self._noted_mount = self._catalog.stores.mount_of(self.root)
            self._resumed = True
        for sight in self._folder.sights(now):
            self._note(sight)
        if self._folder.online:
            self._note_mount()
            self._ask_about_due()
            self._rechecks.turn(now)
        while self._returned:
            self.admission.take_back(self._returned[0])
            self._returned.popleft()
        self.admission.turn(now, self._recipe())

    def accept_mount(self) -> None:
        """A person says that whatever is mounted there now is meant."""
        self._folder.mount = None

    def _note_mount(self) -> None:
        mount = self._folder.mount
        if mount is not None and mount != self._noted_mount:
            self._catalog.stores.note_mount(self.root, mount)
            self._noted_mount = mount

    def reconsider(self, path: Path) -> None:
        """Look at a file again although it did not change (a retry was asked for)."""
        self._known.pop(os.fspath(path), None)
        self._stuck.pop(path, None)
        self._folder.look_again(path)

    def submit(self, path: Path) -> None:
        """Take a file as it is, now, whatever quiet time and format say."""
        path = readers.owner(path, self._watch.pattern)
        self._submitted.add(path)
        self.reconsider(path)
        if path in self._settling:
            self._hurry(path)

    def recipe_of(self, path: Path) -> Recipe | None:
        """How the source of a file is processed now; None while the model is not loaded."""
        recipe = self._recipe()
        return None if recipe is None else self.admission.facts.recipe(path, recipe)

    def take_again(self, files: Iterable[Path]) -> None:
        """Take files that were taken once more, for another result beside what was made of them."""
        for path in files:
            self.admission.part(path)
        for path in files:
            self.reconsider(path)

    def correct(self, path: Path, given: GivenFacts, then: Callable[[bool, str], None]) -> None:
        """Read a file with these facts, from now on, instead of what it was taken for; `then` hears what came of it."""

        def hear(done: bool | None, text: str) -> None:
            if done is None:
                self.submit(path)
            then(done is not False, text or f"{path} is taken as it is now, with what was said of it.")

        self.admission.corrections.ask(readers.owner(path, self._watch.pattern), given, hear)

    def stop(self) -> None:
        """End the events."""
        self._folder.stop()

    def _note(self, sight: Sight) -> None:
        """Begin to follow a file that is new, or that changed since it was taken."""
        path = sight.path
        if path.name.endswith(DONE_SUFFIX):
            self._declare(path)
            return
        before = self._known.get(os.fspath(path))
        if path not in self._settling and is_touched(before, sight.identity):
            self._rechecks.note(path, sight.identity, self._now)
        elif before != sight.identity:
            self._follow(path, sight.identity)
        elif path not in self._settling:  # reported although it is known: it had gone
            self._returned.append(path)

    def _follow(self, path: Path, identity: Identity) -> None:
        if not _is_text(path):
            self._leave(path, identity)
            self.admission.refuse(path, identity, "its name is not valid text (UTF-8): rename it.")
            return
        self._rechecks.forget(path)
        if path not in self._settling:
            self.admission.expect(path)
        watched = readiness.observe(self._settling.get(path), identity, self._rules(path), self._now)
        pause = self._not_before.pop(path, watched.next_look)
        self._schedule(path, replace(watched, next_look=max(watched.next_look, pause)))

    def _taken_with_another(self, files: Mapping[Path, Identity]) -> None:
        """Files of a set were opened with one of them: those that are still so need no look."""
        for path, identity in files.items():
            if path not in self._settling:
                self._known[os.fspath(path)] = identity
            elif self._settling[path].identity == identity:
                self._leave(path, identity)

    def _leave_behind(self, files: Iterable[Path]) -> None:
        for path in files:
            self.reconsider(path)

    def _same(self, path: Path, identity: Identity) -> None:
        """A touched file holds what it held."""
        if path not in self._settling:
            self._known[os.fspath(path)] = identity

    def _schedule(self, path: Path, watched: Watched) -> None:
        before = self._settling.get(path)
        self._settling[path] = watched
        if before is None or before.next_look != watched.next_look:
            self._due.add(watched.next_look, path)

    def _hurry(self, path: Path) -> None:
        self._schedule(path, replace(self._settling[path], next_look=self._now))

    def _look_soon(self, path: Path) -> None:
        """Look at a file after a quiet time at the latest."""
        soon = self._now + self._rules(path).quiet_s
        if self._settling[path].next_look > soon:
            self._schedule(path, replace(self._settling[path], next_look=soon))

    def _leave(self, path: Path, identity: Identity | None) -> None:
        """Follow it no longer; `identity` is what was taken or set aside."""
        if self._settling.pop(path, None) is not None:
            self.admission.arrived(path)
        self._stuck.pop(path, None)
        self._submitted.discard(path)
        speaker = self._sets.leave(path)
        if speaker is not None and speaker in self._settling:  # unless it leaves with this one
            self._look_soon(speaker)
        if identity is not None:
            self._known[os.fspath(path)] = identity

    # Looking into files

    def _ask_about_due(self) -> None:
        while len(self._in_inspection) < _AT_ONCE:
            path = self._due.next(self._now, self.admission.heap.has_room(self._in_inspection))
            if path is None:
                return
            watched = self._settling.get(path)
            if watched is not None and path not in self._in_inspection and readiness.is_due(watched, self._now):
                self._in_inspection.add(path)
                self._inspection_client.ask(Look(path), partial(self._looked, path))

    def _looked(self, path: Path, answer: Answer) -> None:
        """A file was looked into: has it changed, and if not, does its format say that it is whole?"""
        self._in_inspection.discard(path)
        before = self._settling.get(path)
        if before is None:
            return
        if isinstance(answer, Stuck):
            self._try_again_later(path, before, answer.reason)
        elif not isinstance(answer, Looked) or answer.identity is None or answer.completion is None:
            own = isinstance(answer, Looked) and answer.own
            self._leave(path, answer.identity if own and isinstance(answer, Looked) else None)
            if not own:  # gone, or held by its writer: it is reported again when it can be seen
                self._folder.look_again(path)
        else:
            rules, completion = self._rules(path), answer.completion
            watched = readiness.observe(before, answer.identity, rules, self._now)
            watched = replace(watched, last_change=self._sets.note(path, completion.called, watched.last_change))
            growing = completion.state == "growing"
            ready = completion.time_points_ready or () if growing else ()
            conclusion = readiness.conclude(
                watched,
                completion.state == "complete",
                rules,
                self._now,
                ready,
                answer.seconds,
                completion.doubtful if growing else (),
            )
            self._conclude(path, conclusion, completion)

    def _conclude(self, path: Path, conclusion: Conclusion, completion: Completion) -> None:
        identity = conclusion.watched.identity
        if conclusion.decision is Decision.WAIT:
            self._wait(path, conclusion)
            return
        counts = counts_instead(path, self._watch.pattern)
        if counts is not None:
            self.admission.refuse(path, identity, same_number(path, counts))
        elif conclusion.decision is Decision.READY:
            self.admission.finish(path, identity, completion.others)
        elif conclusion.decision is Decision.PARTIAL:
            logs.warning("processed as far as it goes", path=path, reason=completion.reason)
            self.admission.finish(path, identity, completion.others, conclusion.ripe)
        else:
            for file in [other for other in self._sets.files(path) if other != path and other in self._settling]:
                self._set_aside(file, self._settling[file].identity, completion)
            self._set_aside(path, identity, completion)
        self._leave(path, identity)

    def _wait(self, path: Path, conclusion: Conclusion) -> None:
        """Look again later, and hand on what can be taken already; of a set, one file is looked at for all."""
        speaker = self._sets.speaker(path)
        if speaker != path and speaker in self._settling:
            self._settling[path] = replace(conclusion.watched, next_look=float("inf"))
            self._look_soon(speaker)
            return
        self._schedule(path, conclusion.watched)
        more = self._sets.more(path, conclusion.ripe)
        if more:  # those before were taken, and are compared once more when the file has ended
            self.admission.grow(path, more)

    def _set_aside(self, path: Path, identity: Identity, completion: Completion) -> None:
        self.admission.refuse(path, identity, completion.refusal, completion.called)
        self._leave(path, identity)

    def _try_again_later(self, path: Path, watched: Watched, reason: str) -> None:
        tries = self._stuck[path] = self._stuck.get(path, 0) + 1
        if tries >= _STUCK_TRIES:
            self._leave(path, watched.identity)
            remedy = "convert or remove the file, or look after its disk, then run `nusetd retry`."
            self.admission.refuse(path, watched.identity, f"{reason.rstrip('.')}, {tries} times: {remedy}")
            return
        self._schedule(path, replace(watched, next_look=self._now + _STUCK_PAUSE_S * 2 ** (tries - 1)))

    def _again(self, path: Path, pause_s: float) -> None:
        """What was handed on has to be looked at anew, after a pause."""
        self._known.pop(os.fspath(path), None)
        self._not_before[path] = self._now + pause_s
        self._folder.look_again(path)

    # What people declare

    def _declare(self, note: Path) -> None:
        """`NAME.done` says that the file, the series or the folder NAME beside it is finished."""
        self._declared.add(os.fspath(note))
        logs.info("declared done", note=note)
        for path in [path for path in self._settling if self._is_declared(path)]:
            self._hurry(path)
        self.admission.declare(note.with_name(note.name.removesuffix(DONE_SUFFIX)))

    def _is_declared(self, path: Path) -> bool:
        if not self._declared:
            return False
        names = {path.name, stem(path), readers.acquisition_key(path, self._watch.pattern).name}
        candidates = [path.with_name(name + DONE_SUFFIX) for name in names]
        folders = [parent for parent in path.parents if parent.is_relative_to(self.root) and parent != self.root]
        candidates += [folder.with_name(folder.name + DONE_SUFFIX) for folder in folders]
        return any(os.fspath(candidate) in self._declared for candidate in candidates)

    def _rules(self, path: Path) -> SettleRules:
        overridden = path in self._submitted or self._is_declared(path)
        return readiness.AT_ONCE if overridden else self._watch.settle


def _is_text(path: Path) -> bool:
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True
