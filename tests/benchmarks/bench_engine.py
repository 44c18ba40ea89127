"""Accuracy of the shipped network under degradation, and its cost: tables on the development split.

    python tests/benchmarks/bench_engine.py robustness     blurred, noisy, dim, larger, smaller images
    python tests/benchmarks/bench_engine.py speed          seconds per megapixel, and how much of it is the network

Data: `dsb2018_fluorescence/` in the folder that `NUSETD_DATA` names (default ../shared/data); its 54 images with the
smallest CRC-32 of their name, which no shipped weights were trained on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from nuset_engine.dataset import by_checksum, median_diameter, read_image, read_pairs
from nuset_engine.evaluation import evaluate
from nuset_engine.inference import run_network
from nuset_engine.resample import resample, resample_labels, scaled_shape
from nuset_engine.segment import Segmenter, nuclei_of

HELD_OUT = 54
COLUMNS = ["ap_50", "ap", "touching_separated_rate", "fn_rate", "fp_rate", "mean_iou"]
Pair = tuple[str, np.ndarray, np.ndarray]


def development_split() -> list[Pair]:
    """Name, image (Y, X) and labels of the images held out from training."""
    root = Path(os.environ.get("NUSETD_DATA", "../shared/data")) / "dsb2018_fluorescence"
    if not root.is_dir():
        sys.exit(f"{root} is not there: set NUSETD_DATA to the folder of the development data.")
    pairs = {name: (image, labels) for name, image, labels in read_pairs(root / "images", root / "labels")}
    return [
        (name, read_image(pairs[name][0]), read_image(pairs[name][1])) for name in by_checksum(list(pairs))[:HELD_OUT]
    ]


def noisy(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Gaussian noise of a third of the contrast between nuclei and background."""
    contrast = image[labels > 0].mean() - image[labels == 0].mean()
    return image + np.random.default_rng(0).normal(0, contrast / 3, image.shape)


def rescaled(factor: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A change of image and labels to another number of pixels."""

    def change(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shape = scaled_shape(image.shape, factor)
        return resample(image, shape), resample_labels(labels, shape)

    return change


VARIANTS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "as they are": lambda i, t: (i, t),
    "blurred, sigma 2 px": lambda i, t: (ndi.gaussian_filter(i.astype(np.float32), 2), t),
    "noisy, SNR 3": lambda i, t: (noisy(i, t), t),
    "dim, 5 % of the range": lambda i, t: (np.round(i / max(i.max(), 1) * 0.05 * 255).astype(np.uint8), t),
    "inverted": lambda i, t: (i.max() - i, t),
    "double size": rescaled(2),
    "half size": rescaled(0.5),
}


def robustness(segmenter: Segmenter, pairs: list[Pair]) -> pd.DataFrame:
    """One row of scores per kind of degradation."""
    rows = {}
    for name, change in VARIANTS.items():
        samples = []
        for stem, image, labels in pairs:
            other, truth = change(image, labels)
            samples.append((stem, truth, segmenter.segment_plane(other).labels))
        rows[name] = evaluate(samples).overall.iloc[0][COLUMNS]
        print(name, rows[name].round(3).to_dict(), file=sys.stderr)
    table = pd.DataFrame(rows).T.astype(float)
    table.insert(1, "ap_50 lost", table["ap_50"].iloc[0] - table["ap_50"])
    return table


def speed(segmenter: Segmenter, pairs: list[Pair]) -> pd.DataFrame:
    """Seconds per input megapixel: everything, the survey, the network alone; for small and large nuclei."""
    p, rows = segmenter.params, {}
    for name, low, high, wanted in (("nuclei of 20 px", 15, 30, 20), ("nuclei of 60 px", 30, 90, 60)):
        image = next(i for _, i, t in pairs if low < median_diameter(t) < high and i.size > 60_000)
        truth = next(t for _, i, t in pairs if i is image)
        plane = np.tile(resample(image, scaled_shape(image.shape, wanted / median_diameter(truth))), (4, 4))[
            :1024, :1024
        ]
        megapixels = plane.size / 1e6
        best = {"all": np.inf, "survey": np.inf, "network": np.inf}
        for _ in range(3):
            began = time.perf_counter()
            statistics = segmenter.statistics([plane])
            surveyed = time.perf_counter()
            small = resample(plane, scaled_shape(plane.shape, statistics.scale))
            start = time.perf_counter()
            maps = run_network(
                [small],
                statistics.intensity,
                segmenter._predictor,
                tile=p.tile_px,
                min_score=p.seed_score,
                nms_iou=p.nms_iou,
            )
            done = time.perf_counter()
            nuclei_of(maps[0], plane.shape, p)
            ended = time.perf_counter()
            for key, value in (("all", ended - began), ("survey", surveyed - began), ("network", done - start)):
                best[key] = min(best[key], value / megapixels)
        rows[f"{name}, {plane.shape[0]} x {plane.shape[1]}"] = {
            **{f"{key} s/MP": value for key, value in best.items()},
            "all / network passes": best["all"] / (best["survey"] + best["network"]),
        }
    return pd.DataFrame(rows).T


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["robustness", "speed"])
    parser.add_argument("--weights", default="fluorescence")
    arguments = parser.parse_args()
    segmenter = Segmenter(arguments.weights)
    table = {"robustness": robustness, "speed": speed}[arguments.what](segmenter, development_split())
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
