"""Panels over the image: nuclei on a maximum projection and from the side, and tracks coloured by time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from daemon.plots.arrays import PointsXY, SegmentsN22
from daemon.plots.ids import IdText, widest_place
from daemon.plots.picture import add_scale_bar, colours, contrast, outlines
from daemon.plots.style import INK, QUIET, TIME_MAP, counted, measured, name_numbers, plain_number
from daemon.plots.subject import Stack, Subject
from nuset_engine.arrays import FloatsN, LabelsZYX

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import FigureBase

LEAST_DEPTH = 0.12
"""Of its width, a stack's depth as it is drawn from the side."""
MOST_VECTOR_LINES = 20_000
"""More lines than that are stored in an SVG as pixels: no viewer would open it otherwise."""


def draw_nuclei(axes: Axes, subject: Subject, stack: Stack) -> None:
    """Outlines and a breath of colour for each nucleus, over the maximum projection; colours follow the tracks.

    Each nucleus has its id where there is room, see `daemon.plots.ids`.
    """
    show_projection(axes, stack)
    here = subject.nuclei[subject.nuclei["t"] == stack.t]
    draw_outlines(axes, stack, colour_ids(subject, stack.t), axis=0)
    label_nuclei(axes, subject, stack.t, seen_from_above(stack.labels), stack.pixel[1:])
    _finish(
        axes,
        subject,
        stack,
        f"{counted(len(here), 'nucleus', 'nuclei')} at {_moment(subject, stack.t)}, {subject.numbering}",
    )


def draw_side(axes: Axes, subject: Subject, stack: Stack) -> None:
    """The same nuclei from the side: x and z, the first slice above; a thin stack is stretched, and it is said how far.

    A view along y, so that it stands below the one from above with nuclei under each other.
    """
    show_projection(axes, stack, axis=1)
    draw_outlines(axes, stack, colour_ids(subject, stack.t), axis=1)
    _finish_side(axes, subject, stack)


def draw_tracks_side(axes: Axes, subject: Subject, stack: Stack) -> None:
    """Tracks from the side, as `draw_side` shows nuclei."""
    show_projection(axes, stack, dim=0.45, axis=1)
    _add_tracks(axes, subject, axis="z")
    _finish_side(axes, subject, stack)


def _finish_side(axes: Axes, subject: Subject, stack: Stack) -> None:
    stretch = side_stretch(stack)
    axes.set_aspect(stretch)
    axes.set(xlim=(0, stack.extent[2]), ylim=(stack.extent[0], 0))
    more = f", z stretched {plain_number(round(stretch, 1))} times" if stretch > 1 else ""
    deep = f", {plain_number(round(stack.extent[0], 2))} µm deep" if subject.unit == "µm" else ""
    axes.set_title(f"From the side: {stack.image.shape[0]} slices{deep}{more}", loc="left", fontsize=9.5, color=INK)
    axes.set_axis_off()


def side_stretch(stack: Stack) -> float:
    """How much longer z is drawn than it is, so that outlines in a thin stack can be told apart."""
    return max(1.0, LEAST_DEPTH * stack.extent[2] / stack.extent[0])


def colour_ids(subject: Subject, t: int) -> Mapping[int, int]:
    """The number by which each label of a time point is coloured: its track's, else its own."""
    here = subject.nuclei[subject.nuclei["t"] == t]
    owners = here["track_id"].fillna(here["label"]).astype(int)
    return dict(zip(here["label"].astype(int).tolist(), owners.tolist(), strict=True))


def draw_outlines(axes: Axes, stack: Stack, numbers: Mapping[int, int], axis: int) -> None:
    """Outlines of shadows along an axis, in lengths; those from above, of which few cover another, are filled."""
    palette = colours()
    pixel = np.delete(stack.pixel, axis)
    for label, outline in outlines(stack.labels, axis=axis):
        y, x = (outline + 0.5).T * pixel[:, None]
        colour = palette[numbers.get(label, label) % len(palette)]
        axes.fill(x, y, facecolor=(*colour[:3], 0.0 if axis else 0.12), edgecolor=colour, linewidth=1.0)


def seen_from_above(labels: LabelsZYX) -> Mapping[int, tuple[PointsXY, float]]:
    """Where each label's shadow is widest, x, y in pixels, and the radius there; first where no other one is.

    Parameters
    ----------
    labels : (Z, Y, X)
    """
    from scipy.ndimage import find_objects

    boxes = [(n, box) for n, box in enumerate(find_objects(labels.astype(np.int32, copy=False)), 1) if box is not None]
    shadows = {label: (labels[box] == label).any(axis=0) for label, box in boxes}
    covered = np.zeros(labels.shape[1:], dtype=np.int32)
    for label, box in boxes:
        covered[box[1:]] += shadows[label]
    found = {}
    for label, box in boxes:
        alone = widest_place(shadows[label] & (covered[box[1:]] == 1))
        whole = widest_place(shadows[label])
        place, radius = alone if alone[1] >= 0.5 * whole[1] else whole
        found[label] = (place + np.array([box[2].start, box[1].start]), radius)
    return found


def label_nuclei(
    axes: Axes, subject: Subject, t: int, places: Mapping[int, tuple[PointsXY, float]], pixel: FloatsN
) -> None:
    """Write ids into nuclei, the widest first; which, `Subject.numbering` says."""
    here = subject.nuclei[subject.nuclei["t"] == t]
    ids = dict(zip(here["label"].astype(int).tolist(), here[subject.numbered_by].tolist(), strict=True))
    for label, (place, radius) in sorted(places.items(), key=lambda one: -one[1][1]):
        number = ids.get(label)
        if number is not None and not pd.isna(number):
            x, y = place * pixel[::-1]
            IdText(axes, (float(x), float(y)), int(number), tuple(2 * radius * pixel[::-1]), inside=True)


def draw_tracks(axes: Axes, subject: Subject, stack: Stack) -> LineCollection:
    """Every track as a line coloured by time over the dimmed projection, divisions as circles; return the lines."""
    show_projection(axes, stack, dim=0.45)
    lines, births = _add_tracks(axes, subject, axis="y")
    tracks = subject.nuclei["track_id"].nunique()
    divisions = f", {counted(births, 'division')} (circles)" if births else ""
    _finish(axes, subject, stack, f"{counted(tracks, 'track')}{divisions}")
    return lines


def _add_tracks(axes: Axes, subject: Subject, axis: Literal["y", "z"]) -> tuple[LineCollection, int]:
    """Lines in x and another axis, and circles where mothers were last seen, of which there are so many."""
    from matplotlib.collections import LineCollection

    segments, times, births = steps(subject.nuclei.assign(y=subject.nuclei[axis]), subject.tracks)
    scale, (first, last) = subject.scale, subject.span
    lines = LineCollection(list(segments), array=scale(times), cmap=TIME_MAP, linewidths=1.6, capstyle="round")
    lines.set_clim(scale(first), scale(max(last, first + 1)))
    lines.set_rasterized(len(segments) > MOST_VECTOR_LINES)
    axes.add_collection(lines)
    if len(births):
        axes.scatter(births[:, 0], births[:, 1], s=55, facecolors="none", edgecolors="white", linewidths=1.0, zorder=4)
    return lines, len(births)


def add_time_bar(figure: FigureBase, axes: list[Axes], lines: LineCollection, subject: Subject) -> None:
    """The colour bar of `draw_tracks`, beside its panels."""
    bar = figure.colorbar(lines, ax=axes, fraction=0.04, pad=0.02)
    name_numbers(bar.ax.yaxis, whole=subject.scale.label == "time point")
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


def show_projection(axes: Axes, stack: Stack, dim: float = 1.0, axis: int = 0) -> None:
    """Maximum projection along an axis, in lengths; `dim` below 1 darkens it."""
    low, high = contrast(stack.image)
    grey = np.clip((stack.image.max(axis=axis).astype(float) - low) / (high - low), 0, 1) ** 0.7
    rows, columns = np.delete(np.array(stack.extent), axis)
    extent = (0, columns, rows, 0)
    axes.imshow(grey * dim, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="equal", interpolation="bilinear")


def _finish(axes: Axes, subject: Subject, stack: Stack, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold")
    axes.set(xlim=(0, stack.extent[2]), ylim=(stack.extent[1], 0))
    axes.set_axis_off()
    add_scale_bar(axes, stack.extent[2], stack.extent[1], subject.unit)


def _moment(subject: Subject, t: int) -> str:
    scale, number = subject.scale, t + subject.first_number
    unit = scale.label.partition("(")[2].rstrip(")")
    timed = unit and len(subject.times) > 1
    return f"t = {number} ({measured(scale(t))} {unit})" if timed else f"t = {number}"
