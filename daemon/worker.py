"""The worker: a process of its own that holds the engine, so that it can hang or die without losing the watcher.

It is started by `crew.Worker` as ``python -m daemon.worker FD`` and speaks `messages` through that descriptor. It
alone writes into OME-Zarr stores; a lock makes sure of that even while the worker of a killed service is still dying.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from daemon import logs, pipeline
from daemon.engine import load_factory
from daemon.errors import EngineFailedError
from daemon.messages import (
    AnalyseTask,
    CannotStart,
    EngineSetup,
    Failed,
    Message,
    Painted,
    PaintTask,
    Progress,
    Ready,
    Result,
    Task,
)
from daemon.recipe import Request
from nuset_engine.errors import EngineError
from nuset_engine.params import SegmentationParams
from storage import readers
from storage.errors import StorageError

# Errors of the operating system that say something about this moment, not about the image.
_PASSING = frozenset({errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.ETIMEDOUT})
_PR_SET_PDEATHSIG = 1


class Engine:
    """The segmenters of this worker: one per set of parameters, all with the same weights."""

    def __init__(self, setup: EngineSetup) -> None:
        self._setup = setup
        self._factory = load_factory(setup.factory)
        self._segmenters: dict[SegmentationParams, Any] = {}

    def segmenter(self, params: SegmentationParams) -> Any:
        """Return the segmenter with these parameters, made when first asked for."""
        if params not in self._segmenters:
            self._segmenters.clear()  # one model in memory at a time
            self._segmenters[params] = self._factory(
                weights=self._setup.weights, params=params, threads=self._setup.threads
            )
        return self._segmenters[params]


def main() -> None:
    """Serve tasks until the daemon closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # systemd may signal the whole group: the daemon decides
    _die_with_parent()
    logs.set_up()
    logs.catch_all()
    connection = Connection(int(sys.argv[1]))
    setup: EngineSetup = connection.recv()
    lock = os.open(setup.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        engine = Engine(setup)
        info = engine.segmenter(SegmentationParams()).weights_info
    except Exception as error:  # noqa: BLE001  # whatever a factory does, the daemon has to be told why
        own = isinstance(error, (EngineError, EngineFailedError))
        reason = str(error) if own else f"The engine {setup.factory} cannot be loaded: {_sentence(error)}."
        connection.send(CannotStart(reason))
        return
    connection.send(Ready(info.name, info.sha256))
    serve(connection, engine)


def serve(connection: Connection, engine: Engine) -> None:
    """Answer one task after the other."""
    while True:
        try:
            task: Task = connection.recv()
        except EOFError:
            return
        connection.send(answer(task, engine, connection.send))


def answer(task: Task, engine: Engine, send: Callable[[Message], None]) -> Result:
    """Do one task; an error becomes an answer, because the next task may be fine."""
    try:
        if isinstance(task, PaintTask):
            pipeline.paint(task)
            return Painted()
        return _analyse(task, engine, send)
    except (StorageError, EngineError) as error:
        return Failed(str(error), may_pass=_is_passing(error))
    except MemoryError:
        return Failed("The computer ran out of memory while this time point was processed.", may_pass=True)
    except OSError as error:
        return Failed(f"The computer could not read or write: {_sentence(error)}", may_pass=_is_passing(error))
    except Exception as error:  # noqa: BLE001  # a fault of ours must not cost more than this time point
        logs.log.exception("a fault in nusetd stopped a time point")
        return Failed(f"A fault in nusetd stopped this time point ({_sentence(error)}).", may_pass=False)


def _analyse(task: AnalyseTask, engine: Engine, send: Callable[[Message], None]) -> Result:
    segmenter = engine.segmenter(Request.of(task.acquisition).segmentation)
    with readers.reopen(task.acquisition, task.t) as acquisition:
        progress = _Throttle(send, acquisition.size_z)
        return pipeline.analyse(acquisition, task.acquisition, task.t, segmenter, progress)


class _Throttle:
    """Passes progress on at most twice a second."""

    def __init__(self, send: Callable[[Message], None], total: int) -> None:
        self._send = send
        self._total = total
        self._last = float("-inf")

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last >= 0.5:
            self._last = now
            self._send(Progress(done, self._total))


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the daemon dies, however it dies; and notice when it is dead already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = int(sys.argv[2])
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    """The same without the kernel's help, for systems that have no such signal."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _is_passing(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _PASSING:
            return True
        error = error.__cause__
    return False


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    main()
