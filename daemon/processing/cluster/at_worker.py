"""What runs in a Dask worker: the engine, loaded once, and one task at a time.

A worker that was given up, because the cluster lost it or the task was taken back, finds out at its next sign of life,
and stops: somebody else is at its time point by then.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from daemon import logs
from daemon.processing.messages import (
    CannotServe,
    Cause,
    EngineSetup,
    Failed,
    Message,
    PaintTask,
    Progress,
    Ready,
    Result,
    StoreMade,
    Task,
)
from daemon.processing.worker import Engine, answer, why_not_loaded
from daemon.processing.workers.graphics import choose
from nuset_engine.params import SegmentationParams
from storage.version import nusetd_version

if TYPE_CHECKING:
    from distributed import Worker

THREADS, MAPPED = "NUSETD_WORKER_THREADS", "NUSETD_WORKER_PATHS"
"""Variables of the environment by which `nusetd worker` says how many cores are used, and where paths lie here."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them

_one_at_a_time = threading.Lock()
_loaded: dict[EngineSetup, Engine] = {}


class GivenUp(BaseException):
    """Nobody waits for this task any more."""


@dataclass(frozen=True)
class Places:
    """What a worker has to see.

    Attributes
    ----------
    outputs : mapping
        For each folder with results the name of a file that lies in it now, and what is written there: another folder
        of that name has none.
    sources : tuple of str
        Folders with images.
    """

    outputs: Mapping[str, tuple[str, str]]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Introduced:
    """From a worker, first: it can take tasks.

    Attributes
    ----------
    ready : Ready
    host : str
    pid : int
    """

    ready: Ready
    host: str
    pid: int


def introduce(setup: EngineSetup, places: Places) -> Introduced | CannotServe:
    """Load the engine and look whether everything can be seen from here; once nobody else's task runs here."""
    with _one_at_a_time:
        host, version = socket.gethostname(), nusetd_version()
        if setup.version != version:
            return CannotServe(f"{host} has nusetd {version}, not {setup.version}: install the same there.")
        for place in (*places.outputs, *places.sources):
            lacking = _lacking(place, places.outputs.get(place))
            if lacking is not None:
                return CannotServe(
                    f"{host} does not see {place}{lacking}: mount it there, or say where it lies there with "
                    f"`nusetd worker --map {place}=...`."
                )
        try:
            info = _engine(setup).segmenter(SegmentationParams()).weights_info
        except Exception as error:  # noqa: BLE001  # whatever a factory does, the daemon has to be told why
            return CannotServe(f"{host}: {why_not_loaded(setup, error)}")
        return Introduced(Ready(info.name, info.sha256), host, os.getpid())


def do(topic: str, key: str, setup: EngineSetup, task: Task) -> Result | CannotServe:
    """Do one task, and give signs of life meanwhile.

    Parameters
    ----------
    topic : str
        Under which the daemon hears them.
    key : str
        Of the task, as Dask knows it.
    """
    from distributed import get_worker

    worker = get_worker()

    def send(message: Message) -> None:
        if not _is_wanted(worker, key):
            raise GivenUp
        said: dict[str, Any] = {"key": key}
        if isinstance(message, Progress):
            said |= {"done": message.done, "total": message.total}
        elif isinstance(message, StoreMade):
            said["made"] = True
        worker.log_event(topic, said)

    with _one_at_a_time:
        try:
            return _mapped_back(answer(here(task), _engine(setup), send))
        except GivenUp:
            logs.warning("a task was given up", key=key)
            return Failed("It was given up.", Cause.PASSING)


def let_go() -> None:
    """Forget the engine, and the memory that it holds."""
    with _one_at_a_time:
        _loaded.clear()


def here(task: Task) -> Task:
    """Return a task with the paths that its files have on this machine."""
    if isinstance(task, PaintTask):
        return replace(task, zarr_path=moved(task.zarr_path))
    row = task.acquisition
    store = None if row.zarr_path is None else moved(row.zarr_path)
    row = replace(row, source_path=moved(row.source_path), zarr_path=store)
    return replace(task, acquisition=row)


def moved(place: str, back: bool = False) -> str:
    """Return where something lies on this machine, or, with `back`, on the daemon's; a URL stays."""
    for pair in filter(None, os.environ.get(MAPPED, "").split(os.pathsep)):
        theirs, _, ours = pair.partition("=")
        before, after = (ours, theirs) if back else (theirs, ours)
        if PurePosixPath(place).is_relative_to(before):
            return str(PurePosixPath(after) / PurePosixPath(place).relative_to(before))
    return place


def _mapped_back(result: Result | CannotServe) -> Result | CannotServe:
    if isinstance(result, Failed) and result.files:
        return replace(result, files=tuple(Path(moved(str(path), back=True)) for path in result.files))
    return result


def _engine(setup: EngineSetup) -> Engine:
    """Return the engine, loaded when it is first asked for; another one takes its place."""
    if setup not in _loaded:
        _loaded.clear()
        keep_freed_memory()
        threads = os.environ.get(THREADS)
        choose(setup.graphics)
        _loaded[setup] = Engine(replace(setup, threads=int(threads) if threads else setup.threads))
    return _loaded[setup]


def keep_freed_memory() -> None:
    """Have the C library keep up to 64 MiB that are free, as it does by itself, for what is asked for next.

    Dask starts its workers with `MALLOC_TRIM_THRESHOLD_`, upon which every larger array is a mapping of its own, given
    back at once: a network that works on small planes then spends a fifth of its time on pages that the kernel clears.
    """
    with suppress(OSError, AttributeError):  # not glibc: its own ways stay
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the most that glibc takes
        library.mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)


def _lacking(place: str, mark: tuple[str, str] | None) -> str | None:
    """Say what is wrong with a place as it is seen from here, None when nothing is."""
    folder = Path(moved(place))
    if not folder.is_dir():
        return f" (as {folder})" if str(folder) != place else ""
    if mark is None:
        return None
    name, word = mark
    try:
        same = (folder / name).read_text() == word
    except OSError:
        same = False
    return None if same else f", but another folder at {folder}"


def _is_wanted(worker: Worker, key: str) -> bool:
    """Say whether the cluster still counts on this worker, and on this task."""
    task = worker.state.tasks.get(key)
    return worker.status.name in ("running", "paused") and task is not None and task.state == "executing"
