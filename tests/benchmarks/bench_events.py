"""Precision and recall of mitoses, found by the shipped weights on synthetic stacks that no training drew.

    python tests/benchmarks/bench_events.py [--weights mitosis] [--stacks 40]

A detection counts when its box and that of a mitosis share at least 0.3 of their union, one to one. Events that touch
the edge of the image are left out of truth and detections.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from nuset_engine.evaluation.event_scores import EventScores, score_events
from nuset_engine.events import EventDetector
from nuset_engine.inference.proposals import Proposals
from nuset_engine.synthetic.mitosis import mitotic_slices

FIRST_SEED = 9_000_000  # far from the seeds of trainings, which count from 0
SCORES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def without_edge(truth: np.ndarray, found: Proposals) -> tuple[np.ndarray, Proposals]:
    """Truth (Y, X) and boxes that lie wholly inside the image."""
    border = np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]]))
    inner = (found.boxes[:, :2] > 1).all(axis=1) & (found.boxes[:, 2:] < np.array(truth.shape) - 1).all(axis=1)
    return np.where(np.isin(truth, border), 0, truth), found.where(inner)


def main() -> None:
    """Print precision, recall and F1 for several least confidences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="mitosis")
    parser.add_argument("--stacks", type=int, default=40)
    arguments = parser.parse_args()
    detector = EventDetector(arguments.weights, min_score=min(SCORES))
    totals = {score: EventScores(0, 0, 0) for score in SCORES}
    slices = nuclei = 0
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.stacks):
        parts = mitotic_slices(np.random.default_rng(seed))
        slices += len(parts)
        for part, raw in zip(parts, detector.detect([p.image for p in parts]), strict=True):
            nuclei += len(ndi.find_objects(part.nuclei)) - ndi.find_objects(part.nuclei).count(None)
            truth, found = without_edge(part.events, raw)
            for score in SCORES:
                totals[score] += score_events(truth, found.where(found.scores >= score))
    rows = {
        score: {
            "precision": t.precision,
            "recall": t.recall,
            "F1": 2 * t.matched / max(t.true_count + t.found_count, 1),
        }
        for score, t in totals.items()
    }
    print(f"{slices} slices with {nuclei} sections of nuclei and {totals[SCORES[0]].true_count} of mitoses")
    print(pd.DataFrame.from_dict(rows, orient="index").rename_axis("least confidence").round(3).to_string())


if __name__ == "__main__":
    main()
