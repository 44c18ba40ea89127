"""What knowing how it is costs: the service's own look at its queue, beside a database with half a million time points.

    python tests/benchmarks/bench_status.py [TIMEPOINTS]

Prints milliseconds of processor time per look, and what that is of one core at the default of a look every ten seconds.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.configuration.service_config import ServiceConfig
from storage.clock import iso
from storage.database.catalog import Catalog

EACH = 500  # time points of an acquisition
REPEATS = 10


def acquisition(number: int, columns: list[tuple[str, str, int]]) -> list[object]:
    """A row in which only what must be there is there."""
    own = {"id": number, "state": "complete"} | dict.fromkeys(("name", "source_key", "zarr_path"), f"a{number}")
    return [own.get(name, "[]" if kind == "JSON" else "x" if required else None) for name, kind, required in columns]


def points(count: int, now: datetime) -> Iterator[tuple[object, ...]]:
    """Time points that were done one a second."""
    for i in range(count):
        at = iso(now - timedelta(seconds=count - i))
        yield i // EACH + 1, i % EACH, "done", 1, 50, at, at, at, 1, '{"signal": 5.0, "blank_slices": []}'


def fill(path: Path, count: int) -> None:
    """Make the database."""
    Catalog.open(path).close()
    names = (
        "acquisition_id, t, state, attempts, nuclei_count, queued_at, started_at, completed_at, tracks_final, quality"
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1:4] for row in connection.execute("PRAGMA table_info(acquisitions)")]
        rows = (acquisition(i, columns) for i in range(1, count // EACH + 2))
        connection.executemany(f"INSERT INTO acquisitions VALUES ({','.join('?' * len(columns))})", rows)
        marks = ",".join("?" * 10)
        connection.executemany(f"INSERT INTO timepoints ({names}) VALUES ({marks})", points(count, datetime.now(UTC)))


def cost_ms(what: Callable[[], object]) -> float:
    """Processor time of one call."""
    what()
    started = time.process_time()
    for _ in range(REPEATS):
        what()
    return (time.process_time() - started) / REPEATS * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=500_000, help="time points that there are (500000)")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nusetd.sqlite"
        fill(path, count)
        with Catalog.open(path) as catalog:
            costs = {
                "queue, lag, problems": cost_ms(catalog.queue_state),
                "report": cost_ms(lambda: catalog.report({"state": "running"})),
            }
            course = cost_ms(lambda: catalog.recent_quality(1, EACH - 1, 6))
    for name, cost in costs.items():
        print(f"{name:<24}{cost:8.1f} ms")
    print(f"{'alerts of a time point':<24}{course:8.1f} ms")
    share = sum(costs.values()) / (ServiceConfig().report_s * 1000)
    print(f"beside {count} time points: {share:.2%} of a core")


if __name__ == "__main__":
    main()
