"""The worker: a process of its own that holds the engine, so that it can hang or die without losing the watcher.

It is started by `local_workers`, as `daemon.children.become` says, and speaks `messages` through a pipe. It writes the
pixels of one time point at a time into an OME-Zarr; what the store says of itself, once it is there, is the daemon's to
write. The lock that it inherits (`stores_lock`) says as long as it lives that it may write.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection

from daemon import logs, pipeline
from daemon.children.parent import give_way, meet
from daemon.errors import EngineFailedError
from daemon.processing.engine_factory import StackSegmenter, load_factory, make_segmenter
from daemon.processing.messages import (
    AnalyseTask,
    CannotServe,
    Cause,
    ChooseTask,
    CorrectTask,
    EngineSetup,
    Failed,
    Message,
    Painted,
    PaintTask,
    Progress,
    Ready,
    ReplayTask,
    Result,
    StoreMade,
    Task,
    TrackTask,
)
from daemon.processing.recipe import StoredRecipe
from daemon.processing.store_faults import store_fault
from daemon.processing.tracker_cache import TrackerCache
from daemon.processing.workers.graphics import choose
from nuset_engine.errors import EngineError
from nuset_engine.loading import undisturbed
from nuset_engine.params import SMALLEST_TILE_PX, SegmentationParams
from storage import readers
from storage.acquisition import Acquisition
from storage.errors import (
    DatabaseUnavailableError,
    IncompleteInputError,
    OtherSchemaError,
    SourceGoneError,
    StorageError,
)
from storage.readers.fingerprint import is_former, same_content
from storage.version import nusetd_version
from tracking.errors import TrackerStateError

# Errors of the operating system that say something about this moment, not about the image.
_PASSING = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV}
)
_IDLE_S = 5.0  # after this time without a task, no source stays open
_EXCHANGED = CannotServe(
    "The files of nusetd were exchanged for those of another version while it ran: start it again, then it goes on "
    "where it was."
)


class Engine:
    """What this worker has loaded: segmenters, one per set of parameters, all with the same weights; trackers."""

    def __init__(self, setup: EngineSetup) -> None:
        self.trackers = TrackerCache()
        self._setup = setup
        self._factory = load_factory(setup.factory)
        self._segmenters: dict[SegmentationParams, StackSegmenter] = {}

    def segmenter(self, params: SegmentationParams) -> StackSegmenter:
        """Return the segmenter with these parameters, made when first asked for."""
        if params not in self._segmenters:
            self._segmenters.clear()  # one model in memory at a time
            setup = self._setup
            self._segmenters[params] = make_segmenter(
                self._factory, setup.weights, params, setup.threads, setup.runtime
            )
        return self._segmenters[params]


def main() -> None:
    """Serve tasks until the daemon closes the pipe or dies."""
    connection = meet()
    logs.set_up()
    logs.catch_all()
    setup: EngineSetup = connection.recv()
    if setup.version != nusetd_version():
        connection.send(_EXCHANGED)
        return
    try:
        if setup.yields:
            give_way()
        choose(setup.graphics)
        with undisturbed():
            engine = Engine(setup)
            info = None if setup.later else engine.segmenter(SegmentationParams()).weights_info
        if setup.later:
            _load_what_tracks()
    except Exception as error:  # noqa: BLE001  # whatever a factory does, the daemon has to be told why
        connection.send(CannotServe(why_not_loaded(setup, error)))
        return
    connection.send(Ready("", "") if info is None else Ready(info.name, info.sha256))
    serve(connection, engine)


def why_not_loaded(setup: EngineSetup, error: Exception) -> str:
    """Say why an engine cannot be loaded; whatever a factory raises."""
    own = isinstance(error, (EngineError, EngineFailedError))
    return str(error) if own else f"The engine {setup.factory} cannot be loaded: {_sentence(error)}."


def _load_what_tracks() -> None:
    """Import what the steps beside the database need, also late, so that the first one does not wait for it."""
    import scipy.optimize
    import scipy.sparse.csgraph
    import scipy.spatial  # noqa: F401

    import storage.database.corrections.around_step
    import storage.database.records
    import storage.database.renewal.replay
    import storage.database.track_measures
    import storage.query.snapshots  # noqa: F401
    import tracking.tracker  # noqa: F401


def serve(connection: Connection, engine: Engine) -> None:
    """Answer one task after the other, until the daemon is gone; the next one does again what it has not committed.

    The source of one time point stays open for the next one, and is closed when none is asked for.
    """
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while True:
            if not connection.poll(_IDLE_S):
                readers.close_kept()
            task: Task = connection.recv()
            said = answer(task, engine, connection.send)
            connection.send(said)
            if isinstance(said, CannotServe):
                return


def answer(task: Task, engine: Engine, send: Callable[[Message], None]) -> Result | CannotServe:
    """Do one task; an error becomes an answer, because the next task may be fine."""
    try:
        if isinstance(task, PaintTask):
            pipeline.paint(task)
            return Painted()
        if isinstance(task, TrackTask):
            return pipeline.track(task, engine.trackers)
        if isinstance(task, CorrectTask):
            return pipeline.correct(task, _Throttle(send), engine.segmenter)
        if isinstance(task, ReplayTask):
            return pipeline.replay(task, _Throttle(send))
        return _look(task, engine, send)
    except OtherSchemaError:  # what is loaded with the first such task is not of the version that made the database
        return _EXCHANGED
    except TrackerStateError as error:
        return Failed(str(error), Cause.TRACKER)
    except (StorageError, EngineError) as error:
        return Failed(str(error), _cause(error, task))
    except MemoryError:
        return Failed("The computer ran out of memory while this time point was processed.", Cause.MEMORY)
    except OSError as error:
        return Failed(f"The computer could not read or write: {_sentence(error)}.", _cause(error, task))
    except Exception as error:  # noqa: BLE001  # a fault of ours must not cost more than this time point
        logs.log.exception("a fault in nusetd stopped a time point")
        return Failed(f"A fault in nusetd stopped this time point ({_sentence(error)}).", Cause.INPUT)


def _look(task: AnalyseTask | ChooseTask, engine: Engine, send: Callable[[Message], None]) -> Result:
    """Choose the channel of a time point, or analyse it."""
    params = StoredRecipe.of(task.acquisition).segmentation
    segmenter = engine.segmenter(replace(params, tile_px=SMALLEST_TILE_PX) if task.frugal else params)
    acquisition = readers.reopen(task.acquisition, task.t)
    try:
        return _look_at(acquisition, task, segmenter, send)
    finally:
        readers.let_go(acquisition)  # what is kept in mind stays open: the next time point is often from it as well


def _look_at(
    acquisition: Acquisition,
    task: AnalyseTask | ChooseTask,
    segmenter: StackSegmenter,
    send: Callable[[Message], None],
) -> Result:
    size_z, throttle = acquisition.size_z, _Throttle(send)
    try:
        if isinstance(task, ChooseTask):
            found: Result = pipeline.choose_channel(acquisition, task.t, segmenter, throttle)
        else:
            said = partial(send, StoreMade())
            found = pipeline.analyse(acquisition, task, segmenter, lambda done: throttle(done, size_z), said)
    except (StorageError, EngineError, OSError):
        if _changed(acquisition, task):  # half of it was another image: what it led to means nothing
            return _read_while_it_changed(acquisition)
        raise
    return _read_while_it_changed(acquisition) if _changed(acquisition, task) else found


def _changed(acquisition: Acquisition, task: AnalyseTask | ChooseTask) -> bool:
    stored, t = task.fingerprint, task.t
    if stored is None:
        return False
    former = acquisition.former_fingerprint(t) if is_former(stored) else None
    return not same_content(stored, acquisition.fingerprint(t), former)


def _read_while_it_changed(acquisition: Acquisition) -> Failed:
    reason = f"{acquisition.files[0]} changed while it was read: it is read again when it is at rest."
    return Failed(reason, Cause.CHANGED, acquisition.files)


class _Throttle:
    """Passes progress on at most twice a second."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._last = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= 0.5:
            self._last = now
            self._send(Progress(done, total))


def _cause(error: BaseException | None, task: Task) -> Cause:
    """What a failure is about, from the error of the operating system behind it."""
    if isinstance(error, SourceGoneError):
        return Cause.GONE
    if isinstance(error, IncompleteInputError):
        return Cause.PASSING  # it was whole when it was queued: it is being replaced
    if isinstance(error, DatabaseUnavailableError):
        return Cause.MACHINE
    store = str(task.zarr_path if isinstance(task, PaintTask) else task.acquisition.zarr_path)
    fault = store_fault(error, store)
    if fault is not None:
        return fault
    while error is not None:
        if isinstance(error, OSError):
            if error.errno in _PASSING:
                return Cause.PASSING
            if error.errno == errno.ENOENT:
                return Cause.GONE
        error = error.__cause__
    return Cause.INPUT


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
