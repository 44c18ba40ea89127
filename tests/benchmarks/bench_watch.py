"""What watching costs: 10,000 files at once and over time, and a folder with 100,000 old files.

    python tests/benchmarks/bench_watch.py [--files 10000] [--old 100000]

Events are off, so a file is noticed by the next sweep: after half the pause between sweeps on average, and what the
sweep costs, which is little beside the pause: both are printed. Costs are CPU seconds of this process, so that other
work on the machine does not count. A sweep looks at files that changed in the last minutes, so its cost rises until
that window is full, and no further. Exit code 1 when the last file is noticed more than 1.2 times as late as the
hundredth, or when idling exceeds 2 % of a core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from daemon.watching.watch import FolderWatch

RESCAN_S = 10.0
PER_FOLDER = 1000


def make(root: Path, count: int, start: int = 0) -> None:
    """Small files, a thousand to a folder."""
    for number in range(start, start + count):
        folder = root / f"day {number // PER_FOLDER:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:06d}.tif").write_bytes(b"II*\0")


def cost(watch: FolderWatch, now: float) -> tuple[float, int]:
    """CPU seconds of one sweep, and how many files it found."""
    started = time.process_time()
    found = len(watch.sights(now))
    return time.process_time() - started, found


def at_once(root: Path, count: int) -> float:
    """All files are there before the sweep that finds them: cost per file of a hundred, and of all."""
    costs = []
    for name, number in (("hundred", 100), ("all", count)):
        folder = root / name
        folder.mkdir()
        make(folder, number)
        spent, found = cost(FolderWatch(folder, True, [], events=False), 0.0)
        assert found == number
        costs.append(spent / number)
    print(f"at once: {1e6 * costs[0]:.0f} us per file for a hundred, {1e6 * costs[1]:.0f} us per file for {count}")
    return costs[1] / costs[0]


def over_time(root: Path, count: int) -> float:
    """Files come in tens, a sweep after each; medians of the sweeps around the hundredth and around the last file."""
    folder = root / "over time"
    folder.mkdir()
    watch = FolderWatch(folder, True, [], events=False, rescan_s=RESCAN_S)
    spent: list[float] = []
    asked: list[int] = []
    for step in range(count // 10):
        make(folder, 10, 10 * step)
        before = watch.progress
        seconds, found = cost(watch, RESCAN_S * step)
        assert found == 10
        spent.append(seconds)
        asked.append(watch.progress - before)
    early, full, late = (sorted(part)[15] for part in (spent[5:35], spent[60:90], spent[-30:]))
    costs = f"{1e3 * early:.2f} ms around the hundredth file, {1e3 * full:.2f} ms around the 750th"
    print(f"over time: a sweep costs {costs}, {1e3 * late:.2f} ms around the last")
    looks = f"{asked[10]} for the hundredth, {asked[75]} for the 750th, {asked[-1]} for the last"
    print(f"  a sweep looks at this many files and folders: {looks}")
    notice = [RESCAN_S / 2 + seconds for seconds in (early, late)]
    print(f"  noticed {notice[0]:.4f} s after it came, the hundredth; {notice[1]:.4f} s, the last")
    return notice[1] / notice[0]


def idle(root: Path, count: int) -> float:
    """A folder with many old files in which nothing happens: part of a core."""
    folder = root / "old"
    folder.mkdir()
    make(folder, count)
    watch = FolderWatch(folder, True, [], events=False, rescan_s=RESCAN_S)
    first, _ = cost(watch, 0.0)
    sweeps = 50
    spent = [cost(watch, 7200.0 + RESCAN_S * sweep)[0] for sweep in range(sweeps)]
    part = sum(spent[5:]) / (RESCAN_S * len(spent[5:]))
    print(f"idle with {count} old files: {100 * part:.3f} % of a core (first sweep {first:.1f} s)")
    return part


def main() -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--old", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratios = (at_once(Path(folder), arguments.files), over_time(Path(folder), arguments.files))
        part = idle(Path(folder), arguments.old)
    print(f"last against hundredth: {ratios[0]:.2f} at once, {ratios[1]:.2f} over time")
    sys.exit(1 if max(ratios) > 1.2 or part > 0.02 else 0)


if __name__ == "__main__":
    main()
