"""A sheet of the worst images of an evaluation, with the outlines of truth and prediction."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import ImageYX, LabelsYX, MaskYX, PictureYX3
from nuset_engine.errors import EngineError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
CLEAR_PX = 400  # smaller images are enlarged, so that outlines hide little
TRUTH_COLOUR = "#00e0ff"  # cyan and orange stay apart for colour-blind eyes
PREDICTION_COLOUR = "#ff8c00"
GREY_RANGE = (1.0, 99.8)  # percentiles shown as black and white


@dataclass(order=True)
class _Entry:
    """One image; the heap's smallest is the best of the worst."""

    negative_score: float
    negative_order: int
    name: str = field(compare=False)
    image: ImageYX = field(compare=False)
    truth: LabelsYX = field(compare=False)
    predicted: LabelsYX = field(compare=False)


class WorstImages:
    """Keeps the images with the lowest scores, so that a data set of any size needs memory for these alone."""

    def __init__(self, keep: int = 12) -> None:
        if keep < 1:
            raise EngineError(f"A sheet of {keep} images shows nothing; keep at least one.")
        self._keep = keep
        self._seen = 0
        self._heap: list[_Entry] = []

    def offer(self, name: str, image: ImageYX, truth: LabelsYX, predicted: LabelsYX, score: float) -> None:
        """Show an image, grey (Y, X) or colour (Y, X, 3), with its labels (Y, X); of stacks, offer the middle slice.

        Of images with the same score the first ones are kept.
        """
        self._seen += 1
        entry = _Entry(-score, -self._seen, name, image, truth, predicted)
        if len(self._heap) < self._keep:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def names(self) -> list[str]:
        """Names of the images kept, worst first."""
        return [entry.name for entry in self._worst_first()]

    def pictures(self) -> Iterator[tuple[str, float, bytes]]:
        """Name, score and a PNG with both outlines of each image, worst first, pixel by pixel."""
        from PIL import Image

        for entry in self._worst_first():
            buffer = io.BytesIO()
            Image.fromarray(_picture(entry)).save(buffer, format="PNG")
            yield entry.name, -entry.negative_score, buffer.getvalue()

    def _worst_first(self) -> list[_Entry]:
        return sorted(self._heap, reverse=True)

    def save(self, path: str | Path) -> Path:
        """Draw the sheet as a PNG.

        Raises
        ------
        EngineError
            If no image was offered.
        """
        if not self._heap:
            raise EngineError("There is no image to draw; offer at least one before saving the sheet.")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        entries = self._worst_first()
        columns = min(COLUMNS, len(entries))
        rows = -(-len(entries) // columns)
        figure = Figure(figsize=(4 * columns, 4.3 * rows + 0.4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, entry in zip(axes, entries, strict=False):
            _draw(axis, entry)
        figure.suptitle("Worst images: truth cyan, prediction orange")
        figure.savefig(path, dpi=100, format="png")
        return Path(path)


def _draw(axis: Axes, entry: _Entry) -> None:
    """One panel: the image and both sets of outlines."""
    axis.imshow(_stretched(entry.image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for labels, colour in ((entry.truth, TRUTH_COLOUR), (entry.predicted, PREDICTION_COLOUR)):
        edges = outlines(labels)
        layer = np.zeros((*edges.shape, 4))
        layer[edges] = [*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)), 0.8]
        axis.imshow(layer, interpolation="nearest")
    axis.set_title(f"{entry.name}  {-entry.negative_score:.2f}", fontsize=9)


def _picture(entry: _Entry) -> PictureYX3:
    """(Y, X, 3) uint8: the image, at least `CLEAR_PX` across, with outlines one pixel wide."""
    times = max(1, -(-CLEAR_PX // min(entry.truth.shape)))
    grey = _stretched(entry.image)
    colours = np.stack([grey] * 3, axis=-1) if grey.ndim == 2 else grey[..., :3]
    large = (255 * colours.repeat(times, axis=0).repeat(times, axis=1)).astype(np.uint8)
    for labels, colour in ((entry.truth, TRUTH_COLOUR), (entry.predicted, PREDICTION_COLOUR)):
        large[outlines(labels.repeat(times, axis=0).repeat(times, axis=1))] = [
            int(colour[i : i + 2], 16) for i in (1, 3, 5)
        ]
    return large


def outlines(labels: LabelsYX) -> MaskYX:
    """(Y, X) bool: pixels of nuclei beside which, in the same row or column, something else lies."""
    edges = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        differ = np.diff(labels.astype(np.int64), axis=axis) != 0
        before = [slice(None)] * 2
        after = [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        edges[tuple(before)] |= differ
        edges[tuple(after)] |= differ
    return edges & (labels > 0)


def _stretched(image: ImageYX) -> ImageYX:
    """The image as numbers from 0 to 1 between two percentiles; black where it is constant."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = np.percentile(values, GREY_RANGE)
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
