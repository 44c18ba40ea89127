"""Thousands of small files: each done once, at a pace that does not fall, and what lands meanwhile goes first.

    python tests/benchmarks/bench_archive.py [--files 10000] [--workers 4] [--live 60]
    python tests/benchmarks/bench_archive.py --part process|beside|watched

With the quick engine (a threshold). `process`: `nusetd process --workers N` over so many files, killed once on its way
and started again; it tells the pace by tenths, the memory of the command in the end, and whether each file was done
once and none was forgotten. Then a series of `--live` files lands one after another in a folder that a service
watches, alone, and again: `beside` with `nusetd process` at work on an archive on the same machine, and `watched` with
an archive dropped into another folder of the same service. The lag is from the file's last byte to its rows, as median
and 95th percentile, and how many times that of the folder alone; it has to stay below twice. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))

from lab import ENGINE, VOXEL, Lab, environment, stack, write_stack

SHAPE = (2, 48, 48)
SPACING = ",".join(map(str, VOXEL))
PACE_S = 1.5  # between two files that land
PATIENCE_S = 3600.0
MOST = 2.0  # times the lag without an archive


def write_archive(folder: Path, files: int) -> None:
    """Small stacks of two balls, no two alike, and none of a series."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]].astype(float)
    image = np.random.default_rng(1).normal(100.0, 5.0, SHAPE)
    for cy, cx in ((12, 12), (34, 30)):
        image += 900.0 * np.exp(-((((y - cy) / 7) ** 2 + ((x - cx) / 7) ** 2) ** 2))
    for number in range(files):
        image[0, 0, :2] = 50 + number % 100, 50 + number // 100  # darker than a nucleus however many there are
        name = f"field-{number:05d}{'abcdefgh'[number % 8]}.tif"
        tifffile.imwrite(folder / name, image.astype(np.uint16), photometric="minisblack", metadata={"axes": "ZYX"})


def asked(database: Path, query: str) -> list[tuple[object, ...]]:
    """What the database says; nothing while there is none."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30.0)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def done(database: Path) -> int:
    """Images that are complete."""
    found = asked(database, "select count(*) from acquisitions where state = 'complete'")
    return int(str(found[0][0])) if found else 0


def started(archive: Path, output: Path, workers: int, log: Path) -> subprocess.Popen[bytes]:
    """`nusetd process` over an archive."""
    command = [sys.executable, "-m", "daemon.cli", "process", str(archive), "--output", str(output)]
    command += ["--workers", str(workers), "--engine", ENGINE, "--voxel-size", SPACING]
    with log.open("ab") as said:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=environment())


def waited(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so, or the process has ended."""
    until = time.monotonic() + PATIENCE_S
    while not reached() and process.poll() is None:
        if time.monotonic() > until:
            sys.exit("waited in vain")
        time.sleep(0.5)


def processed(folder: Path, files: int, workers: int) -> bool:
    """The whole archive, killed on its way; False if a file was done twice or forgotten."""
    archive, output = folder / "archive", folder / "processed"
    database, log = output / "nusetd.sqlite", folder / "processed.txt"
    write_archive(archive, files)
    first = started(archive, output, workers, log)
    waited(lambda: done(database) >= files // 3, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = done(database)
    begun = time.monotonic()
    again = started(archive, output, workers, log)
    peak_mb, moments = 0.0, [begun]
    for tenth in range(1, 11):
        waited(lambda tenth=tenth: done(database) >= before + tenth * (files - before) // 10, again)  # type: ignore[misc]
        moments.append(time.monotonic())
        peak_mb = max(peak_mb, held_mb(again.pid))
    code = again.wait()
    paces = [(files - before) / 10 / max(b - a, 0.001) for a, b in pairwise(moments)]
    print(f"killed when {before} of {files} were done, started again: exit code {code}")
    print("files a second, by tenths of the rest: " + ", ".join(f"{pace:.1f}" for pace in paces))
    print(f"{peak_mb:.0f} MB held by the command at most; it said: {log.read_text().splitlines()[-1:]}")
    sources = len({str(path) for (path,) in asked(database, "select source_path from acquisitions")})
    rows = asked(database, "select state, attempts, nuclei_count from timepoints")
    stores = sum(1 for path in output.iterdir() if path.name.endswith(".ome.zarr"))
    good = code == 0 and sources == len(rows) == stores == done(database) == files and set(rows) == {("done", 1, 2)}
    print(f"{files} files: {sources} images, {len(rows)} time points, {stores} stores, each done once: {good}")
    return good


def held_mb(pid: int) -> float:
    """Resident memory of a process; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024.0 for line in lines if line.startswith("VmRSS")), 0.0)


class LiveFolder:
    """A service with a folder in which a series lands, and another one for archives."""

    def __init__(self, root: Path, workers: int) -> None:
        self.lab = Lab(root, {"workers": workers, "acquisition_quiet_s": 3600.0})
        self.archive = root / "archive"
        self.archive.mkdir()
        text = self.lab.config.read_text()
        head, around, rest = text.partition("[service]")
        extra = f'[[watch]]\npath = "{self.archive}"\noutput = "{self.lab.output}"\nquiet_s = 0.2\n'
        extra += f"voxel_size_um = {list(VOXEL)}\n"
        self.lab.config.write_text(head + extra + around + rest)
        self._next = 0

    def lags(self, files: int) -> list[float]:
        """Have so many files land, and tell from the last byte to the rows of each, in seconds."""
        landed: dict[int, float] = {}
        for t in range(self._next, self._next + files):
            write_stack(self.lab.incoming / f"live_t{t:04d}.tif", stack(t % 20))
            landed[t] = time.time()
            time.sleep(PACE_S)
        self._next += files
        query = "select t, completed_at from timepoints where acquisition_id = "
        query += "(select id from acquisitions where name = 'live') and state = 'done'"
        self.lab.wait(lambda: landed.keys() <= {int(t) for t, _ in self.lab.rows(query)}, PATIENCE_S)
        return [datetime.fromisoformat(at).timestamp() - landed[t] for t, at in self.lab.rows(query) if t in landed]


def told(name: str, lags: list[float], alone: list[float]) -> bool:
    """Say how late results were; False where that is twice as late as without an archive."""
    median, late = (float(np.percentile(lags, part)) for part in (50, 95))
    ratios = [float(np.percentile(lags, part) / np.percentile(alone, part)) for part in (50, 95)]
    print(f"{name}: lag {median:.2f} s, {late:.2f} s at the 95th percentile; {ratios[0]:.2f} and {ratios[1]:.2f} times",
          flush=True)  # fmt: skip
    return max(ratios) < MOST


def beside(folder: Path, files: int, workers: int, live: int) -> bool:
    """A service, and `nusetd process` on the same machine."""
    service = LiveFolder(folder / "beside", 1)
    service.lab.start()
    service.lags(5)  # everything is loaded then
    alone = service.lags(live)
    told("the live folder alone", alone, alone)
    archive = folder / "beside-archive"
    write_archive(archive, files)
    process = started(archive, folder / "beside-out", workers, folder / "beside.txt")
    database = folder / "beside-out" / "nusetd.sqlite"
    waited(lambda: done(database) >= 5, process)
    before, begun = done(database), time.monotonic()
    good = told("with `nusetd process` beside it", service.lags(live), alone)
    print(f"the archive meanwhile: {(done(database) - before) / (time.monotonic() - begun):.1f} files a second")
    if process.poll() is not None:
        print("the archive was over too soon: give more --files")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    service.lab.stop()
    return good


def watched(folder: Path, files: int, workers: int, live: int) -> bool:
    """One service, into another folder of which an archive is dropped."""
    service = LiveFolder(folder / "watched", workers)
    service.lab.start()
    service.lags(5)
    alone = service.lags(live)
    told("the live folder alone", alone, alone)
    write_archive(folder / "dropped", files)
    for path in (folder / "dropped").iterdir():
        os.replace(path, service.archive / path.name)
    database = service.lab.database
    before, begun = done(database), time.monotonic()
    good = told(f"with {files} files dropped into another folder", service.lags(live), alone)
    print(f"the archive meanwhile: {(done(database) - before) / (time.monotonic() - begun):.1f} files a second")
    service.lab.stop()
    return good


def main() -> None:
    """Run the parts, and say whether all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--live", type=int, default=60, help="files that land")
    parser.add_argument("--part", choices=("process", "beside", "watched"), help="only this one")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nusetd-archive-"))
    good = True
    try:
        if wanted.part in (None, "process"):
            good &= processed(folder, wanted.files, wanted.workers)
        for name, part in (("beside", beside), ("watched", watched)):
            if wanted.part in (None, name):
                good &= part(folder, wanted.files, wanted.workers, wanted.live)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not good:
        sys.exit("a file was done twice or forgotten, or live files were late")


if __name__ == "__main__":
    main()
