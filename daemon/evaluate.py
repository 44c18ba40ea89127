"""`nusetd evaluate`: segment images, compare with labels made by people, and show where it went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from daemon.engine import load_factory
from daemon.errors import DaemonError
from nuset_engine.colour import grey
from nuset_engine.dataset import by_checksum, read_image, read_pairs
from nuset_engine.evaluation import evaluate
from nuset_engine.evaluation_sheet import WorstImages
from nuset_engine.metrics import average_precision
from nuset_engine.params import SegmentationParams
from nuset_engine.volume import reconstruct


@dataclass(frozen=True)
class EvaluationOrder:
    """What is compared: images and labels of the same names, segmented with which engine; where the details go."""

    images: Path
    labels: Path
    output: Path | None
    factory: str
    weights: str
    threads: int | None
    voxel_size_um: tuple[float, float, float] | None = None
    held_out: int | None = None

    def pairs(self) -> list[tuple[str, Path, Path]]:
        """Name, image and labels of what is compared: all, or what `nusetd train --held-out` left alone."""
        found = read_pairs(self.images, self.labels)
        if self.held_out is None:
            return found
        chosen = set(by_checksum([name for name, _, _ in found])[: self.held_out])
        return [pair for pair in found if pair[0] in chosen]


def evaluate_folders(order: EvaluationOrder) -> pd.DataFrame:
    """Score every image; the overall row.

    With an output folder, `images.csv`, `overall.csv` and `worst.png` (the worst images with outlines) are written.
    """
    segmenter = load_factory(order.factory)(weights=order.weights, params=SegmentationParams(), threads=order.threads)
    sheet = WorstImages()
    result = evaluate(_samples(order, segmenter, sheet))
    if order.output is not None:
        _write(order.output, result.images, result.overall, sheet)
    return result.overall


def _samples(
    order: EvaluationOrder, segmenter: Any, sheet: WorstImages
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    from tqdm import tqdm

    for name, image_path, labels_path in tqdm(
        order.pairs(), unit="image", file=sys.stderr, disable=not sys.stderr.isatty()
    ):
        image, truth = read_image(image_path), read_image(labels_path)
        predicted = _segmented(name, grey(image), segmenter, order.voxel_size_um)
        if predicted.shape != truth.shape:
            raise DaemonError(
                f"The labels {labels_path} are {truth.shape}, their image {image.shape}: they must agree."
            )
        middle: Any = truth.shape[0] // 2 if truth.ndim == 3 else ...  # a plane is shown whole
        flat = image if truth.ndim == 2 else image[middle]
        sheet.offer(name, flat, truth[middle], predicted[middle], float(average_precision(truth, predicted).mean()))
        yield name, truth, predicted


def _segmented(
    name: str, image: np.ndarray, segmenter: Any, voxel_size_um: tuple[float, float, float] | None
) -> np.ndarray:
    """Labels of a plane (Y, X) or a stack (Z, Y, X)."""
    if image.ndim == 3 and voxel_size_um is None:
        raise DaemonError(f"{name} is a stack: give the size of its voxels with --voxel-size Z,Y,X (micrometres).")
    planes = image if image.ndim == 3 else image[None]
    volume = reconstruct(segmenter.segment_stack(planes), voxel_size_um)
    return volume.labels if image.ndim == 3 else volume.labels[0]


def _write(output: Path, images: pd.DataFrame, overall: pd.DataFrame, sheet: WorstImages) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        images.to_csv(output / "images.csv", lineterminator="\n")
        overall.to_csv(output / "overall.csv", lineterminator="\n")
        sheet.save(output / "worst.png")
    except OSError as error:
        raise DaemonError(f"{output} cannot be written ({error.strerror}): choose another --output.") from error
