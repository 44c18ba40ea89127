"""How long a correction takes on a long movie: until it is accepted, until its rows are right, until it is painted.

    python tests/benchmarks/bench_corrections.py [--frames 400] [--nuclei 1000] [--corrections 8] [--busy]

An acquisition of that many time points and nuclei is made complete, with labels of 20 slices of 640 x 640 pixels at
those time points that are corrected, and a service with its real worker is started on it. Corrections of every kind are
said one after the other through the database, as `nusetd correct` does beside a running service, and then undone. With
`--busy` the only worker is in the middle of a stack of another acquisition all the time.
Stated are medians and the longest, and how long after the last one all labels were painted: corrections of links may
rename tracks of hundreds of time points. Exit code 1 when one was accepted after more than 1 s, when rows were right
after more than 10 s, when the main loop stood still for more than a second, or when undoing left anything behind. At
full size about five minutes of processor time on one core, most of it for making the acquisition.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import tifffile
from bench_main_loop import ENGINE
from cases.stored import acquisition, one_to_one
from numpy.typing import NDArray

from daemon.configuration import config as configuration
from daemon.monitoring.notify import Notifier
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from daemon.service import Service
from nuset_engine.nuclei import Nuclei
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.beside import open_beside_the_service
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import snapshot
from storage.schema.states import AcquisitionState
from tracking.tracker import Tracker

ACCEPTED_S, ROWS_S, GAP_S = 1.0, 10.0, 1.0
SHAPE = (20, 640, 640)
SPACING = (2.0, 0.5, 0.5)
SLEEPER = f"""{ENGINE}
    def segment_stack(self, planes, statistics=None, progress=None):
        import time
        time.sleep(3600.0)
"""


class Blank:
    """An image of which no pixel is needed."""

    def plane(self, t: int, c: int, z: int) -> NDArray[np.uint16]:
        """All the same."""
        return np.full(SHAPE[1:], 100, np.uint16)

    def fingerprint(self, t: int) -> str:
        """By its number."""
        return str(t)

    def former_fingerprint(self, t: int) -> str | None:
        """None."""
        return None

    def close(self) -> None:
        """Nothing to do."""


def drawn(nuclei: int) -> NDArray[np.uint32]:
    """Labels (Z, Y, X): boxes on a grid, the same at every time point."""
    labels = np.zeros(SHAPE, np.uint32)
    side = int(np.ceil(np.sqrt(nuclei / 2)))
    pitch = SHAPE[1] // side
    for n in range(nuclei):
        layer, place = divmod(n, side * side)
        y, x = (pitch * part for part in divmod(place, side))
        z = 10 * layer + 1
        labels[z : z + 7, y + 1 : y + pitch - 1, x + 1 : x + pitch - 1] = n + 1
    return labels


def table(t: int, labels: NDArray[np.uint32], nuclei: int) -> Nuclei:
    """Rows that say what the labels say, as far as corrections ask."""
    from scipy import ndimage

    boxes = ndimage.find_objects(labels)
    low = np.array([[part.start for part in box] for box in boxes])
    high = np.array([[part.stop for part in box] for box in boxes])
    centre = (low + high - 1) / 2
    columns = {f"centroid_{axis}_px": centre[:, i] for i, axis in enumerate("zyx")}
    columns |= {f"bbox_{axis}0": low[:, i] for i, axis in enumerate("zyx")}
    columns |= {f"bbox_{axis}1": high[:, i] for i, axis in enumerate("zyx")}
    volume = (high - low).prod(axis=1)
    return Nuclei.from_positions(
        t, centre * SPACING, label=np.arange(1, nuclei + 1), volume_px=volume, score=0.9, **columns
    )


def prepare(root: Path, frames: int, nuclei: int, shown: set[int]) -> int:
    """An acquisition that is complete; its id. Labels and image are on disk where they are looked at."""
    image = replace(acquisition(np.zeros((1, 1, 1, 1, 1), np.uint16), name="movie"), source=Blank())
    image = replace(image, size_t=frames, size_z=SHAPE[0], size_y=SHAPE[1], size_x=SHAPE[2], voxel_size_um=SPACING)
    params = Recipe(Ready("m", "0" * 64), configuration.Processing()).params(0)
    labels = drawn(nuclei)
    rows = table(0, labels, nuclei)
    with Catalog.open(root / "nusetd.sqlite") as catalog:
        row = catalog.register(
            image, zarr_path=root / "movie.ome.zarr", model_name="m", model_sha256="0" * 64, params=params
        )
        store = ImageStore.create(str(row.zarr_path), image, owner=catalog.stores.owner(row))
        catalog.add_timepoints(row.id, {t: str(t) for t in range(frames)})
        for t in range(frames):
            job = catalog.claim_next()
            assert job is not None
            update, state = one_to_one(t, nuclei, offset=0), Tracker().state()
            catalog.commit_timepoint(job, Nuclei(t, rows.table, "um"), update, state, {}, {}, {})
            planes = [[Blank().plane(t, 0, 0)] * SHAPE[0]] if t in shown else None
            store.write_timepoint(t, planes, labels if t in shown else np.zeros(SHAPE, np.uint32))
            store.publish(t)
            catalog.mark_published(row.id, t)
            catalog.mark_painted(row.id, t)
        catalog.set_acquisition_state(row.id, AcquisitionState.PROCESSING)
        catalog.complete_acquisition(row.id)
        return row.id


def words(times: list[int], nuclei: int, count: int) -> list[PersonsWord]:
    """Corrections of every kind."""
    labels = drawn(nuclei)
    at = np.argwhere(labels == 5).mean(axis=0) * SPACING
    apart = np.array([0.0, 2.5, 0.0])
    points = tuple(tuple(float(one) for one in place) for place in (at - apart, at + apart))
    t = times[len(times) // 2]
    mask = np.zeros(SHAPE, bool)
    mask[labels == 7] = True
    mask[:, :, 1::2] = False
    some = [
        PersonsWord("delete", t, (3,)),
        PersonsWord("merge", t, (11, 12)),
        PersonsWord("split", t, (5,), points=points),  # type: ignore[arg-type]  # three numbers each
        PersonsWord("redraw", t, (7,), mask=mask),
        PersonsWord("link", t, (20,), (21,)),
        PersonsWord("divide", t, (30,), (30, 31)),
        PersonsWord("end", t, (40,)),
        PersonsWord("unlink", t, (50,), (50,)),
    ]
    return some[:count]


@dataclass
class Timed:
    """Seconds of one correction until it was accepted, and until its rows were right."""

    what: str
    accepted: float
    rows: float


class Person(threading.Thread):
    """Says things beside the running service, and waits for what comes of them."""

    def __init__(self, root: Path, number: int, said: list[PersonsWord]) -> None:
        super().__init__(daemon=True)
        self.root, self.number, self.said = root, number, said
        self.found: list[Timed] = []
        self.painted: list[float] = []  # seconds, after the last correction and after the last undo
        self.error: BaseException | None = None

    def run(self) -> None:
        """Say all, then undo all."""
        try:
            catalog = open_beside_the_service(self.root / "nusetd.sqlite")
            row = catalog.acquisition(self.number)
            for word in self.said:
                began = time.perf_counter()
                with snapshot(self.root / "nusetd.sqlite") as connection:
                    order = ordered(connection, row, word, "bench")
                catalog.corrections.order(row.id, order)
                self._wait(word.kind, began)
            self._paint()
            for _ in self.said:
                began = time.perf_counter()
                catalog.corrections.undo(row.id, None, "bench")
                self._wait("undo", began)
            self._paint()
        except BaseException as error:  # noqa: BLE001  # told by who waits for this thread
            self.error = error

    def _wait(self, what: str, began: float) -> None:
        accepted = time.perf_counter() - began
        self._until("SELECT count(*) FROM corrections WHERE state = 'ordered'")
        rows = time.perf_counter() - began
        self.found.append(Timed(what, accepted, rows))
        self._until("SELECT count(*) FROM timepoints WHERE state = 'done' AND published_at IS NULL")

    def _paint(self) -> None:
        began = time.perf_counter()
        self._until("SELECT count(*) FROM timepoints WHERE state = 'done' AND painted_at IS NULL")
        self.painted.append(time.perf_counter() - began)

    def _until(self, query: str) -> None:
        """Wait until there is none."""
        while True:
            with closing(sqlite3.connect(f"file:{self.root}/nusetd.sqlite?mode=ro", uri=True)) as connection:
                if not connection.execute(query).fetchone()[0]:
                    return
            time.sleep(0.05)


def digest(root: Path) -> str:
    """A hash of all rows of nuclei and tracks but for their numbers."""
    found = hashlib.sha256()
    with closing(sqlite3.connect(root / "nusetd.sqlite")) as connection:
        for query in (
            "SELECT t, label, track_id, volume_px, score, corrected FROM nuclei ORDER BY t, label",
            "SELECT track_id, parent_track_id, first_t, last_t, nuclei_count, corrected FROM tracks ORDER BY track_id",
        ):
            for row in connection.execute(query):
                found.update(repr(row).encode())
    return found.hexdigest()


def measure(root: Path, number: int, said: list[PersonsWord], busy: bool) -> tuple[Person, float]:
    """A person with the times of all corrections, and the longest gap between two turns of the main loop."""
    (root / "incoming").mkdir()
    (root / "engine_of_bench.py").write_text(SLEEPER)
    sys.path.insert(0, str(root))
    text = f'[[watch]]\npath = "{root}/incoming"\noutput = "{root}"\n[engine]\nfactory = "engine_of_bench:Engine"\n'
    if busy:
        tifffile.imwrite(root / "incoming" / "other.tif", np.arange(4096, dtype=np.uint16).reshape(64, 64))
    turns: list[float] = []
    with Catalog.open(root / "nusetd.sqlite") as catalog:
        service = Service(configuration.parse(text, root / "nusetd.toml"), catalog, Notifier())
        loop = service._parts.queue_loop
        while loop.model is None or (busy and "other" not in (loop.working_on or "")):
            service.turn()
        person = Person(root, number, said)
        person.start()
        while person.is_alive():
            turns.append(time.perf_counter())
            service.turn()
        service._end(None)
    if person.error is not None:
        raise person.error
    return person, float(np.diff(turns).max())


def main() -> int:
    """Prepare, measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--nuclei", type=int, default=1000)
    parser.add_argument("--corrections", type=int, default=8)
    parser.add_argument("--busy", action="store_true", help="while the worker is in the middle of another stack")
    options = parser.parse_args()
    times = list(range(options.frames // 2 - 1, options.frames // 2 + 2))
    said = words(times, options.nuclei, options.corrections)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        number = prepare(root, options.frames, options.nuclei, set(times))
        before = digest(root)
        person, gap = measure(root, number, said, options.busy)
        found = person.found
        same = digest(root) == before
    worker = "busy" if options.busy else "free"
    print(
        f"{options.frames} time points x {options.nuclei} nuclei, {len(said)} corrections, each undone, worker {worker}"
    )
    for name in ("accepted", "rows"):
        seconds = [getattr(one, name) for one in found]
        longest = max(found, key=lambda one: float(getattr(one, name)))
        print(f"{name}: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s ({longest.what})")
    print(f"painted {person.painted[0]:.0f} s after the last correction, {person.painted[1]:.0f} s after the last undo")
    print(f"longest gap between two turns of the main loop: {gap:.2f} s")
    print(f"undone rows are {'the same' if same else 'OTHERS'}")
    good = max(one.accepted for one in found) <= ACCEPTED_S and max(one.rows for one in found) <= ROWS_S
    return 0 if good and gap <= GAP_S and same else 1


if __name__ == "__main__":
    sys.exit(main())
