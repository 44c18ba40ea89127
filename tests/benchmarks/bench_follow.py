"""What it costs that commits can be followed, and how soon who follows, and a rule, knows of one.

    python tests/benchmarks/bench_follow.py [--nuclei 1000] [--frames 24] [--repeats 3]

The same movie is committed with its events and without them, in turns: stated is the processor time of a commit as a
ratio of both. Then it is committed once more while somebody follows, and while a rule looks at every nucleus: stated
are the seconds from a commit to the last of its lines, and to the delivery of the rule's answer. Exit code 1 where
events make a commit more than 1.1 times as long, the last line comes after 1 s, or the answer after 2 s.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import register

import storage
from daemon.configuration.rules import RuleConfig
from daemon.rules.rule_runner import RuleRunner
from nuset_engine.nuclei import Nuclei
from storage.database import commits
from storage.database.catalog import Catalog
from storage.database.ledger import track_changes
from tracking.tracker import Tracker, TrackUpdate

Step = tuple[Nuclei, TrackUpdate, bytes]
COST, LINE_S, ANSWER_S = 1.1, 1.0, 2.0
_SETTLED = 8  # time points after which tracks become final


def movie(count: int, frames: int) -> list[Step]:
    """Nuclei that move a little and are missed now and then, with what the tracker says of them."""
    chance, tracker = np.random.default_rng(1), Tracker()
    places, steps = chance.uniform(0, 600, (count, 3)), []
    for t in range(frames):
        seen = chance.random(count) > 0.02
        moved = (places + chance.normal(0, 0.4, places.shape))[seen]
        table = Nuclei.from_positions(t, moved, volume_um3=np.full(len(moved), 400.0))
        steps.append((table, tracker.advance(table), tracker.state()))
    return steps


def committed(catalog: Catalog, steps: list[Step], pause_s: float = 0.0) -> list[float]:
    """Commit a movie; return the processor time of each commit."""
    row = register(catalog)
    catalog.add_timepoints(row.id, dict.fromkeys(range(len(steps)), "a"))
    taken = []
    for table, update, state in steps:
        job = catalog.claim_next()
        assert job is not None
        begun = time.process_time()
        catalog.commit_timepoint(job, table, update, state, {}, {}, {})
        taken.append(time.process_time() - begun)
        time.sleep(pause_s)
    return taken


def cost(steps: list[Step], repeats: int) -> tuple[float, float]:
    """Milliseconds of an ordinary commit, and how many times as long as one without events it is."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * repeats):
        told = turn % 2 == 0
        nothing: dict[str, Any] = {"of_update": lambda *_: ({}, {}), "changes": lambda *_: {}}
        with tempfile.TemporaryDirectory() as folder, Catalog.open(folder) as catalog:
            if told:
                found[told] += committed(catalog, steps)[_SETTLED:]
            else:
                with mock.patch.multiple(track_changes, **nothing), mock.patch.object(commits, "tell"):
                    found[told] += committed(catalog, steps)[_SETTLED:]
    return 1000 * median(found[True]), median(found[True]) / median(found[False])


def delays(steps: list[Step]) -> tuple[list[float], list[float]]:
    """Seconds from each commit to its last line, and to the delivery of a rule's answer."""
    with tempfile.TemporaryDirectory() as folder, Catalog.open(folder) as catalog:
        (Path(folder) / "answers").mkdir()
        rule = RuleConfig("all", "nuclei", "volume_um3 > 300", next=Path(folder) / "answers", at_most_per_hour=10**6)
        runner, lines = RuleRunner(catalog.address, [rule]), []

        def follow() -> None:
            told = (line for line in storage.open(folder).follow("start") if line["kind"] == "timepoint")
            lines.extend(time.time() - datetime.fromisoformat(line["at"]).timestamp() for line in told)

        threading.Thread(target=follow, daemon=True).start()
        runner.start()
        while catalog.rules.memory("all") is None:
            time.sleep(0.05)
        committed(catalog, steps, pause_s=0.5)
        time.sleep(2.0)
        runner.stop()
        with closing(sqlite3.connect(Path(folder) / "nusetd.sqlite")) as connection:
            query = "SELECT json_extract(content, '$.committed_at'), delivered_at FROM rule_sendings"
            found = connection.execute(f"{query} WHERE state = 'sent'")
            rows = [[datetime.fromisoformat(at) for at in row] for row in found]
    return lines, [(later - earlier).total_seconds() for earlier, later in rows]


def main() -> int:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nuclei", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    steps = movie(given.nuclei, given.frames)
    took_ms, ratio = cost(steps, given.repeats)
    lines, answers = delays(steps)
    of = f"of {given.frames}"
    print(f"A commit of {given.nuclei} nuclei takes {took_ms:.0f} ms, {ratio:.3f} times as long as without events.")
    print(f"To its last line: {median(lines):.2f} s, {max(lines):.2f} s at most ({len(lines)} {of}).")
    print(f"To a rule's answer: {median(answers):.2f} s, {max(answers):.2f} s at most ({len(answers)} {of}).")
    complete = len(lines) == len(answers) == given.frames
    return int(ratio > COST or max(lines) > LINE_S or max(answers) > ANSWER_S or not complete)


if __name__ == "__main__":
    sys.exit(main())
