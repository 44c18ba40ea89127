"""The live page: what its first load weighs, and how long a person waits for a picture, beside a million nuclei.

    python tests/benchmarks/bench_page.py [--nuclei 1000000] [--steps 60]

An acquisition of 30 x 1024 x 1024 with 1,000 nuclei in each time point is written, and rows of 1,000 time points are in
the same database. A real browser (Debian's chromium and its driver) loads the page and moves the sliders of slice and
time. Limits: first load 1.5 MB without the 3D viewer, first picture 1 s, slider 100 ms (median) and 250 ms (95th).
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cases.browser import Browser, browser
from cases.live_page import LivePage
from cases.stored import acquisition

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from tracking.tracker import FrameTracks, TrackUpdate

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (30, 1024, 1024)
EACH = 1000  # nuclei of a time point
STORED = 3  # time points with images
FIRST_LOAD_BYTES, FIRST_PICTURE_S, MEDIAN_S, LATE_S = 1.5e6, 1.0, 0.100, 0.250
ONE, PLANES = "/api/acquisitions/1", ("/image.png?t=0&z=10", "/labels.png?t=0&z=10")


def scene(t: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels (Z, Y, X): a lattice of discs with noise."""
    rng = np.random.default_rng(t)
    labels = np.zeros(SHAPE, np.uint32)
    places = [(y, x) for y in range(16, 1024, 32) for x in range(16, 1024, 32)][:EACH]
    down, along = np.mgrid[-11:12, -11:12]
    disc = down**2 + along**2 <= 100
    for number, (y, x) in enumerate(places, start=1):
        z = 5 + number % 15
        labels[z : z + 6, y - 11 : y + 12, x - 11 : x + 12][:, disc] = number
    image = rng.normal(120, 12, SHAPE) + 600 * (labels > 0)
    return image.clip(0).astype(np.uint16), labels


def fill(folder: Path, nuclei: int) -> None:
    """Make stores and rows."""
    pixels = np.zeros((STORED, 1, *SHAPE), np.uint16)
    labels = []
    for t in range(STORED):
        pixels[t, 0], found = scene(t)
        labels.append(found)
    image = acquisition(pixels, name="large")
    place = folder / "large.ome.zarr"
    with Catalog.open(folder) as catalog:
        made = {"model_name": "m", "model_sha256": "0" * 64, "params": {"nuclear_channel": 0}}
        row = catalog.register(image, zarr_path=place, **made)  # type: ignore[arg-type]
        store = ImageStore.create(place, image)
        catalog.add_timepoints(row.id, {t: str(t) for t in range(nuclei // EACH)})
        rng = np.random.default_rng(0)
        for t in range(nuclei // EACH):
            job = catalog.claim_next()
            assert job is not None
            ids = np.arange(1, EACH + 1)
            table = Nuclei.from_positions(t, rng.uniform(0, 500, (EACH, 3)), volume_um3=rng.uniform(100, 300, EACH))
            catalog.commit_timepoint(job, table, TrackUpdate((FrameTracks(t, ids, ids, True),), (), ()), b"", {})
            if t < STORED:
                store.write_timepoint(t, [image.planes(t, 0)], labels[t])
                store.publish(t)
                catalog.mark_published(row.id, t)


def slider_times(window: Browser, address: str, steps: int) -> tuple[float, list[float]]:
    """Seconds to the first picture, and of every step of a slider until its picture is there."""
    began = time.perf_counter()
    window.open(f"{address}/#/a/1?t=0&z=10&view=slice&tab=about")
    shown = "const c = document.querySelector('canvas'); return c ? c.dataset.shown || '' : ''"
    while not window.run(shown):
        time.sleep(0.01)
    first = time.perf_counter() - began
    time.sleep(2)
    step = """
        const done = arguments[arguments.length - 1], [name, value, wanted] = arguments;
        const canvas = document.querySelector('canvas'), began = performance.now();
        const input = document.querySelector(`input[aria-label=${name}]`);
        new MutationObserver((_, observer) => {
          if (canvas.dataset.shown !== wanted) return;
          observer.disconnect();
          requestAnimationFrame(() => done((performance.now() - began) / 1000));
        }).observe(canvas, {attributes: true, attributeFilter: ['data-shown']});
        input.value = value;
        input.dispatchEvent(new Event('input'));
    """
    rng, taken, t, z = np.random.default_rng(1), [], 0, 10
    for _ in range(steps):
        if rng.random() < 0.7:
            z = int((z + rng.choice((-1, 1, 1, 7))) % SHAPE[0])
            name, value = "z", z
        else:
            t = int((t + 1) % STORED)
            name, value = "t", t
        taken.append(window.driver.execute_async_script(step, name, value, f"{t}/{z}/slice"))
        time.sleep(0.25)
    return first, taken


def first_load(page: LivePage) -> int:
    """Bytes of everything that the overview and an acquisition ask for at first."""
    static = sorted((ROOT / "daemon/page/live/static").iterdir())
    paths = ["/", *(f"/static/{file.name}" for file in static if file.suffix != ".html"), "/api/overview"]
    paths += [f"{ONE}{rest}" for rest in ("", "/nuclei?t=0", "/counts", *PLANES)]
    return sum(len(page.ask(path, Accept_Encoding="gzip", Accept="text/html").body) for path in paths)


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nuclei", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, options.nuclei)
        with closing(sqlite3.connect(folder / "nusetd.sqlite")) as connection:
            print(f"{connection.execute('SELECT count(*) FROM nuclei').fetchone()[0]} nuclei", flush=True)
        command = [sys.executable, "-m", "daemon.cli", "page", "--database", str(folder), "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        page = LivePage(process.stdout.readline().strip())
        try:
            weight = first_load(page)
            with browser(folder) as window:
                first, taken = slider_times(window, page.address, options.steps)
        finally:
            process.terminate()
            process.wait()
    median, late = float(np.median(taken)), float(np.percentile(taken, 95))
    print(f"first load {weight / 1e6:.2f} MB; first picture {first:.2f} s")
    print(f"slider: median {median * 1000:.0f} ms, 95th percentile {late * 1000:.0f} ms, {len(taken)} steps")
    good = weight <= FIRST_LOAD_BYTES and first <= FIRST_PICTURE_S and median <= MEDIAN_S and late <= LATE_S
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
