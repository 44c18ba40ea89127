"""Precision and recall of mitoses, found by the shipped weights on synthetic stacks that no training drew.

    python tests/benchmarks/bench_events.py [--weights mitosis] [--stacks 40] [--first-seed 9000000]

A detection counts when its box and that of a mitosis share at least 0.3 of their union, one to one. Events that touch
the edge of the image are left out of truth and detections. Sections are the boxes of single slices; events are those of
neighbouring slices linked, and are found where one of their sections is. Sections under an eighth of a nucleus, which
are too small for a label, count as false where they are found; in the columns `but faint` they do not count.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from given_weights import known_weights

from nuset_engine.evaluation.event_scores import EventScores, inside, score_events, score_linked_events
from nuset_engine.events import EventDetector, linked
from nuset_engine.inference.proposals import Proposals
from nuset_engine.synthetic.mitosis import MitoticSlice, mitotic_slices

FIRST_SEED = 9_000_000  # far from the seeds of trainings, which count from 0
SCORES = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
NONE = EventScores(0, 0, 0)


def without_edge(truth: np.ndarray, found: Proposals) -> tuple[np.ndarray, Proposals]:
    """Truth (Y, X) and boxes that lie wholly inside the image."""
    border = np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]]))
    return np.where(np.isin(truth, border), 0, truth), found.where(inside(found, truth.shape))


def scored(parts: list[MitoticSlice], slices: list[Proposals]) -> dict[str, EventScores]:
    """Sections and events of one stack, with faint sections counted and without."""
    pairs = [(*without_edge(part.events, found), part.faint) for part, found in zip(parts, slices, strict=True)]
    truth, faint = (np.stack([getattr(part, name) for part in parts]) for name in ("events", "faint"))
    return {
        "sections": sum((score_events(true, found) for true, found, _ in pairs), NONE),
        "sections but faint": sum((score_events(true, found, faint=small) for true, found, small in pairs), NONE),
        "events": score_linked_events(truth, slices, linked(slices)),
        "events but faint": score_linked_events(truth, slices, linked(slices), faint=faint),
    }


def main() -> None:
    """Print precision, recall and F1 for several least confidences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=known_weights, default="mitosis")
    parser.add_argument("--stacks", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    arguments = parser.parse_args()
    detector = EventDetector(arguments.weights, min_score=min(SCORES))
    totals: dict[tuple[str, float], EventScores] = {}
    slices = nuclei = 0
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.stacks):
        parts = mitotic_slices(np.random.default_rng(seed))
        slices += len(parts)
        nuclei += sum(len(np.unique(part.nuclei)) - 1 for part in parts)
        found = list(detector.detect([part.image for part in parts]))
        for score in SCORES:
            for what, one in scored(parts, [f.where(f.scores >= score) for f in found]).items():
                totals[what, score] = totals.get((what, score), NONE) + one
    count = {what: totals[what, SCORES[0]].true_count for what in ("sections", "events")}
    print(
        f"{slices} slices with {nuclei} sections of nuclei; {count['events']} mitoses in {count['sections']} sections"
    )
    for what in dict.fromkeys(name for name, _ in totals):
        rows = {
            score: {"precision": one.precision, "recall": one.recall, "F1": one.f1}
            for (name, score), one in totals.items()
            if name == what
        }
        print(f"\n{what}")
        print(pd.DataFrame.from_dict(rows, orient="index").rename_axis("least confidence").round(3).to_string())


if __name__ == "__main__":
    main()
