"""A montage: slices of a stack beside each other, each with its own outlines and ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.plots.canvas import new_figure
from daemon.plots.images import colour_ids, draw_outlines, label_nuclei, seen_from_above
from daemon.plots.picture import add_scale_bar, contrast
from daemon.plots.style import INK, counted, plain_number
from daemon.plots.subject import Stack, Subject
from nuset_engine.arrays import RowsN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 16
WIDE_IN = 15.0


def shown_slices(labels_per_slice: RowsN, most: int = MOST_PANELS) -> RowsN:
    """Return which slices are shown: all where they are few, else so many, evenly over those that hold nuclei.

    Parameters
    ----------
    labels_per_slice : (Z,) int64
    """
    count = len(labels_per_slice)
    if count <= most:
        return np.arange(count)
    filled = np.flatnonzero(labels_per_slice)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, count - 1)
    return np.unique(np.linspace(first, last, most).round().astype(np.int64))


def montage(subject: Subject, moment: Stack) -> Figure:
    """Every slice, or sixteen of them, in one contrast."""
    per_slice = np.array([len(np.unique(plane)) - 1 if plane.any() else 0 for plane in moment.labels])
    chosen = shown_slices(per_slice)
    columns = min(len(chosen), max(1, int(np.ceil(np.sqrt(len(chosen) * moment.extent[1] / moment.extent[2])))))
    rows = -(-len(chosen) // columns)
    wide = min(WIDE_IN, 6.5 * columns) / columns
    figure = new_figure(wide * columns, (wide * moment.extent[1] / moment.extent[2] + 0.3) * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    low, high = contrast(moment.image)
    numbers, extent = colour_ids(subject, moment.t), (0, moment.extent[2], moment.extent[1], 0)
    for z, axes in zip(chosen.tolist(), panels, strict=False):
        part = Stack(moment.t, moment.image[z : z + 1], moment.labels[z : z + 1], (1.0, *moment.extent[1:]))
        grey = np.clip((part.image[0].astype(float) - low) / (high - low), 0, 1) ** 0.7
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
        draw_outlines(axes, part, numbers, axis=0)
        label_nuclei(axes, subject, moment.t, seen_from_above(part.labels), part.pixel[1:])
        depth = f", {plain_number(round(z * moment.pixel[0], 2))} µm" if subject.unit == "µm" else ""
        axes.set_title(
            f"slice {z}{depth}: {counted(int(per_slice[z]), 'nucleus', 'nuclei')}", loc="left", fontsize=9, color=INK
        )
        axes.set(xlim=(0, moment.extent[2]), ylim=(moment.extent[1], 0))
        axes.set_axis_off()
    for axes in panels[len(chosen) :]:
        axes.remove()
    add_scale_bar(panels[0], moment.extent[2], moment.extent[1], subject.unit)
    some = f"{len(chosen)} of {len(per_slice)} slices" if len(chosen) < len(per_slice) else f"{len(chosen)} slices"
    number = moment.t + subject.first_number
    words = f"{some} at t = {number}, {subject.numbering}"
    figure.suptitle(words, x=0.012, ha="left", fontsize=11, fontweight="bold", color=INK)
    return figure
