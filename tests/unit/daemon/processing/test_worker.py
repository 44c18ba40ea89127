"""What the worker answers when the image changes under its hands."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import images
from cases.stored import pixels

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing import worker
from daemon.processing.messages import (
    Analysed,
    AnalyseTask,
    CannotServe,
    Cause,
    EngineSetup,
    Failed,
    Ready,
    ReplayTask,
)
from daemon.processing.recipe import Recipe
from daemon.processing.worker import answer
from nuset_engine.errors import EngineError
from storage import readers
from storage.database.catalog import Catalog


class Segmenter:
    """Finds nothing, and lets something happen between the first slice and the others."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def segment_stack(self, planes: Sequence[np.ndarray], progress: Callable[[int], None]) -> Iterator[Any]:
        for z in range(len(planes)):
            yield SimpleNamespace(labels=np.zeros(planes[z].shape, np.int32), scores=np.zeros(0, np.float32))
            progress(z + 1)
            if z == 0:
                self.meanwhile()


@pytest.fixture(params=[1, 3], ids=["one stack", "several time points"])
def size_t(request: pytest.FixtureRequest) -> int:
    """A file with several time points is fingerprinted through what is open, one with a single one by its path."""
    return int(request.param)


@pytest.fixture
def source(tmp_path: Path, size_t: int) -> Path:
    return images.ome_tiff(tmp_path, pixels(size_t))


@pytest.fixture
def task(source: Path, tmp_path: Path) -> AnalyseTask:
    """The source, admitted and claimed."""
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        (acquisition,) = readers.open_acquisitions(source)
        with acquisition:
            pipeline.admit(catalog, acquisition, Recipe(Ready("test", "0" * 64), Processing()), tmp_path / "out")
        job = catalog.claim_next()
        assert job is not None
        return AnalyseTask(job.acquisition, job.t, job.fingerprint)


def engine(meanwhile: Callable[[], None] = lambda: None) -> Any:
    return SimpleNamespace(segmenter=lambda params: Segmenter(meanwhile))


def analyse(task: AnalyseTask, meanwhile: Callable[[], None]) -> Any:
    return answer(task, engine(meanwhile), lambda message: None)


def open_files(source: Path) -> list[str]:
    """Those of this process that are the source."""
    places = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.readlink(place) for place in places if os.path.exists(place) and os.path.samefile(place, source)]


def write_again(source: Path, ago_s: float) -> None:
    """It was written so long ago: what is found in a file is kept in mind when it is at rest."""
    os.utime(source, (time.time() - ago_s, time.time() - ago_s))


def replace(source: Path, size_t: int) -> None:
    """Put another image in the place of one: who holds that open goes on reading it."""
    (source.parent / "new").mkdir()
    os.replace(images.ome_tiff(source.parent / "new", pixels(size_t) + 1), source)


def test_a_worker_of_another_version_than_the_program_that_starts_it_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An update may exchange the files of a running service, whose results say its own version."""
    ours, theirs = Pipe()
    with ours, theirs:
        monkeypatch.setattr(worker, "meet", lambda: theirs)
        monkeypatch.setattr(worker, "logs", SimpleNamespace(set_up=lambda: None, catch_all=lambda: None))
        ours.send(EngineSetup("nobody:Engine", "auto", None, version="0.0.0"))
        worker.main()
        said = ours.recv()
    assert isinstance(said, CannotServe)
    assert "files of nusetd were exchanged" in said.reason


def test_a_worker_whose_files_were_exchanged_says_so_and_ends(
    task: AnalyseTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.query.snapshots.HEAD", "9999")
    ours, theirs = Pipe()
    with ours, theirs:
        ours.send(ReplayTask(task.acquisition, str(tmp_path / "nusetd.sqlite")))
        worker.serve(theirs, engine())
        said = ours.recv()
    assert isinstance(said, CannotServe)


def test_an_image_at_rest_is_analysed(task: AnalyseTask) -> None:
    assert isinstance(analyse(task, lambda: None), Analysed)


def test_an_image_that_was_replaced_while_it_was_read_is_read_again(
    task: AnalyseTask, source: Path, size_t: int
) -> None:
    """What is at the path now counts, not what was opened: the open file still shows the old content."""
    found = analyse(task, lambda: replace(source, size_t))
    assert isinstance(found, Failed)
    assert (found.cause, found.files) == (Cause.CHANGED, (source,))


def test_what_a_replaced_image_led_to_is_not_held_against_it(task: AnalyseTask, source: Path, size_t: int) -> None:
    def meanwhile() -> None:
        replace(source, size_t)
        raise EngineError("Half of it was another image.")

    assert analyse(task, meanwhile).cause is Cause.CHANGED


def test_a_failure_of_an_image_at_rest_is_its_own(task: AnalyseTask) -> None:
    def meanwhile() -> None:
        raise EngineError("Nothing to be seen.")

    found = analyse(task, meanwhile)
    assert (found.cause, found.reason) == (Cause.INPUT, "Nothing to be seen.")


def test_nothing_of_an_image_that_was_just_written_stays_open(task: AnalyseTask, source: Path) -> None:
    during: list[str] = []
    write_again(source, -600.0)  # by a clock that is ahead: never at rest
    assert isinstance(analyse(task, lambda: during.extend(open_files(source))), Analysed)
    assert (len(during), open_files(source)) == (1, [])


def test_nothing_of_an_image_that_failed_stays_open(task: AnalyseTask, source: Path) -> None:
    def meanwhile() -> None:
        raise EngineError("Nothing to be seen.")

    write_again(source, -600.0)
    assert isinstance(analyse(task, meanwhile), Failed)
    assert open_files(source) == []


def test_an_image_at_rest_stays_open_until_nothing_more_is_asked(
    task: AnalyseTask, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next time point finds it open; a worker that waits for a task holds no file of anybody."""
    monkeypatch.setattr(worker, "_IDLE_S", 0.2)
    write_again(source, 600.0)
    after: list[int] = []
    ours, theirs = Pipe()
    serving = threading.Thread(
        target=worker.serve, args=(theirs, engine(lambda: after.append(len(open_files(source)))))
    )
    serving.start()
    for _ in range(2):
        ours.send(task)
        while not isinstance(answered := ours.recv(), Analysed | Failed):
            pass
        assert isinstance(answered, Analysed)
        after.append(len(open_files(source)))
    until = time.monotonic() + 5.0
    while open_files(source) and time.monotonic() < until:
        time.sleep(0.01)
    ours.close()
    serving.join(5.0)
    theirs.close()
    assert after == [1, 1, 1, 1]
    assert open_files(source) == []


def stored_files(task: AnalyseTask) -> dict[str, bytes]:
    """What lies in the store of a task."""
    place = Path(str(task.acquisition.zarr_path))
    return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}


def seen_of_image(task: AnalyseTask, last: int) -> Callable[[], None]:
    """Waits until the last slices of the image are on the disk."""
    chunk = Path(str(task.acquisition.zarr_path)) / "0" / str(task.t) / "0" / str(last)

    def wait() -> None:
        until = time.monotonic() + 10
        while not chunk.exists():
            assert time.monotonic() < until, "the image is not written while nuclei are found"
            time.sleep(0.01)

    return wait


def test_the_image_is_written_while_nuclei_are_found(task: AnalyseTask) -> None:
    assert isinstance(analyse(task, seen_of_image(task, 0)), Analysed)


def test_beside_each_other_gives_what_one_after_the_other_gives(task: AnalyseTask) -> None:
    """One that is to be frugal does one thing after the other."""
    beside = analyse(task, lambda: None)
    first = stored_files(task)
    shutil.rmtree(str(task.acquisition.zarr_path))
    serial = analyse(dataclasses.replace(task, frugal=True), lambda: None)
    assert stored_files(task) == first
    assert beside.quality == serial.quality
    pd.testing.assert_frame_equal(beside.nuclei.table, serial.nuclei.table, check_exact=True)


def test_an_image_that_may_be_a_result_stays_until_there_are_nuclei(task: AnalyseTask) -> None:
    """Its time point was done, is not shown yet, and is analysed anew, in vain."""
    assert isinstance(analyse(task, lambda: None), Analysed)
    before = stored_files(task)
    for name in before:  # what is written again differs
        if name.startswith("0/"):
            (Path(str(task.acquisition.zarr_path)) / name).write_bytes(b"as it was")

    def fail() -> None:
        raise EngineError("no nuclei today")

    assert isinstance(analyse(task, fail), Failed)
    assert {content for name, content in stored_files(task).items() if name.startswith("0/0/")} == {b"as it was"}
