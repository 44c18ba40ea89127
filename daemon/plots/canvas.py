"""Figures without a window: made, and written whole or not at all, or given as bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.errors import UsageError
from daemon.plots.style import QUIET
from storage.errors import StorageError
from storage.files import replacing
from storage.files.whole_file import remove_unfinished, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 150
_DATES: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches wide and high."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    spacious = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width, height), facecolor="white", layout=spacious)
    FigureCanvasAgg(figure)
    return figure


def add_caption(figure: Figure, *sentences: str) -> None:
    """What holds for the whole figure, below it; names in it are to be plain already."""
    said = "; ".join(words for words in sentences if words)
    if said:
        figure.supxlabel(said, x=0.988, ha="right", fontsize=8.5, color=QUIET, parse_math=False)


def output_file(output: Path, overwrite: bool) -> Path:
    """Return where a picture goes, with an ending.

    Raises
    ------
    UsageError
        For an ending that cannot be written.
    StorageError
        When something is there and may not be replaced.
    """
    output = output if output.suffix else output.with_name(output.name + SUFFIXES[0])
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output} is no picture that can be written: let its name end in {', '.join(SUFFIXES)}.")
    replacing.refuse(output, overwrite)
    return output


def save(figure: Figure, output: Path, dpi: int = DPI) -> None:
    """Write a figure, whole or not at all.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    form = output.suffix.lower()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished([output])
        with whole(output) as unfinished, _drawing():
            figure.savefig(unfinished, dpi=dpi, format=form.removeprefix("."), metadata=_DATES.get(form))
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written ({error.strerror or error}): check disk and permissions."
        ) from error


def encoded(figure: Figure, suffix: str) -> bytes:
    """Return a figure as the content of a file with this ending."""
    buffer = io.BytesIO()
    with _drawing():
        figure.savefig(buffer, dpi=DPI, format=suffix.removeprefix("."), metadata=_DATES.get(suffix))
    return buffer.getvalue()


@contextmanager
def _drawing() -> Iterator[None]:
    """Letters of an SVG stay text, and the same results give the same file."""
    import matplotlib

    always: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "nusetd"}
    with matplotlib.rc_context(always), quiet_glyphs():
        yield


@contextmanager
def quiet_glyphs() -> Iterator[None]:
    """A name may be in a script that the font has not: its letters are seen as boxes, and SVG keeps them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
