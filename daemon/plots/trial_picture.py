"""The picture of `nusetd try`: the same slices with the outlines of every trial beside those of the first one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.plots.canvas import save
from daemon.plots.style import INK, QUIET, counted, plain_name
from nuset_engine.arrays import LabelsYX, PictureYX3, PlaneYX
from nuset_engine.evaluation.worst_images import PREDICTION_COLOUR, TRUTH_COLOUR, outlines

if TYPE_CHECKING:
    from daemon.files.trial import Trial, Trials

CLEAR_PX = 600  # smaller images are enlarged, so that outlines hide little
PANEL_INCHES = 4.6
DPI = 130


def draw_trials(found: Trials, path: Path) -> None:
    """Write the picture, a column for each trial and a row for each slice.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first, rows, columns = found.trials[0], len(found.slices), len(found.trials)
    height, width = found.planes[0].shape
    panel = PANEL_INCHES * min(max(height / width, 0.4), 2.0)
    figure = Figure(figsize=(PANEL_INCHES * columns, panel * rows + 1.1), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for column, trial in enumerate(found.trials):
        for row, z in enumerate(found.slices):
            axis = axes[row][column]
            before = None if trial is first else first.shown[row]
            axis.imshow(picture(found.planes[row], found.levels, before, trial.shown[row]), interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            if column == 0 and rows > 1:
                axis.set_ylabel(f"slice {z}", color=QUIET)
        axes[0][column].set_title(_caption(trial, found.unit), fontsize=9.5, color=INK, loc="left")
    words = plain_name(f"{found.title}: cyan {first.name}, orange the other, white both")
    figure.suptitle(words, x=0.01, ha="left", color=INK, parse_math=False)
    save(figure, path, DPI)


def picture(plane: PlaneYX, levels: tuple[float, float], before: LabelsYX | None, now: LabelsYX) -> PictureYX3:
    """(Y, X, 3) uint8: a plane with outlines of both, one pixel wide; where they agree both colours mix to white."""
    times = max(1, -(-CLEAR_PX // max(plane.shape)))
    low, high = levels
    grey = np.clip((np.nan_to_num(plane.astype(np.float32)) - low) / max(high - low, 1e-6), 0, 1) ** 0.8
    large = np.repeat((200 * grey).astype(np.uint8).repeat(times, 0).repeat(times, 1)[..., None], 3, axis=2)
    edges = [None if one is None else outlines(one.repeat(times, 0).repeat(times, 1)) for one in (before, now)]
    for edge, colour in zip(
        edges, (TRUTH_COLOUR, PREDICTION_COLOUR if before is not None else TRUTH_COLOUR), strict=True
    ):
        if edge is not None:
            large[edge] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    if edges[0] is not None and edges[1] is not None:
        large[edges[0] & edges[1]] = 255
    return large


def _caption(trial: Trial, unit: str) -> str:
    """Its settings, and what they give."""
    count = len(trial.diameters_um)
    size = f", median diameter {np.median(trial.diameters_um):.3g} {unit}" if count else ""
    change = ""
    if trial.changes is not None:
        one = trial.changes
        parts = [f"{one.kept} kept"] + [
            f"{number} {word}"
            for number, word in ((one.lost, "lost"), (one.new, "new"), (one.cut, "cut"), (one.merged, "merged"))
            if number
        ]
        change = f"\n{', '.join(parts)}"
    return f"{trial.name}\n{counted(count, 'nucleus', 'nuclei')}{size}{change}"
