"""Which of several channels shows nuclei: rendered pictures of two and three channels, judged.

    python tests/benchmarks/bench_channels.py [--pictures 240] [--real] [--fit]

Nuclei lie beside what microscopes show beside them (`cases/channel_scenes.py`). The right channel must be taken or
asked for in 99 of 100 pictures, and no other may be taken without a warning; else the exit code is 1. With `--real` the
nuclei are those of real images (NUSETD_DATA). `--fit` fits the two models of `nuset_engine.channels.choice` on pictures
of other seeds and prints their weights.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cases.channel_scenes import KINDS, Cells, Scene, camera, scene
from development_data import FLUORESCENCE, folder_of

from nuset_engine.channels.choice import Verdict, differences, measures
from nuset_engine.channels.evidence import evidence
from nuset_engine.channels.trial import try_channels
from nuset_engine.segment import Segmenter

LEAST_RIGHT = 0.99
FIT_SEED = 100_000  # far from those that are judged
SIDE = 384


def real_scenes(count: int) -> Iterator[Scene]:
    """Nuclei of real images, cut to a window, beside rendered channels."""
    folder = folder_of(FLUORESCENCE)
    files = sorted((folder / "images").glob("*.tif"))
    step = max(1, len(files) // count)
    for i, file in enumerate(files[step // 2 :: step][:count]):
        image = tifffile.imread(file)[:SIDE, :SIDE]
        truth = tifffile.imread(folder / "labels" / file.name)[:SIDE, :SIDE].astype(np.int32)
        if not truth.any():
            continue
        labels = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
        rng = np.random.default_rng([i, 50_000])
        radius = float(np.sqrt(np.median(np.bincount(labels.ravel())[1:]) / np.pi))
        cells, light = Cells.around(rng, labels, radius), image.astype(np.float32)
        kinds = [str(kind) for kind in rng.choice(sorted(KINDS), size=2, replace=False)]
        planes = [image, *(camera(rng, KINDS[kind](rng, cells, light), kind) for kind in kinds)]
        order = rng.permutation(3)
        named = ("nuclei", *kinds)
        yield Scene(np.stack([planes[n] for n in order]), tuple(named[n] for n in order), int(np.argmin(order)))


def judge(scenes: Iterator[Scene], segmenter: Segmenter) -> tuple[Counter[str], Counter[str], float]:
    """What became of each picture, by outcome; what was asked about, by what lies beside the nuclei; seconds."""
    outcomes, asked, began = Counter[str](), Counter[str](), time.process_time()
    for one in scenes:
        trial = try_channels([[plane] for plane in one.channels], segmenter)
        right = trial.best == one.nuclear
        if trial.verdict is Verdict.CLEAR:
            outcomes["taken" if right else "wrongly taken"] += 1
        else:
            outcomes[f"asked, {'the right' if right else 'another'} one being likeliest"] += 1
            asked.update(kind for kind in one.kinds if kind != "nuclei")
        if trial.verdict is Verdict.CLEAR and not right:
            print(f"wrong: {one.kinds}, channel {trial.best}: {trial.figures}")
    return outcomes, asked, time.process_time() - began


def fit(scenes: Iterator[Scene], segmenter: Segmenter) -> None:
    """Print the weights of both models, fitted with a little shrinkage."""
    looks, truths, pairs = [], [], []
    for one in scenes:
        found = [evidence([plane], list(segmenter.segment_stack([plane]))) for plane in one.channels]
        looks += [measures(channel) for channel in found]
        truths += [i == one.nuclear for i in range(len(found))]
        pairs += [differences(found[one.nuclear], other) for i, other in enumerate(found) if i != one.nuclear]
    first = np.hstack([looks, np.ones((len(looks), 1))])
    print("NUCLEI", np.round(logistic(first, np.array(truths, float), shrunk=len(first[0]) - 1), 2).tolist())
    both = np.vstack([pairs, np.negative(pairs)])
    answers = np.repeat([1.0, 0.0], len(pairs))
    print("RATHER", np.round(logistic(both, answers, shrunk=len(both[0])), 2).tolist())


def logistic(given: np.ndarray, answers: np.ndarray, shrunk: int) -> np.ndarray:
    """Weights of a logistic regression; the first `shrunk` of them are drawn to 0."""
    weights = np.zeros(given.shape[1])
    drawn = np.diag((np.arange(len(weights)) < shrunk).astype(float))
    for _ in range(60):
        p = 1 / (1 + np.exp(-given @ weights))
        slope = given.T @ (p - answers) + drawn @ weights
        weights -= np.linalg.solve((given.T * (p * (1 - p))) @ given + drawn, slope)
    return weights


def main() -> int:
    """Print outcomes; 1 when the limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    segmenter, count = Segmenter(), arguments.pictures
    if arguments.fit:
        fit((scene(FIT_SEED + i) for i in range(count)), segmenter)
        return 0
    scenes = real_scenes(count) if arguments.real else (scene(i) for i in range(count))
    outcomes, asked, seconds = judge(scenes, segmenter)
    total = outcomes.total()
    for outcome, number in sorted(outcomes.items(), key=lambda one: -one[1]):
        print(f"{outcome:45} {number:5} {100 * number / total:6.1f} %")
    print(f"asked about beside: {dict(asked.most_common())}")
    print(f"{seconds / total:.2f} s of processor time a picture")
    right = 1 - outcomes["wrongly taken"] / total
    return 0 if right >= LEAST_RIGHT and not outcomes["wrongly taken"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
