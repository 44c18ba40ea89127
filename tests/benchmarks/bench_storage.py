"""How fast rows go into the database and come out of it: one million nuclei over 1,000 time points.

Run: ``python tests/benchmarks/bench_storage.py [TIME_POINTS] [NUCLEI]`` (default 1000 1000). Prints rows a second for
commits, and the median of repeated queries in milliseconds while a second process keeps writing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import register

from nuset_engine.nuclei import Nuclei
from storage import layout, queries
from storage.catalog import Catalog
from storage.export import export
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60)
while True:
    connection.execute("UPDATE acquisitions SET error = NULL")
    connection.commit()
    time.sleep(0.005)
"""


def fill(catalog: Catalog, time_points: int, count: int) -> float:
    """Commit all time points and return the seconds that the commits took."""
    row = register(catalog)
    catalog.add_timepoints(row.id, dict.fromkeys(range(time_points), "x"))
    random, labels, spent = np.random.default_rng(0), np.arange(1, count + 1), 0.0
    for t in range(time_points):
        job = catalog.claim_next()
        assert job is not None
        table = Nuclei.from_positions(t, random.uniform(0, 500, (count, 3)), score=random.uniform(0, 1, count))
        tracks = tuple(Track(int(n), None, 0, t, t + 1, False, None) for n in labels)
        update = TrackUpdate((FrameTracks(t, labels, labels, False),), tracks, ())
        begin = time.perf_counter()
        catalog.commit_timepoint(job, table, update, b"state", {})
        spent += time.perf_counter() - begin
    return spent


def median_ms(question: Callable[[], object], repeats: int = 15) -> float:
    """The median time of a question."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        question()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    time_points, count = (int(a) for a in (sys.argv[1:] + ["1000", "1000"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder, Catalog.open(folder) as catalog:
        seconds = fill(catalog, time_points, count)
        rows = time_points * count
        path = layout.database_path(folder)
        print(f"{rows} rows committed in {seconds:.1f} s: {rows / seconds:.0f} rows/s")
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        try:
            questions: dict[str, Callable[[], object]] = {
                "one track": lambda: queries.nuclei(path, 1, track=7),
                "one track, three columns": lambda: queries.nuclei(
                    path, 1, track=7, columns=("t", "label", "track_id")
                ),
                "one time point": lambda: queries.nuclei(path, 1, t=time_points // 2),
                "status": lambda: queries.status(path),
                "acquisitions": lambda: queries.acquisitions(path),
            }
            for name, question in questions.items():
                print(f"{name}: {median_ms(question):.1f} ms")
        finally:
            writer.kill()
            writer.wait()
        for form in ("csv", "geff"):
            begin = time.perf_counter()
            export(path, 1, form, Path(folder) / f"out.{form}")
            print(f"export {form}: {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
