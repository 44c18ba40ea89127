"""Accuracy of the shipped network under degradation: a table on the development split.

    python tests/benchmarks/bench_engine.py robustness     blurred, noisy, dim, uneven, inverted, larger, smaller images

Seconds and memory are measured by `bench_engine_speed.py`.

Data: `dsb2018_fluorescence/` in the folder that `NUSETD_DATA` names (default ../shared/data); its 54 images with the
smallest CRC-32 of their name, which no shipped weights were trained on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from nuset_engine.evaluation.scores import evaluate
from nuset_engine.planes.resample import resample, resample_labels, scaled_shape
from nuset_engine.segment import Segmenter
from nuset_engine.training.dataset import by_checksum, read_image, read_pairs

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


def uneven(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A background that rises from one side to the other by as much as the nuclei are bright."""
    contrast = np.percentile(image[labels > 0], 90) - np.median(image[labels == 0])
    return image + contrast * np.linspace(0, 1, image.shape[1])


def with_hot_pixels(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One pixel in 5,000 forty times as bright as any other."""
    out = image.astype(np.float32)
    out[np.random.default_rng(0).random(image.shape) < 2e-4] = 40 * image.max()
    return out


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
    "uneven background": lambda i, t: (uneven(i, t), t),
    "hot pixels": lambda i, t: (with_hot_pixels(i, t), t),
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


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["robustness"])
    parser.add_argument("--weights", default="fluorescence")
    arguments = parser.parse_args()
    segmenter = Segmenter(arguments.weights)
    table = robustness(segmenter, development_split())
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
