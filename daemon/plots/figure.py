"""Which panels show an acquisition, and how they are arranged: none that would be empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from daemon.plots import charts, images, lineage, slices
from daemon.plots.canvas import add_caption, new_figure
from daemon.plots.style import INK, QUIET, counted, plain_name
from daemon.plots.subject import Stack, Subject, load, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

LONGEST_TITLE = 80
"""Characters of a line that leave room for the counts beside it."""
ONE_PICTURE_IN = 7.5

Draw = Callable[["Axes", Subject], None]
CHARTS: Mapping[str, Draw] = {
    "counts": charts.draw_counts,
    "lineage": lineage.draw_lineage,
    "msd": charts.draw_msd,
}
PICTURES = ("summary", "nuclei", "slices", "tracks", "counts", "sizes", "lineage", "msd")
WITH_IMAGE = frozenset({"summary", "nuclei", "slices", "tracks", "sizes"})


def draw(url: str, acquisition: int | str, picture: str, t: int | None = None) -> Figure:
    """Return the figure of an acquisition with its caption.

    Parameters
    ----------
    url : of the database
    acquisition : id or name
    picture : one of `PICTURES`
    t : int or None
        The time point whose image is shown, as people write it; None: the last.

    Raises
    ------
    UsageError, StorageError
    """
    subject, found = load(url, acquisition)
    figure = compose(picture, subject, stack(found, t) if picture in WITH_IMAGE else None)
    channel = f"nuclei in {plain_name(subject.channel)}" if subject.channel else ""
    add_caption(figure, "" if picture == "summary" else subject.in_words, channel)
    return figure


def compose(picture: str, subject: Subject, moment: Stack | None) -> Figure:
    """Return the figure; `moment` is needed for those that show an image."""
    if picture in CHARTS:
        figure = new_figure(ONE_PICTURE_IN, _height_of_lineage(subject) if picture == "lineage" else 4.6)
        CHARTS[picture](figure.subplots(), subject)
        return figure
    assert moment is not None
    return {"summary": _summary, "sizes": _sizes, "slices": slices.montage, "nuclei": _nuclei, "tracks": _tracks}[
        picture
    ](subject, moment)


def _nuclei(subject: Subject, moment: Stack) -> Figure:
    """From above, and a stack from the side below it."""
    above, below = _inches_of(moment, ONE_PICTURE_IN)
    figure = new_figure(ONE_PICTURE_IN, above + below + 0.6)
    _add_views(figure, subject, moment, above, below)
    return figure


def _add_views(figure: FigureBase, subject: Subject, moment: Stack, above: float, below: float) -> None:
    if not below:
        images.draw_nuclei(figure.subplots(), subject, moment)
        return
    top, side = figure.subplots(2, 1, height_ratios=(above, below))
    images.draw_nuclei(top, subject, moment)
    images.draw_side(side, subject, moment)


def _inches_of(moment: Stack, side: float) -> tuple[float, float]:
    """Heights of the views from above and from the side, so wide; the latter 0 for single planes."""
    depth, height, width = moment.extent
    above = min(max(side * height / width, 2.0), 15.0)
    if moment.image.shape[0] == 1:
        return above, 0.0
    return above, min(max(side * depth / width * images.side_stretch(moment), 0.8), 6.0) + 0.25


def _tracks(subject: Subject, moment: Stack) -> Figure:
    above, _ = _inches_of(moment, ONE_PICTURE_IN)
    figure = new_figure(ONE_PICTURE_IN + 0.9, above + 0.5)
    panel = figure.subplots()
    images.add_time_bar(figure, [panel], images.draw_tracks(panel, subject, moment), subject)
    return figure


def _sizes(subject: Subject, moment: Stack) -> Figure:
    """Sizes, for stacks areas from above too, and their course where there is one."""
    drawn: list[Callable[[Axes], None]] = [lambda axes: charts.draw_sizes(axes, subject)]
    if moment.image.shape[0] > 1:
        drawn.append(lambda axes: charts.draw_shadows(axes, subject, moment))
    if len(subject.times) > 1:
        drawn.append(lambda axes: charts.draw_sizes_over_time(axes, subject))
    figure = new_figure(5.2 * len(drawn), 4.2)
    for axes, fill in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        fill(axes)
    return figure


def _summary(subject: Subject, moment: Stack) -> Figure:
    """Nuclei and tracks above, numbers below; for a single time point nuclei and sizes, which is all there is."""
    if len(subject.times) < 2:
        return _summary_of_one(subject, moment)
    above, below = _inches_of(moment, 6.6)
    tree = max(min(_height_of_lineage(subject), 7.0), 5.6)
    figure = new_figure(15.0, above + below + tree + 1.9)
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(above + below + 1.3, tree))
    (left, right) = upper.subfigures(1, 2, squeeze=False)[0]
    _add_views(left, subject, moment, above, below)
    rows = right.subplots(2 if below else 1, 1, squeeze=False, height_ratios=(above, below) if below else (1,))[:, 0]
    images.add_time_bar(right, list(rows), images.draw_tracks(rows[0], subject, moment), subject)
    if below:
        images.draw_tracks_side(rows[1], subject, moment)
    grid = lower.add_gridspec(2, 3, width_ratios=(1, 1, 1.15))
    charts.draw_counts(lower.add_subplot(grid[0, 0]), subject)
    charts.draw_sizes(lower.add_subplot(grid[0, 1]), subject)
    charts.draw_msd(lower.add_subplot(grid[1, 0]), subject)
    charts.draw_sizes_over_time(lower.add_subplot(grid[1, 1]), subject)
    lineage.draw_lineage(lower.add_subplot(grid[:, 2]), subject)
    first, last = subject.span
    count, named = len(subject.times), (last - first) // subject.step + 1
    of = f" of {named} from {first + subject.first_number} to {last + subject.first_number}" if count < named else ""
    _head(
        figure,
        subject,
        f"{subject.in_words}, {counted(len(subject.tracks), 'track')}, {counted(count, 'time point')}{of}",
    )
    return figure


def _summary_of_one(subject: Subject, moment: Stack) -> Figure:
    above, below = _inches_of(moment, 6.6)
    figure = new_figure(12.0, max(above + below, 3.6) + 1.0)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(6.8, 5.2))[0]
    _add_views(left, subject, moment, above, below)
    panels = right.subplots(2 if below else 1, 1, squeeze=False)[:, 0]
    charts.draw_sizes(panels[0], subject)
    if below:
        charts.draw_shadows(panels[1], subject, moment)
    _head(figure, subject, f"{subject.in_words}, one time point")
    return figure


def _head(figure: Figure, subject: Subject, words: str) -> None:
    name = plain_name(subject.name, LONGEST_TITLE)
    figure.suptitle(name, x=0.012, ha="left", fontsize=14, fontweight="bold", color=INK, parse_math=False)
    figure.text(0.988, 0.995, words, ha="right", va="top", fontsize=10.5, color=QUIET)


def _height_of_lineage(subject: Subject) -> float:
    """Inches that let every line of the tree be seen."""
    return float(np.clip(1.5 + 0.11 * min(len(subject.tracks), lineage.MOST_LINES), 3.2, 18.0))
