"""What people who look on cost a running service: the page's processor time, and what it adds to the service's own.

    python tests/benchmarks/bench_page_live.py [--shape 30,1024,1024] [--nuclei 1000000] [--each 1] [--pairs 5]

A service with the shipped weights takes the stacks of a time-lapse as they land, beside that many nuclei of a former
acquisition. In half of the time five clients look on as a browser does: two at the overview, three at a slice each of
the newest time point. Both halves take turns, `--each` time points at a time.

Judged: the page takes at most 2 % of the service's processor time (workers and readers included), and that time, for a
time point, grows by at most 2 % of what it is without page and clients (medians). Processor time is counted, not the
clock; other work on the computer makes that of the service dearer too, so that the second measure needs a quiet one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cases.processes import family
from cases.stored import acquisition

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.schema.states import AcquisitionState
from tracking.tracker import FrameTracks, TrackUpdate

VOXEL_UM = [2.0, 0.5, 0.5]
EACH = 1000  # nuclei of a time point of the former acquisition
SHARE = GROWTH = 0.02
PATIENCE_S = 600.0
HERTZ = os.sysconf("SC_CLK_TCK")


def former(output: Path, nuclei: int) -> None:
    """An acquisition of before, whole in every way: the service has nothing to do for it."""
    output.mkdir()
    count, place = nuclei // EACH, output / "former.ome.zarr"
    with Catalog.open(output) as catalog:
        made = {"model_name": "m", "model_sha256": "0" * 64, "params": {"nuclear_channel": 0}}
        image = acquisition(np.zeros((count, 1, 1, 8, 8), np.uint16), name="former")
        row = catalog.register(image, zarr_path=place, **made)  # type: ignore[arg-type]
        store = ImageStore.create(place, image)
        catalog.add_timepoints(row.id, {t: str(t) for t in range(count)})
        rng, ids = np.random.default_rng(0), np.arange(1, EACH + 1)
        for t in range(count):
            job = catalog.claim_next()
            assert job is not None
            store.write_timepoint(t, [image.planes(t, 0)], np.zeros((1, 8, 8), np.uint32))
            table = Nuclei.from_positions(t, rng.uniform(0, 500, (EACH, 3)), volume_um3=rng.uniform(100, 300, EACH))
            catalog.commit_timepoint(job, table, TrackUpdate((FrameTracks(t, ids, ids, True),), (), ()), b"", {})
            store.publish(t)
            catalog.mark_published(row.id, t)
            store.write_tracks(t, {})
            store.publish_tracks(t)
            catalog.mark_painted(row.id, t)
        catalog.set_acquisition_state(row.id, AcquisitionState.COMPLETE)


def stack(t: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Balls (Z, Y, X) on a lattice, which move a little."""
    rng = np.random.default_rng((1, t))
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    image = rng.normal(100, 8, shape)
    for row in range(20, shape[1] - 10, 40):
        for column in range(20 + row % 3 * 10, shape[2] - 10, 40):
            near = slice(max(row - 14, 0), row + 14), slice(max(column - 14, 0), column + 14)
            middle = 3 + (row + column) // 40 % max(shape[0] - 6, 1)
            far = ((z - middle) / 2.5) ** 2 + ((y[:, near[0]] - row - t % 4) / 9) ** 2
            far = far + ((x[..., near[1]] - column) / 9) ** 2
            image[:, near[0], near[1]] += 500 * np.exp(-(far**2))
    return image.clip(0).astype(np.uint16)


class Client(threading.Thread):
    """One person's browser: it hears of changes, and asks for what it then shows."""

    def __init__(self, address: str, looking: threading.Event, z: int | None) -> None:
        super().__init__(daemon=True)
        self._host = urlsplit(address).netloc
        self._looking, self._z = looking, z
        self._kept = http.client.HTTPConnection(self._host, timeout=120)
        self._results = ""
        self.asked = self.pictures = 0

    def run(self) -> None:
        """Look on while that is wanted."""
        while True:
            self._looking.wait()
            with suppress(OSError, http.client.HTTPException, ValueError), closing(self._line()) as line:
                answer = line.getresponse()
                while self._looking.is_set():
                    try:
                        word = answer.fp.readline()
                    except TimeoutError:
                        continue
                    if word.startswith(b"data: "):
                        self._changed(word.decode())

    def _line(self) -> http.client.HTTPConnection:
        line = http.client.HTTPConnection(self._host, timeout=120)
        line.request("GET", "/api/events")
        return line

    def _changed(self, results: str) -> None:
        if self._z is None:
            found = self._ask("/api/overview")
            for one in found["acquisitions"]:
                if one["last_t"] is not None and one["name"] != "former":
                    self._ask(f"/api/acquisitions/{one['id']}/thumbnail.png?t={one['last_t']}")
        elif results != self._results:
            self._look_at_the_newest(self._z)
        self._results = results

    def _look_at_the_newest(self, z: int) -> None:
        one = "/api/acquisitions/2"
        points = self._ask(one).get("timepoints")
        if points is None:
            return
        t = max((t for t, at in zip(points["t"], points["published_at"], strict=True) if at is not None), default=None)
        if t is None:
            return
        self._ask(f"{one}/nuclei?t={t}")
        for kind in ("image", "labels"):
            self._ask(f"{one}/{kind}.png?t={t}&z={z}&view=slice&width=1024" + "&c=0" * (kind == "image"))

    def _ask(self, path: str) -> Any:
        self._kept.request("GET", path, headers={"Accept-Encoding": "identity"})
        body = self._kept.getresponse().read()
        self.asked += 1
        self.pictures += "png" in path
        return json.loads(body) if "png" not in path else None


def cpu_s(pid: int) -> float:
    """Processor time of a process and of its ended children so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / HERTZ


def tree_cpu_s(pid: int) -> float:
    """The same of a process and of everything below it."""
    return sum(map(cpu_s, family(pid)))


class Run:
    """The service with a folder that it watches, and the page."""

    def __init__(self, root: Path, shape: tuple[int, int, int]) -> None:
        self.root, self.shape, self.next = root, shape, 0
        self.output = root / "out"
        (root / "in").mkdir()
        text = f'[[watch]]\npath = "in"\noutput = "out"\nvoxel_size_um = {VOXEL_UM}\nquiet_s = 0.2\n'
        text += "acquisition_quiet_s = 100000.0\n[service]\nrescan_s = 1.0\n"
        (root / "nusetd.toml").write_text(text)
        self.service = self._start("run", "--config", str(root / "nusetd.toml"))
        self.page = self._start("page", "--database", str(self.output), "--listen", "127.0.0.1:0")
        assert self.page.stdout is not None
        self.address = self.page.stdout.readline().strip()

    @staticmethod
    def _start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "daemon.cli", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def take(self, count: int) -> tuple[float, float]:
        """Have so many time points done, one after the other; processor time of service and page for each."""
        before = tree_cpu_s(self.service.pid), cpu_s(self.page.pid)
        for _ in range(count):
            part = self.root / "in" / ".part"
            tifffile.imwrite(part, stack(self.next, self.shape), photometric="minisblack", metadata={"axes": "ZYX"})
            part.rename(self.root / "in" / f"live_t{self.next:04}.tif")
            self.next += 1
            self._wait_for(self.next)
        time.sleep(3.0)  # until those who look on have seen it, and the tracks are painted
        after = tree_cpu_s(self.service.pid), cpu_s(self.page.pid)
        service, page = ((b - a) / count for a, b in zip(before, after, strict=True))
        return service, page

    def _wait_for(self, count: int) -> None:
        end = time.monotonic() + PATIENCE_S
        query = "SELECT count(*) FROM timepoints WHERE acquisition_id = 2 AND published_at IS NOT NULL"
        with closing(sqlite3.connect(f"file:{self.output / 'nusetd.sqlite'}?mode=ro", uri=True)) as connection:
            while connection.execute(query).fetchone()[0] < count:
                assert time.monotonic() < end, "the service does not do its work"
                time.sleep(0.1)

    def end(self) -> None:
        """End both."""
        for process in (self.page, self.service):
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="30,1024,1024", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--nuclei", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        former(root / "out", options.nuclei)
        run = Run(root, options.shape)
        looking = threading.Event()
        clients = [Client(run.address, looking, z) for z in (None, None, 3, 5, 7)]
        for client in clients:
            client.start()
        alone, watched, page = [], [], []
        try:
            looking.set()
            run.take(2)  # the network is compiled, and the page has loaded what it needs
            for pair in range(options.pairs):
                for on in (True, False) if pair % 2 else (False, True):
                    (looking.set if on else looking.clear)()
                    time.sleep(1.0)
                    service, others = run.take(options.each)
                    (watched if on else alone).append(service)
                    if on:
                        page.append(others / service)
        finally:
            run.end()
    share, growth = float(np.median(page)), float(np.median(watched) / np.median(alone) - 1)
    spread = float(np.ptp(alone) / np.median(alone))
    deaf = sum(not client.pictures for client in clients)
    asked = sum(client.asked for client in clients)
    print(
        f"{options.pairs} x {options.each} time points of {options.shape}; {asked} requests of {len(clients)} clients"
    )
    print(f"page: {share:.1%} of the service's processor time ({min(page):.1%} to {max(page):.1%})")
    print(f"service: {np.median(alone):.2f} s a time point alone, {np.median(watched):.2f} s beside: {growth:+.1%}")
    print(f"(alone, it differs by {spread:.1%} between the repetitions)")
    if deaf:
        print(f"{deaf} clients saw no picture: nothing is judged")
    return 0 if share <= SHARE and growth <= GROWTH and not deaf else 1


if __name__ == "__main__":
    raise SystemExit(main())
