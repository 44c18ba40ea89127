"""How fast rows go into the database and come out of it: one million nuclei over 1,000 time points.

Run: ``python tests/benchmarks/bench_storage.py [TIME_POINTS] [NUCLEI]`` (default 1000 1000). Prints rows a second for
commits, the median of repeated questions while a second process keeps writing, and time and memory of the exports, each
in a process of its own. Everything with a limit is judged: `ok`; `busy` when only the elapsed time is beyond it, since
processor time depends less on what else runs; `MISSED` when processor time or memory is, and then the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import register

import storage
from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.database.catalog import Catalog
from storage.query.question import Question
from storage.query.statements import Selection
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

GENERATIONS = 5
LEAST_ROWS_PER_S = 15_000
MOST_MS = {
    "one track of all time points": 20,
    "one lineage": 50,
    "one time point": 50,
    "one time point, large nuclei": 50,
    "counts over time": 300,
}
MOST_EXPORT_S = {"csv": 60, "geff": 60}
MOST_EXPORT_MB = 1000
WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60)
while True:
    connection.execute("UPDATE acquisitions SET error = NULL")
    connection.commit()
    time.sleep(0.005)
"""


def culture(time_points: int, count: int) -> Iterator[list[tuple[int, int | None, int]]]:
    """At each time point (track, parent, first time point) of all nuclei.

    Five times 3 in 8 of the nuclei divide and as many die; a quarter goes on from beginning to end.
    """
    alive: list[tuple[int, int | None, int]] = [(n, None, 0) for n in range(1, count + 1)]
    stay, divide, last = count // 4, (count - count // 4) // 2, count
    for t in range(time_points):
        if t and t % max(time_points // GENERATIONS, 1) == 0:
            born = [(last + 1 + i, alive[stay + i // 2][0], t) for i in range(2 * divide)]
            last += len(born)
            alive = alive[:stay] + born
        yield alive


def fill(catalog: Catalog, time_points: int, count: int) -> tuple[float, float]:
    """Commit all time points; return elapsed and processor seconds of the commits."""
    row = register(catalog)
    catalog.add_timepoints(row.id, dict.fromkeys(range(time_points), "x"))
    random, elapsed, processor = np.random.default_rng(0), 0.0, 0.0
    for t, alive in enumerate(culture(time_points, count)):
        job = catalog.claim_next()
        assert job is not None
        n = len(alive)
        labels, ids = np.arange(1, n + 1), np.array([track for track, _, _ in alive])
        sizes = {"score": random.uniform(0, 1, n), "volume_um3": random.uniform(100, 900, n)}
        table = Nuclei.from_positions(t, random.uniform(0, 500, (n, 3)), **sizes)
        tracks = tuple(Track(k, parent, first, t, t - first + 1, False, None) for k, parent, first in alive)
        update = TrackUpdate((FrameTracks(t, labels, ids, False),), tracks, ())
        begin = time.perf_counter(), time.process_time()
        catalog.commit_timepoint(job, table, update, b"state", {})
        elapsed += time.perf_counter() - begin[0]
        processor += time.process_time() - begin[1]
    return elapsed, processor


def median_ms(question: Callable[[], object], repeats: int = 15) -> tuple[float, float]:
    """The median of elapsed and of processor time of a question, after one that warms up."""
    question()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter(), time.process_time()
        question()
        times.append((1000 * (time.perf_counter() - begin[0]), 1000 * (time.process_time() - begin[1])))
    return statistics.median(t for t, _ in times), statistics.median(t for _, t in times)


def export(path: Path, form: str, output: Path) -> tuple[float, float, float]:
    """Export in a process of its own; return elapsed and processor seconds, and the peak of memory in MB."""
    words = ["export", "1", "--database", str(path), "--format", form, "--output", str(output)]
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "daemon.cli", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def verdict(elapsed: float, processor: float, limit: float | None, too_large: bool = False) -> str:
    """Judge what was measured against a limit for either time."""
    if limit is None:
        return ""
    if too_large or processor > limit:
        return "MISSED"
    return "ok" if elapsed <= limit else "busy"


def ask(path: Path, time_points: int) -> list[str]:
    """Time the questions while another process writes; return the verdicts."""
    results = storage.open(path)
    whole = "SELECT t, count(*) FROM nuclei WHERE acquisition_id = 1 GROUP BY t"
    view = "SELECT t, nuclei_count, divisions_count FROM counts_over_time WHERE acquisition_id = 1"
    questions: dict[str, Callable[[], object]] = {
        "one track of all time points": lambda: Question.nuclei(path, 1, Selection(track=1)).frame(),
        "one lineage": lambda: Question.lineage(path, 1, Selection(track=results_track)).frame(),
        "one time point": lambda: Question.nuclei(path, 1, Selection(t=time_points // 2)).frame(),
        "one time point, large nuclei": lambda: Question.nuclei(
            path, 1, Selection(t=time_points // 2, where="volume_um3 > 800")
        ).frame(),
        "counts over time": lambda: results.sql(view),
        "counts over time, from the nuclei": lambda: results.sql(whole),
        "divisions": lambda: results["embryo"].divisions(),
        "status": lambda: Question.status(path).frame(),
        "acquisitions": lambda: Question.acquisitions(path).frame(),
    }
    results_track = int(Question.tracks(path, 1).frame()["track_id"].max())
    verdicts = []
    for name, question in questions.items():
        elapsed, processor = median_ms(question)
        verdicts.append(verdict(elapsed, processor, MOST_MS.get(name)))
        print(f"{name}: {elapsed:.1f} ms ({processor:.1f} ms of a processor) {verdicts[-1]}", flush=True)
    return verdicts


def write_all(path: Path, folder: Path) -> list[str]:
    """Time the exports; return the verdicts."""
    verdicts = []
    for form in ("csv", "geff", "parquet", "napari", "trackmate"):
        seconds, used, memory = export(path, form, folder / f"out.{form}")
        limit = MOST_EXPORT_S.get(form)
        verdicts.append(verdict(seconds, used, limit, memory > MOST_EXPORT_MB))
        print(
            f"export {form}: {seconds:.1f} s ({used:.1f} s of a processor), {memory:.0f} MB {verdicts[-1]}", flush=True
        )
    return verdicts


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("time_points", type=int, nargs="?", default=1000, help="how many (1000)")
    parser.add_argument("count", type=int, nargs="?", default=1000, help="nuclei in each (1000)")
    given = parser.parse_args()
    time_points, count = given.time_points, given.count
    with tempfile.TemporaryDirectory() as folder, Catalog.open(folder) as catalog:
        elapsed, processor = fill(catalog, time_points, count)
        rows = time_points * count
        path = naming.database_path(folder)
        verdicts = [verdict(elapsed, processor, rows / LEAST_ROWS_PER_S)]
        rate = f"{rows / elapsed:.0f} rows/s, {rows / processor:.0f} per second of a processor"
        size = f"{path.stat().st_size / rows:.0f} bytes a row"
        print(f"{rows} rows committed in {elapsed:.1f} s: {rate}; {size} {verdicts[0]}", flush=True)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        try:
            verdicts += ask(path, time_points)
            verdicts += write_all(path, Path(folder))
        finally:
            writer.kill()
            writer.wait()
    return 1 if "MISSED" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
