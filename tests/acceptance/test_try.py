"""`nusetd try`: results of several settings side by side, with a picture and a table, beside a service at work too."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.stored import acquisition, register, work_off
from lab import ENGINE, asked, stack, write_stack

from daemon import cli
from daemon.files.trial import Changes
from daemon.files.trials import changes, shown_slices
from daemon.monitoring.report import Report
from nuset_engine.overlap import overlap
from storage.database.catalog import Catalog


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a stack in it, and the engine of tests at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    write_stack(tmp_path / "stack.tif", stack(0))
    return tmp_path


STACK = ("try", "stack.tif", "--voxel-size", "1.0,0.5,0.5", "--engine", ENGINE)


def test_the_usual_result_and_each_value_stand_side_by_side(here: Path) -> None:
    before = {path.name for path in here.iterdir()}
    done = asked(*STACK, "--vary", "volume.max_diameter_um=3,default", "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["settings"] for row in rows] == ["as usual", "max_diameter_um=3", "max_diameter_um=default"]
    assert [row["nuclei"] for row in rows] == [5, 0, 5]
    assert (rows[1]["lost"], rows[1]["kept"], rows[2]["kept"], rows[0]["kept"]) == (5, 0, 5, None)
    assert 5 < rows[0]["diameter_um"] < 12
    assert {path.name for path in here.iterdir()} - before == {"stack.try.png"}  # nothing else is stored
    from PIL import Image

    picture = np.asarray(Image.open(here / "stack.try.png").convert("RGB")).astype(int)
    cyan = (picture[..., 2] > 200) & (picture[..., 0] < 80)
    thirds = np.array_split(cyan, 3, axis=1)
    assert cyan.sum() > 500
    assert thirds[1].sum() > 0.8 * thirds[0].sum()  # what is lost keeps its outline of before
    assert thirds[2].sum() < 0.2 * thirds[0].sum()  # what is the same is white


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((), "nothing to try"),
        (("--set", "tracking.memory_frames=3"), "decides nothing within one time point"),
        (("--vary", "segmentation.min_score=0.5,8"), "--set segmentation.min_score=8: min_score = 8 is not between"),
        (("--vary", "segmentation.min_score"), "sets nothing"),
        (("--vary", "volume.min_iou=" + ",".join(f"0.{i}" for i in range(10, 23))), "13 results are too many"),
        (("--set", "volume.min_iou=0.3", "--t", "7"), "no time point 7: 0 are there"),
        (("--set", "volume.min_iou=0.3", "--name", "other"), "choose one with --name (stack)"),
        (("--set", "volume.min_iou=0.3", "--output", "try.xyz"), "let its name end in .png, .svg, .pdf"),
    ],
)
def test_what_cannot_be_tried_is_a_sentence(here: Path, given: tuple[str, ...], sentence: str) -> None:
    done = asked(*STACK, *given)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (here / "stack.try.png").exists()


def test_the_image_is_not_replaced_by_the_picture_of_a_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, link = tmp_path / "cells.png", tmp_path / "other.png"
    image.write_bytes(b"pixels")
    link.symlink_to(image)
    for output in (image, link):
        words = ["try", str(image), "--set", "volume.min_iou=0.3", "--output", str(output)]
        assert cli.main(words) == 2
        assert "is the image itself: give the picture another name" in capsys.readouterr().err
    assert image.read_bytes() == b"pixels"


def test_a_running_service_is_waited_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While time points wait it does not compute; once there is a gap, it does, behind all others."""
    lowered: list[int] = []  # not in earnest: no process comes back from it, this one neither
    monkeypatch.setattr(os, "nice", lambda by: lowered.append(by) or 0)
    with Catalog.open(f"sqlite:///{here / 'nusetd.sqlite'}") as catalog:
        pid, host = os.getpid(), socket.gethostname()
        catalog.report(Report("running", pid, host, "1", "2026-03-01T11:00:00.000Z", 10.0).as_dict())
        catalog.add_timepoints(register(catalog, acquisition()).id, {0: "a", 1: "b"})
        busy = asked(*STACK, "--set", "volume.min_iou=0.3", "--wait", "0.5")
        assert busy.returncode == 1
        assert "waiting for a gap" in busy.stderr
        assert "without a gap" in busy.stderr
        assert not (here / "stack.try.png").exists()
        work_off(catalog)
        free = asked(*STACK, "--set", "volume.min_iou=0.3", "--wait", "0.5")
        assert free.returncode == 0, free.stderr
    assert max(lowered) == 19
    assert (here / "stack.try.png").exists()


def test_time_points_are_chosen_by_number(here: Path) -> None:
    movie = np.stack([stack(0), np.full_like(stack(0), 100)])
    tifffile.imwrite(here / "movie.tif", movie, metadata={"axes": "TZYX"}, imagej=True)
    counts = []
    for t in ("0", "1"):
        arguments = ("try", "movie.tif", *STACK[2:], "--set", "volume.min_iou=0.3", "--t", t, "--format", "json")
        counts.append([row["nuclei"] for row in json.loads(asked(*arguments).stdout)])
    assert counts == [[5, 5], [0, 0]]


def test_changes_are_told_apart() -> None:
    """One nucleus stays, one is lost, one is new, one is cut, two are merged."""
    before, after = np.zeros((2, 40, 40), np.int32)
    before[0:8, 0:8], after[0:8, 1:8] = 1, 1
    before[0:8, 12:20] = 2
    after[0:8, 24:32] = 2
    before[12:20, 0:16], after[12:20, 0:8], after[12:20, 8:16] = 3, 3, 4
    before[24:32, 0:8], before[24:32, 8:16], after[24:32, 0:16] = 4, 5, 5
    found = changes(overlap(before, after))
    assert (found.lost, found.new, found.cut, found.merged) == (1, 1, 1, 1)
    assert found.kept == 1 + 1 + 1  # of equal halves, one counts as the whole
    assert changes(overlap(before, before)) == Changes(5, 0, 0, 0, 0)
    nothing = np.zeros_like(before)
    assert changes(overlap(nothing, before)) == Changes(0, 0, 5, 0, 0)
    assert changes(overlap(before, nothing)) == Changes(0, 5, 0, 0, 0)


def test_the_slices_that_are_shown_hold_nuclei() -> None:
    labels = np.zeros((30, 8, 8), np.uint32)
    assert shown_slices(labels) == [0, 1, 2]
    labels[10:20, :, 2:6] = 1
    assert shown_slices(labels) == [12, 14, 17]
    assert shown_slices(labels[10:12]) == [0, 1]
