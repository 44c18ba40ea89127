"""From an acquisition to a picture file: which panels, how arranged, and written whole or not at all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import UsageError
from daemon.plots import charts, images, lineage
from daemon.plots.style import INK, QUIET, plain_name
from daemon.plots.subject import Stack, Subject, load, stack
from storage.errors import StorageError
from storage.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 150
LONGEST_TITLE = 80
"""Characters of a line that leave room for the counts beside it."""

Draw = Callable[["Axes", Subject], None]
CHARTS: Mapping[str, Draw] = {
    "counts": charts.draw_counts,
    "lineage": lineage.draw_lineage,
    "msd": charts.draw_msd,
}
PICTURES = ("summary", "nuclei", "tracks", "counts", "sizes", "lineage", "msd")


def plot(url: str, acquisition: str, picture: str, output: Path, t: int | None = None, overwrite: bool = False) -> Path:
    """Draw an acquisition, write the picture, and return where.

    Parameters
    ----------
    url : of the database
    acquisition : id or name
    picture : one of `PICTURES`
    output : Path
        A ``.png``, ``.svg`` or ``.pdf`` file; without an ending, ``.png``.
    t : int or None
        The time point whose image is shown, as people write it; None: the last.
    overwrite : bool
        Put it in the place of a file that is there.

    Raises
    ------
    UsageError, StorageError
    """
    output = output if output.suffix else output.with_name(output.name + SUFFIXES[0])
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output} is no picture that can be written: let its name end in {', '.join(SUFFIXES)}.")
    if not overwrite:
        replacing.refuse(output)
    subject, found = load(url, acquisition)
    needs_images = picture in ("summary", "nuclei", "tracks", "sizes")
    figure = compose(picture, subject, stack(found, t) if needs_images else None)
    channel = f"nuclei in {plain_name(subject.channel)}" if subject.channel else ""
    said = "; ".join(words for words in ("" if picture == "summary" else subject.in_words, channel) if words)
    if said:
        figure.supxlabel(said, x=0.988, ha="right", fontsize=8.5, color=QUIET, parse_math=False)
    _save(figure, output)
    return output


def compose(picture: str, subject: Subject, moment: Stack | None) -> Figure:
    """Return the figure; `moment` is needed for those that show an image."""
    if picture == "summary":
        assert moment is not None
        return _summary(subject, moment)
    if picture in CHARTS:
        figure = _figure(7.5, _height_of_lineage(subject) if picture == "lineage" else 4.6)
        CHARTS[picture](figure.subplots(), subject)
        return figure
    assert moment is not None
    if picture == "sizes":
        figure = _figure(13.5, 4.2)
        axes = figure.subplots(1, 3)
        charts.draw_sizes(axes[0], subject)
        charts.draw_shadows(axes[1], subject, moment)
        charts.draw_sizes_over_time(axes[2], subject)
        return figure
    width, height = moment.extent[2], moment.extent[1]
    side = 7.5
    figure = _figure(side + (0.9 if picture == "tracks" else 0.0), min(max(side * height / width, 2.0), 15.0) + 0.4)
    panel = figure.subplots()
    if picture == "nuclei":
        images.draw_nuclei(panel, subject, moment)
    else:
        images.add_time_bar(figure, panel, images.draw_tracks(panel, subject, moment), subject)
    return figure


def _summary(subject: Subject, moment: Stack) -> Figure:
    """Nuclei and tracks above, numbers below."""
    ratio = min(max(moment.extent[1] / moment.extent[2], 0.35), 1.6)
    tree = min(_height_of_lineage(subject), 7.0)
    figure = _figure(15.0, 6.6 * ratio + max(tree, 5.6) + 0.9)
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(6.6 * ratio + 0.3, max(tree, 5.6)))
    left, right = upper.subplots(1, 2)
    images.draw_nuclei(left, subject, moment)
    images.add_time_bar(upper, right, images.draw_tracks(right, subject, moment), subject)
    grid = lower.add_gridspec(2, 3, width_ratios=(1, 1, 1.15))
    charts.draw_counts(lower.add_subplot(grid[0, 0]), subject)
    charts.draw_sizes(lower.add_subplot(grid[0, 1]), subject)
    charts.draw_msd(lower.add_subplot(grid[1, 0]), subject)
    charts.draw_sizes_over_time(lower.add_subplot(grid[1, 1]), subject)
    lineage.draw_lineage(lower.add_subplot(grid[:, 2]), subject)
    name = plain_name(subject.name, LONGEST_TITLE)
    figure.suptitle(name, x=0.012, ha="left", fontsize=14, fontweight="bold", color=INK, parse_math=False)
    first, last = subject.span
    count, named = len(subject.times), (last - first) // subject.step + 1
    of = f" of {named} from {first + subject.first_number} to {last + subject.first_number}" if count < named else ""
    words = f"{subject.in_words}, {len(subject.tracks)} tracks, {count} time points{of}"
    figure.text(0.988, 0.995, words, ha="right", va="top", fontsize=10.5, color=QUIET)
    return figure


def _height_of_lineage(subject: Subject) -> float:
    """Inches that let every line of the tree be seen."""
    return min(max(1.5 + 0.11 * min(len(subject.tracks), lineage.MOST_LINES), 3.2), 18.0)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, output: Path) -> None:
    import matplotlib

    unfinished = output.with_name(f".{output.stem}.partial{output.suffix}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nusetd"}), warnings.catch_warnings():
            # A name may be in a script that the font has not: its letters are seen as boxes, and SVG keeps them.
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same results give the same file
            figure.savefig(unfinished, dpi=DPI, metadata=dates.get(output.suffix.lower()))
        replacing.put(unfinished, output)
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written ({error.strerror or error}): check disk and permissions."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
