"""How many processes share the images of a command, and what each computes with."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.configuration.service_config import EngineConfig
from daemon.files.detect_files import DetectOptions, DetectWork
from daemon.files.sharing import shares as counting
from daemon.files.sharing.shares import shares
from daemon.files.sharing.work import Share
from daemon.processing.messages import Graphics
from daemon.processing.workers import graphics

ENGINE = EngineConfig()


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And no graphics card, and memory enough."""
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 24, "SC_PAGE_SIZE": 4096}.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(graphics, "DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("images", "processes", "threads"),
    [(0, 1, None), (1, 1, None), (2, 1, None), (3, 3, 2), (5, 5, 1), (8, 8, 1), (1000, 8, 1)],
)
def test_cores_are_divided_where_there_are_images_enough(images: int, processes: int, threads: int | None) -> None:
    found = shares(None, images, ENGINE)
    assert [one.threads for one in found] == [threads] * processes


def test_a_person_says_how_many() -> None:
    images = 100
    assert shares(1, images, ENGINE) == [Share(None)]
    assert shares(2, 2, ENGINE) == [Share(4, Graphics())] * 2
    assert len(shares(6, 4, ENGINE)) == 4, "never more than images"
    assert shares(None, images, replace(ENGINE, threads=2)) == [Share(1, Graphics())] * 2
    assert shares(None, images, replace(ENGINE, threads=1)) == [Share(1)]
    assert shares(3, images, replace(ENGINE, threads=2)) == [Share(1, Graphics())] * 3


def test_memory_limits_how_many_there_are_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 7 << 18, "SC_PAGE_SIZE": 4096}.__getitem__)  # 7 GiB
    assert [one.threads for one in shares(None, 100, ENGINE)] == [2, 2, 2]
    assert len(shares(5, 100, ENGINE)) == 5
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 17, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert shares(None, 100, ENGINE) == [Share(None)]


def test_an_engine_of_ones_own_stays_alone() -> None:
    own = replace(ENGINE, factory="mine:Engine")
    assert shares(None, 100, own) == [Share(None)]
    assert len(shares(2, 100, own)) == 2


def test_each_graphics_card_has_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [one.graphics for one in shares(None, 100, ENGINE)] == [Graphics("2"), Graphics("5")]
    assert shares(None, 100, replace(ENGINE, device="gpu:1")) == [Share(None)]
    assert len(shares(None, 100, replace(ENGINE, device="cpu"))) == 8
    assert counting.FEWEST == 3


def test_what_is_to_be_done_goes_to_another_process(tmp_path: Path) -> None:
    work = DetectWork(DetectOptions([tmp_path / "a.tif"], tmp_path, None, "mitosis", "fluorescence", 0.4, ENGINE))
    assert pickle.loads(pickle.dumps(work)) == work
