"""Panels over the image: nuclei on a maximum projection, and tracks coloured by time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.plots.arrays import PointsXY, SegmentsN22
from daemon.plots.picture import add_scale_bar, colours, contrast, outlines
from daemon.plots.style import INK, QUIET, TIME_MAP
from daemon.plots.subject import Stack, Subject
from nuset_engine.arrays import FloatsN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import FigureBase

MOST_VECTOR_LINES = 20_000
"""More lines than that are stored in an SVG as pixels: no viewer would open it otherwise."""


def draw_nuclei(axes: Axes, subject: Subject, stack: Stack) -> None:
    """Outlines and a breath of colour for each nucleus, over the maximum projection; colours follow the tracks."""
    _show_projection(axes, stack, dim=1.0)
    here = subject.nuclei[subject.nuclei["t"] == stack.t]
    owners = here["track_id"].fillna(here["label"]).astype(int)
    track_of: Mapping[int, int] = dict(zip(here["label"].astype(int), owners, strict=True))
    palette = colours()
    for label, outline in outlines(stack.labels, axis=0):
        y, x = (outline + 0.5).T * stack.pixel[1:, None]
        colour = palette[track_of.get(label, label) % len(palette)]
        axes.fill(x, y, facecolor=(*colour[:3], 0.16), edgecolor=colour, linewidth=1.0)
    _finish(axes, subject, stack, f"{len(here)} nuclei at {_moment(subject, stack.t)}")


def draw_tracks(axes: Axes, subject: Subject, stack: Stack) -> LineCollection:
    """Every track as a line coloured by time over the dimmed projection, divisions as circles; return the lines."""
    from matplotlib.collections import LineCollection

    _show_projection(axes, stack, dim=0.45)
    segments, times, births = steps(subject.nuclei, subject.tracks)
    scale, (first, last) = subject.scale, subject.span
    lines = LineCollection(list(segments), array=scale(times), cmap=TIME_MAP, linewidths=1.6, capstyle="round")
    lines.set_clim(scale(first), scale(max(last, first + 1)))
    lines.set_rasterized(len(segments) > MOST_VECTOR_LINES)
    axes.add_collection(lines)
    if len(births):
        axes.scatter(births[:, 0], births[:, 1], s=55, facecolors="none", edgecolors="white", linewidths=1.0, zorder=4)
    tracks = subject.nuclei["track_id"].nunique()
    divisions = f", {len(births)} division{'' if len(births) == 1 else 's'} (circles)" if len(births) else ""
    _finish(axes, subject, stack, f"{tracks} tracks{divisions}")
    return lines


def add_time_bar(figure: FigureBase, axes: Axes, lines: LineCollection, subject: Subject) -> None:
    """The colour bar of `draw_tracks`, beside its panel."""
    from matplotlib.ticker import MaxNLocator

    bar = figure.colorbar(lines, ax=axes, fraction=0.04, pad=0.02)
    bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=subject.scale.label == "time point"))
    bar.ax.tick_params(labelsize=8.5, colors=QUIET)
    bar.set_label(subject.scale.label, fontsize=9.5, color=INK)
    bar.outline.set_visible(False)


def steps(nuclei: pd.DataFrame, tracks: pd.DataFrame) -> tuple[SegmentsN22, FloatsN, PointsXY]:
    """Steps of all tracks, with the step from a mother to each of her daughters.

    Parameters
    ----------
    nuclei : columns t, track_id, y, x
    tracks : columns track_id, parent_track_id

    Returns
    -------
    segments : (S, 2, 2) float64
        x, y of both ends.
    times : (S,) float64
        Middle of each step, in time points.
    births : (B, 2) float64
        x, y of each mother's last position.
    """
    rows = nuclei.dropna(subset=["track_id"]).sort_values(["track_id", "t"])
    owners = rows["track_id"].to_numpy(np.int64)
    points = rows[["x", "y", "t"]].to_numpy(np.float64)
    same = owners[1:] == owners[:-1]
    firsts = {int(k): i for k, i in zip(*np.unique(owners, return_index=True), strict=True)}
    lasts = {int(k): len(owners) - 1 - i for k, i in zip(*np.unique(owners[::-1], return_index=True), strict=True)}
    known = tracks[["track_id", "parent_track_id"]].dropna().astype(np.int64)
    pairs = [(p, d) for d, p in zip(known["track_id"].tolist(), known["parent_track_id"].tolist(), strict=True)]
    pairs = [(p, d) for p, d in pairs if p in lasts and d in firsts]
    starts = np.concatenate([np.flatnonzero(same), np.array([lasts[p] for p, _ in pairs], dtype=np.int64)])
    ends = np.concatenate([np.flatnonzero(same) + 1, np.array([firsts[d] for _, d in pairs], dtype=np.int64)])
    segments = np.stack([points[starts], points[ends]], axis=1)
    births = points[[lasts[p] for p in sorted({p for p, _ in pairs})]][:, :2]
    return segments[:, :, :2], segments[:, :, 2].mean(axis=1), births


def _show_projection(axes: Axes, stack: Stack, dim: float) -> None:
    low, high = contrast(stack.image)
    grey = np.clip((stack.image.max(axis=0).astype(float) - low) / (high - low), 0, 1) ** 0.7
    extent = (0, stack.extent[2], stack.extent[1], 0)
    axes.imshow(grey * dim, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="equal", interpolation="bilinear")


def _finish(axes: Axes, subject: Subject, stack: Stack, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold")
    axes.set(xlim=(0, stack.extent[2]), ylim=(stack.extent[1], 0))
    axes.set_axis_off()
    add_scale_bar(axes, stack.extent[2], stack.extent[1], subject.unit)


def _moment(subject: Subject, t: int) -> str:
    scale, number = subject.scale, t + subject.first_number
    unit = scale.label.partition("(")[2].rstrip(")")
    return f"t = {number} ({scale(t):.3g} {unit})" if unit else f"t = {number}"
