"""Refit `nuset_engine.reconstruction.columns.EVIDENCE`: when is a column of sections two stacked nuclei?

Run it by hand:  python tests/benchmarks/fit_volume_evidence.py [--seeds 10 11 12] [--frames 8] [--keep FOLDER]

Columns before any cut come from simulated acini as the engine segments their images (other seeds than those that
`bench_acini.py` reports; `--keep` stores the slices and takes them from there next time) and, with less weight, from
clusters with simulated errors at three voxel sizes. A column is two nuclei if each gave it at least a quarter of its
volume. A logistic regression is fitted to the features; each column counts several times, with thicknesses that are
wrong by `UNSURE`, as they are when a stack has few nuclei. The errors are those of seeds that the fit did not see.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_acini
from bench_volume import MODES
from volume_scenes import Slice, cluster, slices_of

from nuset_engine.reconstruction.columns import EVIDENCE, Scale, column_features
from nuset_engine.reconstruction.link import Nodes
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.sections import SectionStack
from nuset_engine.reconstruction.volume import uncut_columns

NAMES = [name for name in EVIDENCE if name != "constant"]
PART = 0.25  # of a nucleus' volume that a column must hold to be a nucleus too many
UNSURE, REPEATS = 0.15, 4
CLUSTER_WEIGHT, RIDGE = 0.2, 1e-3


def columns_with_truth(
    truth: np.ndarray, slices: list[Slice], voxel: tuple[float, float, float], image: np.ndarray | None, seed: int
) -> Iterator[tuple[list[float], bool]]:
    """Features of every column that can be cut, and whether it is two nuclei."""
    stack = SectionStack()
    for z, item in enumerate(slices):
        stack.append(item.labels, item.scores, None if image is None else image[z])
    scale = Scale(voxel[0], voxel[1] * voxel[2])
    nodes, columns, scale = uncut_columns(stack, Nodes.of(stack), scale, VolumeParams())
    owner = np.array(
        [
            np.bincount(truth[z][plane == i + 1]).argmax()
            for z, plane in enumerate(stack.planes)
            for i in range(stack.count(z))
        ]
    )
    whole, chance = np.bincount(truth.ravel()), np.random.default_rng(seed)
    for column in columns:
        parts = np.bincount(owner[column], nodes.area[column], len(whole))[1:]
        two = bool((parts > PART * whole[1:]).sum() > 1)
        for _ in range(REPEATS):
            unsure = float(np.exp(chance.normal(0.0, UNSURE)))
            wrong = replace(
                scale,
                thickness_per_width=scale.thickness_per_width * unsure,
                core_per_width=scale.core_per_width * unsure,
            )
            features = column_features(nodes, column, wrong)
            if features is not None:
                yield [features[name] for name in NAMES], two


def samples(seeds: list[int], frames: int, keep: Path | None) -> Iterator[tuple[int, list[float], bool]]:
    """Seed (0 for clusters), features and truth."""
    for seed in seeds:
        movie = bench_acini.movie_of(frames, seed)
        source = bench_acini.from_images(movie, "fluorescence")
        slices_of_frames = bench_acini.kept(keep / f"s{seed}.npz", source) if keep else source
        for frame, slices in zip(movie.frames, slices_of_frames, strict=True):
            image, truth = movie.render(frame)
            for sample in columns_with_truth(truth, slices, bench_acini.VOXEL, image, seed + frame.t):
                yield seed, *sample
    for step_um in (0.5, 1.0, 2.0):
        for scene, longest in enumerate((1.5, 1.5, 2.0, 2.0)):
            voxel = (step_um, 0.3, 0.3)
            truth = cluster(60, voxel, np.random.default_rng(50 + scene), longest=longest)
            for errors in MODES.values():
                slices = slices_of(truth, np.random.default_rng(scene), errors)
                for sample in columns_with_truth(truth, slices, voxel, None, scene):
                    yield 0, *sample


def fit(x: np.ndarray, two: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Coefficients of a weighted, slightly damped logistic regression."""
    centre, spread = x.mean(axis=0), x.std(axis=0)
    design = np.c_[(x - centre) / spread, np.ones(len(x))]

    def loss(w: np.ndarray) -> float:
        s = design @ w
        wrong = np.logaddexp(0, np.where(two, -s, s)) @ weight / weight.sum()
        return float(wrong + RIDGE * (w[:-1] ** 2).sum())

    w = minimize(loss, np.zeros(design.shape[1])).x
    fitted = dict(zip(NAMES, w[:-1] / spread, strict=True)) | {"constant": w[-1] - (w[:-1] * centre / spread).sum()}
    return {name: round(float(value), 2) for name, value in fitted.items()}


def evidence(x: np.ndarray, terms: dict[str, float]) -> np.ndarray:
    """Evidence of samples, above 0 for two nuclei."""
    return x @ [terms[name] for name in NAMES] + terms["constant"]


def report(title: str, seed: np.ndarray, two: np.ndarray, score: np.ndarray) -> None:
    """Errors on acini and on clusters."""
    for kind, mine in (("acini", seed > 0), ("clusters", seed == 0)):
        cut, spared = (score > 0) & ~two & mine, (score <= 0) & two & mine
        print(
            f"{title}, {kind}: wrongly cut {cut.sum()} of {(~two & mine).sum()}, "
            f"wrongly spared {spared.sum()} of {(two & mine).sum()}"
        )


def main() -> None:
    """Print old and new coefficients with their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    seeds, features, labels = zip(*samples(args.seeds, args.frames, args.keep), strict=True)
    seed, x, two = np.array(seeds), np.array(features), np.array(labels)
    weight = np.where(seed > 0, 1.0, CLUSTER_WEIGHT)
    unseen = np.zeros(len(x))
    for left_out in np.unique(seed):
        mine = seed == left_out
        unseen[mine] = evidence(x[mine], fit(x[~mine], two[~mine], weight[~mine]))
    report("now", seed, two, evidence(x, EVIDENCE))
    report("fitted, left out", seed, two, unseen)
    print("now", EVIDENCE)
    print("fitted", fit(x, two, weight))


if __name__ == "__main__":
    main()
