"""`segment` and `evaluate` by several processes: what one does, in the same order, whatever becomes of one of them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.processes import children
from lab import PATIENCE_S, asked, environment, stack, write_stack
from scipy import ndimage

pytestmark = pytest.mark.long  # `.ci/run` runs them once

MISCHIEF = """
import os, signal, time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from storage.files.whole_file import part_of

OUT = Path(os.environ["NUSETD_TEST_OUT"])

class Mischief:
    weights_info = SimpleNamespace(name="mischief", sha256="c0" * 32)

    def __init__(self, weights, params, threads):
        pass

    def segment_stack(self, planes, statistics=None, progress=None):
        what = int(planes[0][0, 0])
        if what in (7, 9):
            part_of(OUT / f"image{int(planes[0][0, 1])}.labels.tif").touch()
        until = time.monotonic() + 5
        while what == 6 and time.monotonic() < until and not (OUT / "image1.labels.tif").exists():
            time.sleep(0.02)
        if what == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        if what == 8:
            os._exit(66)
        if what == 9:
            (OUT / "at-work").touch()
            time.sleep(3600)
        for plane in planes:
            yield SimpleNamespace(labels=(plane > 500).astype(np.int32), scores=np.ones(1, np.float32))

class Rare(Mischief):
    def __init__(self, weights, params, threads):
        try:
            (OUT / "begun").touch(exist_ok=False)
        except FileExistsError:
            os._exit(3)
"""


@pytest.fixture
def mischief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An engine that waits for the second image, dies or hangs at the sight of images that begin with 6, 7, 8 or 9."""
    (tmp_path / "mischief.py").write_text(MISCHIEF)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("NUSETD_TEST_OUT", str(tmp_path / "labels"))
    return "mischief:Mischief"


def images(folder: Path, first_pixels: list[int]) -> list[Path]:
    """A plane each, which begins with this value and its own number."""
    folder.mkdir()
    found = []
    for number, value in enumerate(first_pixels):
        plane = stack(number)[3]
        plane[0, :2] = value, number
        found.append(write_stack(folder / f"image{number}.tif", plane))
    return found


def files(folder: Path) -> dict[str, bytes]:
    """What lies there, but for lines with times."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".jsonl"}


def told(folder: Path) -> list[dict]:
    """What programs were told, without the time and what comes now and then."""
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    return [{**line, "at": 0} for line in lines if line["what"] != "slices"]


def test_several_processes_give_what_one_gives(tmp_path: Path, mischief: str) -> None:
    """The first image is over after the second: what is said of others waits for it."""
    paths = images(tmp_path / "images", [6, 100, 100])
    (tmp_path / "bad.tif").write_text("no image")
    whole = write_stack(tmp_path / "whole.tif", stack(0))
    given = ["segment", *paths[:2], tmp_path / "bad.tif", paths[2], whole, "--voxel-size", "1,0.5,0.5"]
    done = {}
    for workers, out in ((2, tmp_path / "labels"), (1, tmp_path / "labels1")):
        more = ["--output", out, "--report", tmp_path / f"report{workers}", "--workers", workers]
        done[workers] = asked(*given, *more, "--engine", mischief)
        assert done[workers].returncode == 1
        wanted = ["image0.labels.tif", "image1.labels.tif", "image2.labels.tif", "whole.labels.tif"]
        assert done[workers].stdout == "".join(f"{out / name}\n" for name in wanted)
    assert "bad.tif" in done[2].stderr
    assert done[2].stderr == done[1].stderr
    assert files(tmp_path / "labels") == files(tmp_path / "labels1")
    assert files(tmp_path / "report2") == files(tmp_path / "report1")
    assert told(tmp_path / "report2") == told(tmp_path / "report1")


def test_a_process_that_dies_costs_its_image(tmp_path: Path, mischief: str) -> None:
    """Both are killed, so that one has to be started for the rest, and that one dies by itself."""
    paths = images(tmp_path / "images", [100, 7, 7, 8])
    done = asked("segment", *paths, "--output", tmp_path / "labels", "--engine", mischief, "--workers", 2)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in said] == [str(paths[number]) for number in (1, 2, 3)]
    assert all("killed (signal SIGKILL)" in line and "fewer --workers" in line for line in said[:2])
    assert "died (exit code 66)" in said[2]
    assert os.listdir(tmp_path / "labels") == ["image0.labels.tif"]


def test_a_process_that_cannot_begin_is_not_missed_where_another_one_can(tmp_path: Path, mischief: str) -> None:
    paths, out = images(tmp_path / "images", [100, 100, 100]), tmp_path / "labels"
    done = asked("segment", *paths, "--output", out, "--engine", mischief.replace(":Mischief", ":Rare"), "--workers", 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(out.glob("*.labels.tif"))) == 3


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_reads_the_names_of_files_may_go(tmp_path: Path, mischief: str, workers: str) -> None:
    """As with `| head -1`, and with all three standard streams closed."""
    paths = images(tmp_path / "images", [100, 100, 100])
    for number, closed in enumerate(("| true", "<&- >&- 2>&-")):
        out = tmp_path / f"labels{number}"
        command = [sys.executable, "-m", "daemon.cli", "segment", *map(str, paths), "--output", str(out)]
        line = shlex.join([*command, "--engine", mischief, "--workers", workers])
        more = {"PYTHONPATH": os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])}
        shell = ["bash", "-o", "pipefail", "-c", f"{line} {closed}"]
        done = subprocess.run(shell, env={**environment(), **more}, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(os.listdir(out)) == 3


def test_who_reads_what_is_said_may_go(tmp_path: Path, mischief: str) -> None:
    """As with `2>&1 | head -1`: what fails is told by the exit code, and the others are done."""
    paths = images(tmp_path / "images", [100, 100])
    paths[0].write_bytes(b"no TIFF")
    command = [sys.executable, "-m", "daemon.cli", "segment", *map(str, paths), "--output", str(tmp_path / "labels")]
    more = {"PYTHONPATH": os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])}
    shell = ["bash", "-o", "pipefail", "-c", shlex.join([*command, "--engine", mischief]) + " 2>&1 | true"]
    assert subprocess.run(shell, env={**environment(), **more}, check=False).returncode == 1
    assert os.listdir(tmp_path / "labels") == ["image1.labels.tif"]


def test_an_engine_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    paths = images(tmp_path / "images", [100, 100])
    given = ["segment", *paths, "--output", tmp_path / "labels", "--engine", "nowhere:Nothing"]
    one, two = (asked(*given, "--workers", workers) for workers in (1, 2))
    assert one.returncode == 1
    assert "nowhere:Nothing cannot be imported" in one.stderr
    assert (two.returncode, two.stderr) == (1, one.stderr)


def test_scores_of_several_processes_are_those_of_one(tmp_path: Path, mischief: str) -> None:
    folder, labels = tmp_path / "images", tmp_path / "labels"
    images(folder, [100, 100, 100])
    labels.mkdir()
    for number in range(3):
        truth, _ = ndimage.label(stack(number)[3] > 600)
        tifffile.imwrite(labels / f"image{number}.tif", truth.astype(np.uint16))
    done = {}
    for workers in (1, 2):
        more = ["--workers", workers, "--output", tmp_path / f"out{workers}", "--also", f"same={labels}"]
        done[workers] = asked("evaluate", folder, labels, "--engine", mischief, *more)
        assert (done[workers].returncode, done[workers].stderr) == (0, "")
    assert "same" in done[1].stdout
    assert done[2].stdout == done[1].stdout
    assert files(tmp_path / "out2") == files(tmp_path / "out1")


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "nusetd: stopped from the keyboard.\n"),
        (signal.SIGTERM, 143, ""),
        (signal.SIGHUP, 129, ""),
    ],
    ids=["Ctrl-C while they start", "SIGTERM while they work", "a terminal that is closed"],
)
def test_a_signal_ends_all(tmp_path: Path, mischief: str, number: int, code: int, words: str) -> None:
    """As a terminal does it, the first goes to the whole group."""
    paths, out = images(tmp_path / "images", [9, 9, 9]), tmp_path / "labels"
    as_usual = ["env", "--default-signal=INT,HUP"]  # whatever these tests are started by
    command = [*as_usual, sys.executable, "-m", "daemon.cli", "segment", *map(str, paths), "--output", str(out)]
    more = {"PYTHONPATH": os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])}
    process = subprocess.Popen(
        [*command, "--engine", mischief, "--workers", "2"],
        env={**environment(), **more},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _wait(process, lambda: len(children(process.pid)) == 2)
        members = children(process.pid)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            _wait(process, lambda: (out / "at-work").exists())
            process.send_signal(number)
            process.send_signal(number)  # impatience changes nothing
        assert process.wait(PATIENCE_S) == code
        assert process.stderr is not None
        assert process.stderr.read() == words
        assert not any(Path(f"/proc/{member}").exists() for member in members)
        assert not list(out.glob(".*"))
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def _wait(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not reached():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
