"""Refit `nuset_engine.volume_columns.EVIDENCE`: when is a column of sections two stacked nuclei?

Run it by hand:  python tests/benchmarks/fit_volume_evidence.py [--scenes 6]

It builds the columns of simulated slices before any cut, labels each with the truth (two nuclei if each gave it at
least a tenth of its volume) and fits a logistic regression to their features.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_volume import MODES, acini
from volume_scenes import Slice, cluster, slices_of

from nuset_engine.volume_columns import EVIDENCE, EXCESS_LIMIT, Scale, column_features, measured_scale
from nuset_engine.volume_link import Nodes, Reach, columns_of, link
from nuset_engine.volume_missed import is_blank
from nuset_engine.volume_repair import repair
from nuset_engine.volume_sections import SectionStack

NAMES = [name for name in EVIDENCE if name != "constant"]


def columns_with_truth(
    truth: np.ndarray, slices: list[Slice], voxel: tuple[float, float, float]
) -> list[tuple[list[float], bool]]:
    """Features of every column that can be cut, and whether it is two nuclei."""
    stack = SectionStack()
    for item in slices:
        stack.append(item.labels, item.scores)
    repair(stack, 2)
    nodes = Nodes.of(stack)
    columns = columns_of(link(stack, nodes, Reach(is_blank(stack), 2, 2), 0.2, 0.5))
    scale = measured_scale(Scale(voxel[0], voxel[1] * voxel[2]), nodes, columns, is_blank(stack))
    owner = np.array(
        [
            np.bincount(truth[z][plane == i + 1]).argmax()
            for z, plane in enumerate(stack.planes)
            for i in range(stack.count(z))
        ]
    )
    whole = np.bincount(owner, nodes.area)
    found = []
    for column in columns:
        features = column_features(nodes, column, scale)
        if features is not None:
            parts = np.bincount(owner[column], nodes.area[column], len(whole))
            found.append(([features[name] for name in NAMES], bool(((parts > 0.1 * whole) & (parts > 0)).sum() > 1)))
    return found


def main() -> int:
    """Print old and new coefficients with their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=6, help="scenes of each kind (default 6)")
    scenes = parser.parse_args().scenes
    found = []
    jobs = [((1.0, 0.3, 0.3), truth) for truth in acini(scenes)]
    for voxel in ((1.0, 0.3, 0.3), (2.0, 0.3, 0.3), (0.5, 0.3, 0.3)):
        for longest in (1.5, 2.0):
            jobs += [(voxel, cluster(60, voxel, np.random.default_rng(50 + s), longest=longest)) for s in range(scenes)]
    for number, (voxel, truth) in enumerate(jobs):
        for errors in MODES.values():
            found += columns_with_truth(truth, slices_of(truth, np.random.default_rng(number), errors), voxel)
    x = np.array([features for features, _ in found])
    two = np.array([label for _, label in found])
    centre, spread = x.mean(axis=0), x.std(axis=0)
    design = np.c_[(x - centre) / spread, np.ones(len(x))]

    def loss(w: np.ndarray) -> float:
        s = design @ w
        return float(np.logaddexp(0, np.where(two, -s, s)).mean() + 1e-4 * (w**2).sum())

    w = minimize(loss, np.zeros(design.shape[1])).x
    fitted = dict(zip(NAMES, w[:-1] / spread, strict=True)) | {"constant": w[-1] - (w[:-1] * centre / spread).sum()}
    for title, terms in (("now", EVIDENCE), ("fitted", fitted)):
        s = x @ [terms[name] for name in NAMES] + terms["constant"]
        print(title, {k: round(float(v), 2) for k, v in terms.items()}, end=" ")
        print(
            f"wrongly cut {(s[~two] > 0).sum()} of {(~two).sum()}, wrongly spared {(s[two] <= 0).sum()} of {two.sum()}"
        )
    print(f"excess is limited to {EXCESS_LIMIT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
