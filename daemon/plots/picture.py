"""A picture of an acquisition's result: outlines of the nuclei over the image, and their tracks coloured by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.plots.arrays import ColoursN4, SegmentsN22
from daemon.plots.style import ON_DARK, counted, name_numbers
from nuset_engine.arrays import FloatsN, IntsN, LabelsZYX, PointsYX, StackZYX

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

INK, PAPER, QUIET = "#f2f2f2", "#101014", "#a0a0a8"
SCALE_BAR = "scale bar"
"""Group of its lines, over which no id is written."""
PLATE = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.6, "pad": 2.0}
"""What text that lies on an image stands on."""


@dataclass(frozen=True)
class TrackPicture:
    """What is drawn.

    Attributes
    ----------
    image, labels : (Z, Y, X)
        The last time point and its nuclei.
    voxel_size_um : (z, y, x)
    tracks : pandas.DataFrame
        Columns t, centroid_y_um, centroid_x_um, track_id and parent_track_id (missing without parent), a row per
        nucleus and time point.
    track_of : (L,) int64
        Track of label i at [i - 1], so that a nucleus and its track are the same one.
    frame_interval_s : float or None
        None: the colour bar counts time points.
    title, subtitle : str
    """

    image: StackZYX
    labels: LabelsZYX
    voxel_size_um: tuple[float, float, float]
    tracks: pd.DataFrame
    track_of: IntsN
    frame_interval_s: float | None
    title: str
    subtitle: str = ""


def draw(picture: TrackPicture, path: Path) -> None:
    """Write the picture as a PNG.

    Parameters
    ----------
    picture : TrackPicture
    path : Path
        Written at once; an existing file is replaced.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    depth_um, height_um, width_um = np.array(picture.labels.shape) * picture.voxel_size_um
    side_share = float(np.clip(depth_um / height_um, 0.06, 0.6))
    panel_in = 6.0
    height_in = panel_in * (height_um / width_um) * (1 + side_share) + 1.0
    figure = Figure(figsize=(2 * panel_in + 1.5, height_in), facecolor=PAPER)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2,
        3,
        width_ratios=(1, 1, 0.03),
        height_ratios=(1, side_share),
        left=0.02,
        right=0.93,
        bottom=0.03,
        top=1 - 0.72 / height_in,
        wspace=0.03,
        hspace=0.02,
    )
    tops = [figure.add_subplot(grid[0, k]) for k in range(2)]
    sides = [figure.add_subplot(grid[1, k]) for k in range(2)]
    low, high = contrast(picture.image)
    _show_nuclei(tops[0], sides[0], picture, low, high)
    mappable = _show_tracks(tops[1], picture, low, high)
    _show_lineages(sides[1], picture)
    add_scale_bar(tops[0], width_um, height_um)
    _add_colour_bar(figure, figure.add_subplot(grid[0, 2]), mappable, picture)
    figure.text(0.02, 1 - 0.25 / height_in, picture.title, color=INK, fontsize=15, va="center", weight="bold")
    figure.text(0.02, 1 - 0.52 / height_in, picture.subtitle, color=QUIET, fontsize=10.5, va="center")
    figure.savefig(path, dpi=120, facecolor=PAPER)


def contrast(image: StackZYX) -> tuple[float, float]:
    """Grey values shown as black and white: the background's, and nearly the brightest."""
    low, high = np.percentile(image, [20, 99.95])
    return float(low), float(max(high, low + 1))


def _show_nuclei(top: Axes, side: Axes, picture: TrackPicture, low: float, high: float) -> None:
    """Outlines over the maximum projection, from above and from the side."""
    extents_um = np.array(picture.labels.shape) * picture.voxel_size_um
    _show_projection(top, picture, axis=0, low=low, high=high)
    _show_projection(side, picture, axis=1, low=low, high=high)
    palette = colours()
    for label, outline in outlines(picture.labels, axis=0):
        y, x = (outline + 0.5).T * np.array(picture.voxel_size_um[1:])[:, None]
        top.plot(x, y, color=palette[picture.track_of[label - 1] % len(palette)], linewidth=0.9)
    for label, outline in outlines(picture.labels, axis=1):
        z, x = (outline + 0.5).T * np.array([picture.voxel_size_um[0], picture.voxel_size_um[2]])[:, None]
        side.plot(x, z, color=palette[picture.track_of[label - 1] % len(palette)], linewidth=0.7)
    _name(top, f"{len(np.unique(picture.labels)) - 1} nuclei at the last time point, from above")
    _name(side, "the same from the side")
    top.set(xlim=(0, extents_um[2]), ylim=(extents_um[1], 0))
    side.set(xlim=(0, extents_um[2]), ylim=(extents_um[0], 0))


def _show_projection(axes: Axes, picture: TrackPicture, axis: int, low: float, high: float, dim: float = 1.0) -> None:
    """Maximum projection along an axis, in micrometres; `dim` below 1 darkens it."""
    rows_um, columns_um = np.delete(np.array(picture.image.shape) * picture.voxel_size_um, axis)
    grey = np.clip((picture.image.max(axis=axis).astype(float) - low) / (high - low), 0, 1) ** 0.7
    extent = (0, columns_um, rows_um, 0)
    axes.imshow(grey * dim, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="equal", interpolation="bilinear")
    axes.set_axis_off()


def outlines(labels: LabelsZYX, axis: int) -> Iterator[tuple[int, PointsYX]]:
    """Outline of each nucleus's shadow along an axis.

    Parameters
    ----------
    labels : (Z, Y, X) integer
    axis : int

    Yields
    ------
    label : int
    outline : (P, 2) float64
        Row and column in pixels of the projection; a nucleus of several parts yields several.
    """
    from scipy.ndimage import find_objects
    from skimage.measure import find_contours

    boxes: Sequence[tuple[slice, ...] | None] = find_objects(labels.astype(np.int32, copy=False))
    for label, box in enumerate(boxes, start=1):
        if box is None:
            continue
        shadow = np.pad((labels[box] == label).any(axis=axis), 1)
        corner = np.array([s.start for k, s in enumerate(box) if k != axis]) - 1
        for outline in find_contours(shadow.astype(float), 0.5):
            yield label, outline + corner


def _show_tracks(axes: Axes, picture: TrackPicture, low: float, high: float) -> LineCollection:
    """Tracks coloured by time over the dimmed projection, with a mark where a mother divided."""
    from matplotlib.collections import LineCollection

    extents_um = np.array(picture.labels.shape) * picture.voxel_size_um
    _show_projection(axes, picture, axis=0, low=low, high=high, dim=0.4)
    segments, times, births = _segments(picture.tracks)
    per_t = (picture.frame_interval_s or 60.0) / 60
    lines = LineCollection(list(segments), array=times * per_t, cmap="plasma", linewidths=1.9, capstyle="round")
    start, end = (picture.tracks["t"].min(), picture.tracks["t"].max()) if len(times) else (0, 1)
    lines.set_clim(start * per_t, end * per_t)
    axes.add_collection(lines)
    last = picture.tracks[picture.tracks["t"] == picture.tracks["t"].max()]
    axes.scatter(last["centroid_x_um"], last["centroid_y_um"], s=9, color=INK, linewidths=0, zorder=3)
    if len(births):
        axes.scatter(births[:, 1], births[:, 0], s=90, facecolors="none", edgecolors=INK, linewidths=1.2, zorder=4)
    axes.set(xlim=(0, extents_um[2]), ylim=(extents_um[1], 0))
    tracks = picture.tracks["track_id"].nunique()
    _name(axes, f"{tracks} tracks, {counted(len(births), 'division')} (circles)")
    return lines


def _segments(tracks: pd.DataFrame) -> tuple[SegmentsN22, FloatsN, PointsYX]:
    """Steps of all tracks, with the step from a mother to each daughter.

    Returns
    -------
    segments : (S, 2, 2) float64
        x, y of both ends.
    times : (S,) float64
        Time in the middle of each step.
    births : (B, 2) float64
        y, x of each mother's last position.
    """
    columns = ["t", "centroid_y_um", "centroid_x_um"]
    ordered = tracks.sort_values(["track_id", "t"])
    points = {track: rows[columns].to_numpy(float) for track, rows in _by_track(ordered)}
    parents = parents_of(tracks)
    ends = {mother: points[mother][-1:] for mother in set(parents.values())}
    chains = [np.vstack([ends[parents[track]], p]) if track in parents else p for track, p in points.items()]
    steps = [np.stack([chain[:-1], chain[1:]], axis=1) for chain in chains if len(chain) > 1]
    joined = np.concatenate(steps) if steps else np.empty((0, 2, 3))
    births = np.concatenate([ends[mother][:, 1:] for mother in sorted(ends)]) if ends else np.empty((0, 2))
    return joined[:, :, [2, 1]], joined[:, :, 0].mean(axis=1), births


def parents_of(tracks: pd.DataFrame) -> dict[int, int]:
    """Mother of each track that has one among the tracks."""
    known = tracks[["track_id", "parent_track_id"]].dropna().drop_duplicates("track_id").astype(int)
    pairs = zip(known["track_id"].tolist(), known["parent_track_id"].tolist(), strict=True)
    present = set(tracks["track_id"].tolist())
    return {track: parent for track, parent in pairs if parent in present}


def _by_track(table: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Each track's id and rows."""
    for track, rows in table.groupby("track_id", sort=True):
        yield int(track), rows  # type: ignore[arg-type]


def _show_lineages(axes: Axes, picture: TrackPicture) -> None:
    """A line per track over time from left to right, coloured as its nucleus, daughters forking from their mother."""
    parents = parents_of(picture.tracks)
    spans = {track: (int(rows["t"].min()), int(rows["t"].max())) for track, rows in _by_track(picture.tracks)}
    height = {track: row for row, track in enumerate(lineage_order(list(spans), parents))}
    palette = colours()
    for track, (start, end) in spans.items():
        colour = palette[track % len(palette)]
        axes.plot([start, end], [height[track]] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
        if track in parents:
            mother = parents[track]
            axes.plot([spans[mother][1], start], [height[mother], height[track]], color=INK, linewidth=1.1)
    axes.set_facecolor(PAPER)
    axes.set_yticks([])
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_ylim(len(height) + 0.5, -2 - 0.25 * len(height))
    _name(axes, "lineages over time")


def lineage_order(tracks: Sequence[int], parents: Mapping[int, int]) -> list[int]:
    """Track ids in an order that keeps a mother between her daughters.

    Parameters
    ----------
    tracks : sequence of int
    parents : mapping of a track to its mother, both among the tracks
    """
    children: dict[int, list[int]] = {}
    for track, parent in sorted(parents.items()):
        children.setdefault(parent, []).append(track)
    order: list[int] = []
    stack = [(track, False) for track in sorted(tracks, reverse=True) if track not in parents]
    while stack:
        track, opened = stack.pop()
        daughters = children.get(track, [])
        if opened or not daughters:
            order.append(track)
            continue
        before, after = daughters[: len(daughters) // 2], daughters[len(daughters) // 2 :]
        stack += [(d, False) for d in reversed(after)] + [(track, True)] + [(d, False) for d in reversed(before)]
    return order


def colours() -> ColoursN4:
    """Light colours that can be told apart on dark grey, (K, 4)."""
    from matplotlib.colors import to_rgba_array

    return np.asarray(to_rgba_array(ON_DARK), dtype=np.float64)


def _name(axes: Axes, text: str) -> None:
    """A panel's name, in its upper left corner."""
    axes.text(0.012, 0.985, text, transform=axes.transAxes, color=INK, fontsize=9.5, va="top", bbox=PLATE)


def add_scale_bar(axes: Axes, width_um: float, height_um: float, unit: str = "µm") -> None:
    """A bar of a round length, in the lower right corner."""
    length = scale_bar_um(width_um)
    x, y = width_um * 0.965 - length, height_um * 0.965
    for colour, width in ((PAPER, 6.0), (INK, 3.5)):  # it is seen on nuclei too
        axes.plot([x, x + length], [y, y], color=colour, linewidth=width, solid_capstyle="butt", gid=SCALE_BAR)
    middle, above = x + length / 2, y - height_um * 0.016
    axes.text(middle, above, f"{length:g} {unit}", color=INK, fontsize=10, ha="center", va="bottom", bbox=PLATE)


def scale_bar_um(width_um: float) -> float:
    """The largest of 1, 2, 5, 10, ... micrometres that is at most a quarter of the width."""
    target = width_um / 4
    decade = 10.0 ** np.floor(np.log10(target))
    return float(max(step * decade for step in (1, 2, 5) if step * decade <= target * (1 + 1e-9)))


def _add_colour_bar(figure: Figure, axes: Axes, mappable: ScalarMappable, picture: TrackPicture) -> None:
    """The colour bar for time, in minutes where the frame interval is known."""
    bar = figure.colorbar(mappable, cax=axes)
    bar.set_label("time (min)" if picture.frame_interval_s else "time point", color=INK, fontsize=10)
    name_numbers(bar.ax.yaxis, whole=not picture.frame_interval_s)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_visible(False)
