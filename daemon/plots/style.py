"""How plots look: colours that the colour-blind tell apart too, quiet axes, plain numbers, units of time that fit."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, overload

import numpy as np

from daemon.plain_text import shown
from nuset_engine.arrays import FloatsN, IntsN, ValuesN
from storage.spans import word_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

INK, QUIET, GRID = "#1b1b1f", "#6b6b76", "#e4e4ea"
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
ON_WHITE = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
"""Those of Okabe and Ito, without yellow, for lines on white."""
ON_DARK = ("#E69F00", "#56B4E9", "#F0E442", "#E05A28", "#F7B6DC", "#00A878", "#6A7DFF")
"""Their light relatives, for outlines on images."""
TIME_MAP = "plasma"
PLATE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
"""What text that lies on a chart stands on."""

COUNTED = ("time point", "nuclei", "lag (time points)")
"""Names of axes on which there are whole numbers alone."""

UNITS = ((7200.0, 3600.0, "h"), (180.0, 60.0, "min"), (0.0, 1.0, "s"))
"""Shortest duration in seconds that is told in a unit, its length, its name."""


class TimeScale:
    """Time points as times, in the unit that suits their whole duration; as people number them without an interval.

    Parameters
    ----------
    seconds_per_t : float or None
        From t to t + 1.
    last_t : int
    first_number : int
        What people call t = 0.
    """

    def __init__(self, seconds_per_t: float | None, last_t: int, first_number: int = 0) -> None:
        self.factor, self.label, self.start = 1.0, "time point", float(first_number)
        if seconds_per_t:
            whole = seconds_per_t * max(last_t, 1)
            length, name = next((length, name) for least, length, name in UNITS if whole >= least)
            self.factor, self.label, self.start = seconds_per_t / length, f"time ({name})", 0.0

    @overload
    def __call__(self, t: float) -> float: ...

    @overload
    def __call__(self, t: ValuesN) -> FloatsN: ...

    def __call__(self, t: float | ValuesN) -> float | FloatsN:
        """Return time points in the unit."""
        return t * self.factor + self.start

    def length(self, count: ValuesN) -> FloatsN:
        """Return how long so many time points last."""
        return np.asarray(count * self.factor, dtype=np.float64)


def runs(times: IntsN, step: int) -> list[slice]:
    """Return the stretches of ascending time points between which none is absent."""
    cuts = [0, *(np.flatnonzero(np.diff(times) > step) + 1).tolist(), len(times)]
    return [slice(a, b) for a, b in pairwise(cuts)]


def short_name(name: str, longest: int = 28) -> str:
    """Return a name on one line, with its middle left out where it is long; the whole one is to stand elsewhere."""
    plain = plain_name(name, max(len(name) * 10, 1))
    return plain if len(plain) <= longest else f"{plain[: longest // 2]}…{plain[len(plain) - longest // 2 + 1 :]}"


def plain_name(name: str, width: int = 140) -> str:
    """Return a name as it may stand in a picture: whole, without control characters, lines no longer than `width`.

    It is to be drawn with ``parse_math=False``: a name with two dollars is no formula.
    """
    plain = shown(name, allowed="")
    return "\n".join(plain[i : i + width] for i in range(0, len(plain), width))


def counted(count: int, one: str, more: str = "") -> str:
    """Return a count with its word, in the plural but for one."""
    return f"{plain_number(count)} {word_for(count, one, more)}"


def plain_number(value: float, _: object = None) -> str:
    """Return a number as people write it: no power of ten, no offset beside the axis, no digits of rounding."""
    if not value:
        return "0"
    if abs(value) >= 1e6:
        return f"{value:,.0f}"
    return f"{value:.10f}".rstrip("0").rstrip(".") if abs(value) >= 1e-4 else f"{value:.3g}"


def measured(value: float) -> str:
    """Return a measurement with the four digits that it is good for."""
    return plain_number(float(f"{value:.4g}"))


def name_numbers(axis: Axis, whole: bool = False, most: int = 7) -> None:
    """Have an axis tell plain numbers; `whole`: of things that are counted, between which there is nothing."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=most))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(most, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(plain_number))


def finish(axes: Axes, title: str, x: str, y: str) -> None:
    """Name a panel and its axes, and take away what is not needed."""
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold")
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)
    axes.tick_params(colors=QUIET, labelsize=8.5)
    name_numbers(axes.xaxis, whole=x in COUNTED)
    name_numbers(axes.yaxis, whole=y in COUNTED)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(QUIET)


def legend_above(axes: Axes, columns: int) -> None:
    """Put the legend beside the title, where it hides no data."""
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1, ncols=columns, fontsize=8, frameon=False,
        columnspacing=0.9, handlelength=1.4,
    )  # fmt: skip


def say_nothing(axes: Axes, title: str, reason: str) -> None:
    """Say in an empty panel why it is empty."""
    finish(axes, title, "", "")
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=QUIET, fontsize=10, wrap=True)
