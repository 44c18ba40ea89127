"""Tracking: links and divisions on a real embryo, with errors added, and time and memory on large samples.

    python tests/benchmarks/bench_tracking.py accuracy     link and division F1 at every, every 3rd and every 5th frame
    python tests/benchmarks/bench_tracking.py robustness   the same with 5 % of positions removed and 3 % added
    python tests/benchmarks/bench_tracking.py scaling      time per frame and memory up to 10,000 nuclei
    python tests/benchmarks/bench_tracking.py ball         20,000 points in one dense ball

The embryo is read from the folder NUSETD_DATA (default ../shared/data); without it the first two say so and stop.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from nuset_engine.nuclei import Nuclei
from tracking.evaluation.link_scores import LinkScores, links, score_links
from tracking.table import track_table
from tracking.tracker import Tracker

STEPS = (1, 3, 5)


def embryo() -> pd.DataFrame | None:
    """The table with truth, None where the data is absent."""
    path = Path(os.environ.get("NUSETD_DATA", "../shared/data")) / "tracks" / "c_elegans_1_180.csv"
    return pd.read_csv(path) if path.exists() else None


def thinned(table: pd.DataFrame, step: int, offset: int = 0, first: int | None = None) -> pd.DataFrame:
    """Every `step`-th frame, nuclei numbered within each; parents that fell between two frames are skipped over."""
    frames = np.sort(table["t"].unique())
    frames = frames[frames >= (first or frames[0])][offset::step]
    kept = table[table["t"].isin(frames)].reset_index(drop=True)
    parent = table.dropna(subset=["parent_track_id"]).groupby("track_id")["parent_track_id"].first()
    present = set(kept["track_id"])

    def ancestor(track: float) -> float:
        while not np.isnan(track) and track not in present:
            track = parent.get(track, np.nan)
        return track

    kept["parent_track_id"] = [ancestor(p) for p in kept["parent_track_id"]]
    return kept.assign(label=kept.groupby("t").cumcount() + 1)


def disturbed(table: pd.DataFrame, removed: float = 0.05, added: float = 0.03, seed: int = 0) -> pd.DataFrame:
    """The table without a share of its nuclei and with false ones (track -1) anywhere in the sample's bounding box."""
    rng = np.random.default_rng(seed)
    kept = table[rng.random(len(table)) >= removed]
    false = []
    for t, frame in table.groupby("t"):
        count = rng.binomial(len(frame), added)
        places = rng.uniform(frame[["z", "y", "x"]].min(), frame[["z", "y", "x"]].max(), (count, 3))
        columns = pd.DataFrame(places, columns=["z", "y", "x"])
        false.append(columns.assign(t=t, diameter=rng.choice(frame["diameter"], count), track_id=-1))
    both = pd.concat([kept, *false], ignore_index=True)
    return both.assign(label=both.groupby("t").cumcount() + 1)


def scored(table: pd.DataFrame) -> LinkScores:
    """Track positions and diameters alone, and compare with the truth."""
    found = track_table(table[["t", "z", "y", "x", "diameter"]]).assign(label=table["label"])
    return score_links(links(table), links(found))


def accuracy(errors: bool) -> None:
    """Print scores for each step."""
    table = embryo()
    if table is None:
        sys.exit(
            "The folder NUSETD_DATA has no tracks/c_elegans_1_180.csv; set it to the folder of the development data."
        )
    print("step  link F1  division F1  found/true  seconds" + ("  (link F1 undisturbed)" if errors else ""))
    for step in STEPS:
        part = thinned(table, step)
        plain = f"  {scored(part).link_f1:.4f}" if errors else ""
        start = time.perf_counter()
        scores = scored(disturbed(part) if errors else part)
        seconds = time.perf_counter() - start
        counts = f"{scores.divisions_found}/{scores.divisions_true}"
        print(f"{step:4d}  {scores.link_f1:.4f}   {scores.division_f1:.4f}       {counts:9s}  {seconds:.1f}{plain}")


def brownian(count: int, frames: int, seed: int = 0) -> Iterator[Nuclei]:
    """Nuclei in a cube, 60 um^3 each, that diffuse."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, (count * 60.0) ** (1 / 3), (count, 3))
    for t in range(frames):
        yield Nuclei.from_positions(t, places)
        places = places + rng.normal(0, 0.4, places.shape)


def scaling(frames: int) -> None:
    """Print processor seconds per frame for growing samples, and what n log n would give from the smallest."""
    print("nuclei  s per frame  over n log n  peak MB")
    first: float | None = None
    for count in (500, 1000, 2500, 5000, 10_000):
        tracker = Tracker()
        movie = brownian(count, frames)
        for _ in range(3):
            tracker.advance(next(movie))
        start = time.process_time()
        for nuclei in movie:
            tracker.advance(nuclei)
        seconds = (time.process_time() - start) / (frames - 3)
        unit = seconds / (count * np.log(count))
        first = first or unit
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{count:6d}  {seconds:11.2f}  {unit / first:12.2f}  {peak:7.0f}", flush=True)


def ball() -> None:
    """Print seconds per frame for points so dense that every one is within reach of thousands."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(20_000, 3))
    radius = 5.0 * rng.random(20_000) ** (1 / 3)
    places = direction / np.linalg.norm(direction, axis=1, keepdims=True) * radius[:, None]
    tracker = Tracker()
    for t in range(4):
        start = time.process_time()
        tracker.advance(Nuclei.from_positions(t, places))
        print(f"frame {t}: {time.process_time() - start:.1f} s", flush=True)
        places = places + rng.normal(0, 2.0, places.shape)


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["accuracy", "robustness", "scaling", "ball"])
    parser.add_argument("--frames", type=int, default=8, help="frames per sample size (scaling)")
    arguments = parser.parse_args()
    if arguments.part == "scaling":
        scaling(arguments.frames)
    elif arguments.part == "ball":
        ball()
    else:
        accuracy(arguments.part == "robustness")


if __name__ == "__main__":
    main()
