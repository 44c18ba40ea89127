"""Small stacks, one after another for a long time: what the service holds must not grow.

    python tests/benchmarks/bench_soak.py [--minutes 20] [--time-points 20]

The service runs with the quick engine (a threshold) on acquisitions of a few time points each, which follow each other
as fast as it keeps up. Every 30 s the largest service, worker and reader are looked at, and the write-ahead log of the
database. Something grows steadily where the median of the last quarter is above that of the second by more than an
allowance: 5 % of memory and of the log, one descriptor, thread or child. Exit code 1 then, and where a time point fails
or the service does not end well. Linux only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))

from cases.processes import children, command_of
from lab import Lab, stack, write_stack

PARTS = {b"daemon.processing.worker": "worker", b"daemon.watching.inspection": "reader"}
LOOK_S = 30.0
LEAST_LOOKS = 16  # shorter runs look more often
AHEAD = 4  # files that lie there unprocessed
MIB = 2.0**20
STATED = ("VmRSS", "Threads")
Look = dict[str, float]


def processes(service: int) -> dict[str, list[int]]:
    """The service and its children, by what they are for."""
    found: dict[str, list[int]] = {"service": [service], "worker": [], "reader": []}
    for pid in children(service):
        command = command_of(pid)
        found.setdefault(next((part for name, part in PARTS.items() if name in command), "other"), []).append(pid)
    return found


def held(pid: int) -> tuple[float, float, float]:
    """Resident memory in MiB, descriptors and threads of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    stated = {
        name: float(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if name in STATED
    }
    return stated["VmRSS"] / 1024.0, float(len(os.listdir(f"/proc/{pid}/fd"))), stated["Threads"]


def look(lab: Lab) -> Look:
    """What is held now, by its name."""
    assert lab.process is not None
    found = processes(lab.process.pid)
    seen: Look = {"children": float(sum(map(len, found.values())) - 1)}
    for part, pids in found.items():
        try:
            sizes = [held(pid) for pid in pids]
        except OSError:  # one that ended meanwhile
            continue
        for name, values in zip(("MiB", "descriptors", "threads"), zip(*sizes, strict=True), strict=False):
            seen[f"{part} {name}"] = max(values)
    log = lab.database.with_name(lab.database.name + "-wal")
    seen["log MiB"] = log.stat().st_size / MIB if log.exists() else 0.0
    return seen


def files(lab: Lab, time_points: int) -> Iterator[None]:
    """Write the next file at each turn: acquisition after acquisition."""
    written = 0
    while True:
        acquisition, t = divmod(written, time_points)
        write_stack(lab.incoming / f"exp{acquisition:04d}_t{t:03d}.tif", stack(t, seed=acquisition))
        written += 1
        yield


def soak(lab: Lab, minutes: float, time_points: int) -> list[Look]:
    """Keep the service at work, and look at it again and again."""
    pace_s = min(LOOK_S, 60.0 * minutes / LEAST_LOOKS)
    microscope, written, looks = files(lab, time_points), 0, list[Look]()
    lab.start()
    begun = time.monotonic()
    while time.monotonic() - begun < 60.0 * minutes:
        done = lab.done()
        while written < done + AHEAD:
            next(microscope)
            written += 1
        lab.wait(lambda done=done: lab.done() > done)
        if time.monotonic() - begun > pace_s * (len(looks) + 1):
            looks.append(look(lab))
            values = ", ".join(f"{name} {value:.4g}" for name, value in looks[-1].items())
            print(f"{time.monotonic() - begun:.0f} s, {lab.done()} time points: {values}", flush=True)
    return looks


def growing(looks: list[Look]) -> list[str]:
    """Print the second quarter beside the last, and name what grew."""
    grew: list[str] = []
    quarter = len(looks) // 4
    print(f"{'median of':<22}{'2nd quarter':>12}{'last':>12}")
    for name in looks[-1]:
        before, after = (
            statistics.median(one[name] for one in part if name in one)
            for part in (looks[quarter : 2 * quarter], looks[-quarter:])
        )
        allowed = max(0.05 * before, 0.1) if name.endswith("MiB") else 1.0
        print(f"{name:<22}{before:>12.5g}{after:>12.5g}")
        if after > before + allowed:
            grew.append(f"{name} from {before:.5g} to {after:.5g}")
    return grew


def main() -> None:
    """Soak and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--time-points", type=int, default=20, help="of each acquisition")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        lab = Lab(Path(name), {"acquisition_quiet_s": 10.0})
        looks = soak(lab, asked.minutes, asked.time_points)
        lab.wait(lab.settled)
        if lab.stop() != 0:
            sys.exit(f"the service did not stop well:\n{lab.said()}")
        states = lab.states()
        if set(states) != {"complete"}:
            sys.exit(f"not every acquisition is complete: {states}")
        print(f"{lab.done()} time points of {len(states)} acquisitions")
    grew = growing(looks)
    if grew:
        sys.exit("these grow steadily: " + ", ".join(grew))
    print("nothing grows")


if __name__ == "__main__":
    main()
