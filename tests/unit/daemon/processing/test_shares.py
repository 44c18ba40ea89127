"""What workers of one machine share: its cores, its graphics cards, and what was measured of their number."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from daemon.assembly import local_workers
from daemon.configuration.service_config import EngineConfig
from daemon.installation import best_workers
from daemon.installation.best_workers import best, keep_rates, kept_rates, threads_each, worker_count
from daemon.processing.messages import Graphics
from daemon.processing.workers import graphics
from daemon.processing.workers.graphics import choose, shared_out
from daemon.processing.workers.shares import Shares
from daemon.processing.workers.stores_lock import StoresLock
from storage.schema.rows import TimepointJob


def test_cores_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)))
    assert [threads_each(None, workers) for workers in (1, 2, 4, 8)] == [None, 3, 1, 1]
    assert [threads_each(4, workers) for workers in (1, 2, 3)] == [4, 2, 1]


@pytest.mark.parametrize(
    ("device", "visible", "shares"),
    [
        ("auto", None, ["0", "1", "0"]),
        ("auto", "3", ["3", "3", "3"]),
        ("auto", "", [None, None, None]),
        ("cpu", None, ["", "", ""]),
        ("gpu:1", None, ["1", "1", "1"]),
        ("gpu:1,gpu:0", None, ["1", "0", "1"]),
        ("gpu:0", "5,6", ["5", "5", "5"]),
    ],
)
def test_each_worker_has_a_graphics_card_or_a_share_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, shares: list[str | None]
) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr(graphics, "DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [share.visible for share in shared_out(device, 3, 4.0)] == shares


def test_a_worker_sees_its_card_alone_and_takes_of_its_memory_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "")
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH")
    choose(Graphics())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    choose(Graphics("1"))
    assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_FORCE_GPU_ALLOW_GROWTH"]) == ("1", "true")
    choose(Graphics(""))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"


@pytest.mark.parametrize(("device", "limit"), [("gpu:0", 1.5), ("gpu:0", None), ("cpu", 1.5)])
def test_a_limit_in_the_configuration_is_what_the_engine_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, limit: float | None
) -> None:
    """The engine is a stand-in, which loads no TensorFlow: `test_keras_runtime` sees what TensorFlow is told."""
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(graphics, "DEVICES", tmp_path)
    for name in ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    told = list[float]()
    monkeypatch.setitem(sys.modules, "nuset_engine.runtime.keras_runtime", SimpleNamespace(limit_memory=told.append))
    workers = local_workers(
        EngineConfig(workers=2, device=device, gpu_memory_gb=limit), StoresLock(tmp_path / "l"), 1.0
    )
    for worker in workers.all:
        choose(worker._setup.graphics)
    assert told == ([] if limit is None or device == "cpu" else [limit, limit])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ("-1" if device == "cpu" else "0")


def test_auto_is_what_was_measured_on_this_machine_and_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert (worker_count("auto"), worker_count(3)) == (1, 3)
    rates = {1: 100.0, 2: 130.0, 4: 131.0}
    keep_rates(rates)
    assert kept_rates() == rates
    assert worker_count("auto") == 2, "four are hardly better, and take twice the memory"
    (tmp_path / best_workers._FILE).write_text("{")
    assert worker_count("auto") == 1


def test_the_best_is_the_smallest_that_is_as_good_as_any() -> None:
    assert best({1: 100.0, 2: 90.0}) == 1
    assert best({1: 100.0, 2: 102.0}) == 1
    assert best({1: 100.0, 2: 110.0, 4: 150.0}) == 4


def test_while_an_experiment_runs_archives_have_a_part_of_each_turn_and_half_of_the_workers() -> None:
    now = [0.0]
    shares = Shares(lambda: now[0])
    old, live = (cast(TimepointJob, SimpleNamespace(id=n, acquisition_id=n, archive=n == 1)) for n in (1, 2))
    shares.claimed(old)
    assert not shares.waits(1)
    assert shares.may_work(1, 1)
    shares.claimed(live)
    shares.turn()
    assert shares.live_first([1, 2, 3], int) == [2, 3, 1]
    assert (shares.waits(1), shares.waits(2)) == (False, False)
    now[0] += 0.06
    assert (shares.waits(1), shares.waits(2)) == (True, False), "its part of this turn is over"
    shares.turn()
    assert not shares.waits(1)
    assert shares.busy_with([1, 2, 1]) == 3
    assert [shares.may_work(1, workers) for workers in (4, 5, 6)] == [False, False, True]
    assert shares.may_work(2, 1)
    shares.archives.clear()
    assert [shares.has_room(workers, False) for workers in (4, 6)] == [False, True]
    shares.over(1)
    assert shares.live_first([1, 2], int) == [1, 2]
