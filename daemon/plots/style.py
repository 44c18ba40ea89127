"""How plots look: colours that can be told apart, quiet axes, units of time that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np

from daemon.plain_text import shown
from nuset_engine.arrays import FloatsN, ValuesN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, QUIET, GRID = "#1b1b1f", "#6b6b76", "#e4e4ea"
BLUE, ORANGE, GREEN = "#2f6fb5", "#d9682b", "#3d8f5f"
GENERATIONS = ("#2f6fb5", "#d9682b", "#3d8f5f", "#8c5bb0", "#b8487a", "#7a7a2a", "#2a9d9d", "#8b5a3c")
TIME_MAP = "plasma"
PLATE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}
"""What text that lies on a chart stands on."""

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


def plain_name(name: str, width: int = 140) -> str:
    """Return a name as it may stand in a picture: whole, without control characters, lines no longer than `width`.

    It is to be drawn with ``parse_math=False``: a name with two dollars is no formula.
    """
    plain = shown(name, allowed="")
    return "\n".join(plain[i : i + width] for i in range(0, len(plain), width))


def finish(axes: Axes, title: str, x: str, y: str) -> None:
    """Name a panel and its axes, and take away what is not needed."""
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold")
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)
    axes.tick_params(colors=QUIET, labelsize=8.5)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(QUIET)


def say_nothing(axes: Axes, title: str, reason: str) -> None:
    """Say in an empty panel why it is empty."""
    finish(axes, title, "", "")
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=QUIET, fontsize=10, wrap=True)
