"""From a watched folder to queued time points: which files are finished, and to which acquisition each belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs, pipeline, settle
from daemon.config import WatchConfig
from daemon.errors import DaemonError
from daemon.series import Series, spans
from daemon.settle import Decision, Identity, Watched
from daemon.watch import FolderWatch
from storage import readers
from storage.errors import StorageError

if TYPE_CHECKING:
    from daemon.conductor import Conductor
    from daemon.recipe import Recipe
    from storage.catalog import Catalog
    from storage.readers import AcquisitionKey

# Files that are looked into, or queued, in one turn: thousands at once must not keep the main loop from turning.
_AT_ONCE = 50


@dataclass
class Group:
    """One acquisition made of several files, as far as they are known."""

    key: AcquisitionKey
    series: Series = field(default_factory=Series)
    files: dict[int, Path] = field(default_factory=dict)
    acquisition_id: int | None = None
    over: bool = False


class Intake:
    """Follows one watched folder; `tick` is called often and never waits.

    Parameters
    ----------
    watch : WatchConfig
    folder : FolderWatch
    catalog, conductor
        Where finished files go.
    recipe : callable
        Gives the recipe, or None while the model is not loaded: finished files wait for it.
    """

    def __init__(
        self,
        watch: WatchConfig,
        folder: FolderWatch,
        catalog: Catalog,
        conductor: Conductor,
        recipe: Callable[[], Recipe | None],
        rescan_s: float = 10.0,
    ) -> None:
        self._watch = watch
        self._folder = folder
        self._catalog = catalog
        self._conductor = conductor
        self._recipe = recipe
        self._rescan_s = rescan_s
        self._next_scan = float("-inf")
        self._settling: dict[Path, Watched] = {}
        self._known: dict[Path, Identity] = {}
        self._finished: dict[Path, None] = {}
        self._groups: dict[Path, Group] = {}

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
        """Take up hints and, when it is time, the truth; look at what is due; hand on what is finished."""
        for path in self._folder.hints():
            self._note(path, now)
        if now >= self._next_scan:
            self._rescan(now)
        due = (path for path, watched in self._settling.items() if settle.is_due(watched, now))
        for path in list(islice(due, _AT_ONCE)):
            self._look(path, now)
        recipe = self._recipe()
        if recipe is not None:
            self._admit_finished(recipe, now)
            for group in self._groups.values():
                self._advance(group, recipe, now)

    def reconsider(self, path: Path) -> None:
        """Look at a file again although it did not change (a retry was asked for)."""
        self._known.pop(path, None)
        self._next_scan = float("-inf")

    def stop(self) -> None:
        """End the events."""
        self._folder.stop()

    def _rescan(self, now: float) -> None:
        self._next_scan = now + self._rescan_s
        for path in self._folder.scan().paths:
            self._note(path, now)

    def _note(self, path: Path, now: float) -> None:
        """Begin to follow a file that is new, or that changed since it was taken; a part stands for its whole."""
        part, path = path, readers.owner(path, self._watch.pattern)
        if not readers.is_candidate(path):
            return
        if part == path and settle.looks_unchanged(path, self._known.get(path)):
            return
        identity = _identify(path)
        if identity is None or self._known.get(path) == identity:
            return
        if path not in self._settling and not self._welcome(path):
            return
        self._known.pop(path, None)
        self._finished.pop(path, None)
        self._settling[path] = settle.observe(self._settling.get(path), identity, self._watch.settle, now)

    def _welcome(self, path: Path) -> bool:
        """Begin to follow a path; False for a store that is our own result."""
        if readers.is_own(path):
            return False
        key = readers.acquisition_key(path, self._watch.pattern)
        if key.t is not None:
            self._group(key).series.seen.add(key.t)
        return True

    def _look(self, path: Path, now: float) -> None:
        """A quiet period is over: has the file changed, and if not, does its format say that it is whole?"""
        rules, identity = self._watch.settle, _identify(path)
        if identity is None:
            del self._settling[path]  # gone, or held by its writer: the next rescan finds it again
            return
        watched = settle.observe(self._settling[path], identity, rules, now)
        self._settling[path] = watched
        if not settle.is_due(watched, now):
            return
        completion = readers.probe(path)
        whole = completion.state == "complete"
        decision, self._settling[path] = settle.conclude(watched, whole, rules, now)
        partial = decision is Decision.SET_ASIDE and bool(completion.time_points_ready)
        if partial:
            logs.warning("processed as far as it goes", path=path, reason=completion.reason)
        if partial or decision is Decision.READY:
            del self._settling[path]
            self._known[path] = identity
            self._finished[path] = None
        elif decision is Decision.SET_ASIDE:
            self._set_aside(path, identity, completion.reason)

    def _set_aside(self, path: Path, identity: Identity, reason: str) -> None:
        """Leave a file alone until it changes; what belongs to it does not wait for it."""
        self._settling.pop(path, None)
        self._known[path] = identity
        key = readers.acquisition_key(path, self._watch.pattern)
        if key.t is not None:
            self._group(key).series.give_up(key.t)
        self._catalog.set_aside_source(path, path.stem, reason)
        logs.warning("file set aside", path=path, reason=reason)

    def _admit_finished(self, recipe: Recipe, now: float) -> None:
        for path in list(islice(self._finished, _AT_ONCE)):
            del self._finished[path]
            key = readers.acquisition_key(path, self._watch.pattern)
            if key.t is None:
                for row_id in self._admit([path], recipe):
                    self._conductor.end(row_id)
                continue
            group = self._group(key)
            group.files[key.t] = path
            group.series.settle(key.t, now)
            group.over = False
            if group.acquisition_id is not None:
                self._conductor.reopen(group.acquisition_id)

    def _advance(self, group: Group, recipe: Recipe, now: float) -> None:
        """Hand on the files of a growing acquisition in order, and end it when nothing new has come for long."""
        if group.over:
            return
        patience = self._watch.acquisition_quiet_s
        release = group.series.release(now, patience)
        if release.passed_over:
            logs.warning("time points did not come", acquisition=group.key.name, numbers=spans(release.passed_over))
        if release.ready:
            for row_id in self._admit([group.files[number] for number in release.ready], recipe):
                group.acquisition_id = row_id
        if group.series.is_over(now, patience) and not self._arriving(group):
            group.over = True
            if group.acquisition_id is not None:
                self._conductor.end(group.acquisition_id)

    def _arriving(self, group: Group) -> bool:
        return any(readers.acquisition_key(p, self._watch.pattern).group == group.key for p in self._settling)

    def _admit(self, paths: list[Path], recipe: Recipe) -> list[int]:
        """Queue the time points of these files; a file that cannot be opened is set aside, the others go on."""
        rows: list[int] = []
        try:
            size, pattern = self._watch.voxel_size_um, self._watch.pattern
            for acquisition in readers.open_acquisitions(paths, voxel_size_um=size, pattern=pattern):
                with acquisition:
                    row = pipeline.admit(self._catalog, acquisition, recipe, self._watch.output)
                rows.append(row.id)
                logs.info("queued", acquisition=row.name, files=len(paths), state=row.state)
        except (StorageError, DaemonError) as error:
            if len(paths) > 1:
                return [row_id for path in paths for row_id in self._admit([path], recipe)]
            self._refuse(paths[0], str(error))
        except OSError as error:
            logs.warning("file cannot be read now", path=paths[0], reason=error)
            for path in paths:
                self._known.pop(path, None)
        return rows

    def _refuse(self, path: Path, reason: str) -> None:
        identity = _identify(path)
        if identity is not None:
            self._set_aside(path, identity, reason)

    def _group(self, key: AcquisitionKey) -> Group:
        return self._groups.setdefault(key.path, Group(key.group))


def _identify(path: Path) -> Identity | None:
    """What of a file and the files that belong to it changes when their content does."""
    try:
        return settle.identify(path, readers.companions(path))
    except OSError:  # their folder cannot be listed now
        return None
