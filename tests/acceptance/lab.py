"""A small lab for tests of whole processes: files that land, `nusetd` as people start it, and what it left behind.

Everything runs with the threshold segmenter of `classical_engine`, so that a process starts in a moment.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from cases.processes import children, command_of

from daemon.cli import main

HERE = Path(__file__).parent
ENGINE = "classical_engine:ClassicalEngine"
SHAPE = (6, 96, 96)
VOXEL = (1.0, 0.5, 0.5)
# How long a test waits for what it expects; on a machine that is busy with other work more is needed than here.
PATIENCE_S = float(os.environ.get("NUSETD_TEST_PATIENCE_S", "120"))
_ENGINE = ("workers",)
_SERVICE = ("events", "rescan_s", "worker_silence_s", "stop_s", "report_s", "listen")


def stack(t: int, seed: int = 1, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Five balls that move slowly, as (Z, Y, X) uint16."""
    rng = np.random.default_rng(seed)
    starts = np.array([(20, 20), (20, 70), (48, 45), (74, 20), (74, 72)], float)
    steps = rng.uniform(-1.0, 1.0, (5, 2))
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]].astype(float)
    image = np.full(shape, 100.0)
    for (cy, cx), (dy, dx) in zip(starts, steps, strict=True):
        distance = ((z - (shape[0] - 1) / 2) / 2.5) ** 2 + ((y - cy - dy * t) / 8) ** 2 + ((x - cx - dx * t) / 8) ** 2
        image += 900.0 * np.exp(-(distance**2))
    image += np.random.default_rng((seed, t)).normal(0.0, 5.0, shape)
    return image.clip(0).astype(np.uint16)


def write_stack(path: Path, image: np.ndarray) -> Path:
    """Write a file as a careful program does: under another name first."""
    unfinished = path.with_name(f".{path.name}.part")
    tifffile.imwrite(unfinished, image, photometric="minisblack", metadata={"axes": "ZYX"[-image.ndim :]})
    os.replace(unfinished, path)
    return path


def environment(**more: str) -> dict[str, str]:
    """The environment of the processes: the test engine can be imported."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def nusetd(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "daemon.cli", *map(str, arguments)]
    seen = environment(**more)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=seen, timeout=PATIENCE_S)


def asked(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command that takes but a moment in this process, and answer as `nusetd` does."""
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(one) for one in arguments])
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, code, *said)


@dataclass
class Lab:
    """A watched folder, an output, and the service on them."""

    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    shared: Path | None = None  # an output that other services have, too; the database is elsewhere then
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.incoming.mkdir(parents=True, exist_ok=True)
        watch = {"quiet_s": 0.2, "give_up_s": 1.0, "acquisition_quiet_s": 1.0, "voxel_size_um": list(VOXEL)}
        service = {"rescan_s": 0.5, "worker_silence_s": 60.0}
        engine = {"factory": ENGINE}
        for name, value in self.options.items():
            (engine if name in _ENGINE else service if name in _SERVICE else watch)[name] = value
        text = "" if self.shared is None else f'database = "{self.database}"\n'
        text += f'[[watch]]\npath = "{self.incoming}"\noutput = "{self.output}"\n'
        text += "".join(f"{name} = {json.dumps(value)}\n" for name, value in watch.items())
        text += "[service]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in service.items())
        text += "[engine]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in engine.items())
        self.config.write_text(text)

    incoming = property(lambda self: self.root / "incoming")
    output = property(lambda self: self.shared or self.root / "output")
    config = property(lambda self: self.root / "nusetd.toml")
    database = property(lambda self: (self.root if self.shared else self.output) / "nusetd.sqlite")
    log = property(lambda self: self.root / "log.txt")

    def start(self, **more: str) -> None:
        """Start the service."""
        command = [sys.executable, "-m", "daemon.cli", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(**more))

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def said(self) -> str:
        """The whole log."""
        return self.log.read_text() if self.log.exists() else ""

    def worker_pid(self) -> int:
        """The process that segments."""
        return next(iter(self.worker_pids()))

    def worker_pids(self) -> list[int]:
        """All of those."""
        assert self.process is not None
        return [pid for pid in children(self.process.pid) if b"daemon.processing.worker" in command_of(pid)]

    def wait(self, reached: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until something is so, or fail with the log."""
        until = time.monotonic() + seconds
        while not reached():
            assert self.process is None or self.process.poll() is None, f"the service ended:\n{self.said()}"
            assert time.monotonic() < until, f"waited in vain:\n{self.said()}"
            time.sleep(0.15)  # looking costs processor time too

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says; nothing while there is none."""
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute(query).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def done(self) -> int:
        """How many time points are done."""
        rows = self.rows("select count(*) from timepoints where state = 'done'")
        return int(rows[0][0]) if rows else 0

    def states(self) -> list[str]:
        """The states of the acquisitions, in order of their names."""
        return [state for (state,) in self.rows("select state from acquisitions order by name")]

    def settled(self) -> bool:
        """Everything finished, published and painted."""
        if not self.states():  # asked first: what follows must not be about the moment before the first one was known
            return False
        open_acquisitions = self.rows("select 1 from acquisitions where state in ('queued', 'processing')")
        pending = self.rows(
            "select 1 from timepoints where state in ('queued', 'running') "
            "or (state = 'done' and (published_at is null or painted_at is null))"
        )
        return not open_acquisitions and not pending


def result(lab: Lab) -> dict[str, Any]:
    """Everything that a person would look at: rows without numbers of convenience, and every label."""
    nuclei = "select a.name, n.* from nuclei n join acquisitions a on a.id = n.acquisition_id order by a.name, t, label"
    with closing(sqlite3.connect(lab.database)) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(nuclei)]
    for row in found:
        del row["id"], row["acquisition_id"]
    tracks = lab.rows(
        "select a.name, track_id, parent_track_id, first_t, last_t, nuclei_count, is_final "
        "from tracks t join acquisitions a on a.id = t.acquisition_id order by a.name, track_id"
    )
    points = lab.rows(
        "select a.name, t, t.state, t.nuclei_count from timepoints t "
        "join acquisitions a on a.id = t.acquisition_id order by a.name, t"
    )
    labels = {}
    for store in sorted(lab.output.rglob("*.ome.zarr")):
        group = zarr.open_group(store, mode="r")
        for name in ("0", "labels/nuclei/0", "labels/nuclei/1", "labels/tracks/0"):
            if name in group:
                labels[f"{store.relative_to(lab.output)}/{name}"] = np.asarray(group[name][:])
    return {"nuclei": found, "tracks": tracks, "timepoints": points, "labels": labels}


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two results agree to the last bit."""
    assert one["timepoints"] == other["timepoints"]
    assert one["tracks"] == other["tracks"]
    assert one["nuclei"] == other["nuclei"]
    assert one["labels"].keys() == other["labels"].keys()
    for name, values in one["labels"].items():
        np.testing.assert_array_equal(values, other["labels"][name], err_msg=name)
