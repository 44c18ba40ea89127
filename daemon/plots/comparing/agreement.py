"""Counts of nuclei against a reference: over time, and each count against the other with the line of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.errors import UsageError
from daemon.plots.canvas import add_caption, new_figure
from daemon.plots.comparing.reference import ReferenceCounts
from daemon.plots.style import (
    BLUE,
    INK,
    ON_WHITE,
    ORANGE,
    QUIET,
    TimeScale,
    counted,
    finish,
    legend_above,
    plain_name,
    plain_number,
    runs,
    short_name,
)
from nuset_engine.arrays import IntsN
from storage.results import AcquisitionResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_LEGEND = 60


@dataclass(frozen=True)
class Compared:
    """Counts of an acquisition.

    Attributes
    ----------
    acquisition : AcquisitionResults
    table : pandas.DataFrame
        Columns t, nusetd, reference (missing where there is none), a row for each time point that is done.
    """

    acquisition: AcquisitionResults
    table: pd.DataFrame

    @property
    def pairs(self) -> pd.DataFrame:
        """The rows with both counts."""
        return self.table.dropna()


def compare(acquisitions: Sequence[AcquisitionResults], reference: ReferenceCounts) -> list[Compared]:
    """Put the counts of acquisitions beside those of a reference.

    Raises
    ------
    UsageError
        When no time point is in both.
    """
    found = []
    for one in acquisitions:
        counts = one.counts()[["t", "nuclei_count"]].rename(columns={"nuclei_count": "nusetd"})
        alone, single = len(acquisitions) == 1, len(counts) == 1
        told = [reference.of(one.name, one.about.source_t(int(t)), alone, single) for t in counts["t"]]
        found.append(Compared(one, counts.assign(reference=pd.array(told, dtype="Int64"))))
    if not sum(len(one.pairs) for one in found):
        raise UsageError(
            "The reference has no count of what is compared: give time points as in the names of files in `t`, names "
            "of acquisitions in `acquisition` or as names of label images."
        )
    return found


def draw_agreement(compared: Sequence[Compared]) -> Figure:
    """Both counts over time, for one time-lapse, and one against the other."""
    course = len(compared) == 1 and len(compared[0].table) > 1
    lines = 0 if len(compared) == 1 else len(compared)
    figure = new_figure(10.5 if course else 5.8, 4.9 + 0.2 * lines)
    panels = figure.subplots(1, 2 if course else 1, squeeze=False)[0]
    if course:
        draw_courses(panels[0], compared[0])
    draw_pairs(panels[-1], compared)
    if lines:
        legend = figure.legend(loc="outside lower left", fontsize=8.5, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    without = sum(int(one.table["reference"].isna().sum()) for one in compared)
    about = compared[0].acquisition.about
    name = "" if lines else short_name(about.name, 60)
    channel = plain_name(f"nuclei in {about.channel_in_words}") if not lines and (about.size_c or 1) > 1 else ""
    missing = f"{counted(without, 'time point')} without a reference" if without else ""
    add_caption(figure, name, channel, missing)
    return figure


def draw_courses(axes: Axes, one: Compared) -> None:
    """Nuclei that nusetd detected as a line, broken where time points are absent; the reference as circles."""
    about, table = one.acquisition.about, one.table
    times = table["t"].to_numpy(np.int64)
    scale = TimeScale(about.seconds_per_t, int(times[-1]), about.first_number or 0)
    for number, run in enumerate(runs(times, about.step)):
        counts = table["nusetd"].to_numpy(np.int64)[run]
        dot = "o" if len(counts) == 1 else ""
        name = "nusetd" if number == 0 else ""
        axes.plot(scale(times[run]), counts, color=BLUE, linewidth=1.8, marker=dot, markersize=4, label=name)
    told = one.pairs
    axes.plot(
        scale(told["t"].to_numpy(np.int64)), told["reference"].to_numpy(np.int64), linestyle="", marker="o",
        markersize=6, markerfacecolor="none", markeredgecolor=ORANGE, markeredgewidth=1.4, label="reference",
    )  # fmt: skip
    axes.margins(y=0.1)
    axes.set_ylim(0, None)
    legend_above(axes, 2)
    finish(axes, "Nuclei over time", scale.label, "nuclei")


def draw_pairs(axes: Axes, compared: Sequence[Compared]) -> None:
    """A circle for each time point, and the line on which both counts agree."""
    pairs = pd.concat([one.pairs for one in compared])
    ends = _ends(pairs)
    axes.plot(ends, ends, color=QUIET, linewidth=1.0, linestyle="--")
    for i, one in enumerate(compared):
        label = plain_name(one.acquisition.name, LONGEST_LEGEND) if len(compared) > 1 else ""
        axes.plot(
            one.pairs["reference"].to_numpy(np.int64), one.pairs["nusetd"].to_numpy(np.int64), linestyle="",
            marker="os^Dv<>"[i // len(ON_WHITE) % 7], markersize=6, markerfacecolor="none",
            markeredgecolor=ON_WHITE[i % len(ON_WHITE)], markeredgewidth=1.4, label=label, alpha=0.8,
        )  # fmt: skip
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    finish(axes, "Against the reference (dashed: equal)", "nuclei", "nuclei")
    words = agreement_in_words(pairs["nusetd"].to_numpy(np.int64), pairs["reference"].to_numpy(np.int64))
    axes.set_xlabel(f"nuclei of the reference\n{words}", fontsize=9.5, color=INK)
    axes.set_ylabel("nuclei of nusetd", fontsize=9.5, color=INK)


def _ends(pairs: pd.DataFrame) -> tuple[float, float]:
    """Both axes': from 0, but where counts differ by much less than they are, only around them."""
    counts = pairs[["nusetd", "reference"]].to_numpy(np.int64)
    least, most = int(counts.min()), max(int(counts.max()), 1)
    apart = 0.12 * max(most - least, 4)
    return (least - apart if least > 0.5 * most else 0.0), most + apart


def agreement_in_words(found: IntsN, reference: IntsN) -> str:
    """How well counts agree: squared correlation, the mean difference in nuclei and in percent, and how many pairs."""
    varies = len(found) > 2 and np.ptp(found) > 0 and np.ptp(reference) > 0
    r2 = f"r² = {np.corrcoef(found, reference)[0, 1] ** 2:.3f}" if varies else "r² not defined: counts do not vary"
    if len(found) < 3:
        r2 = "r² not defined: fewer than 3 pairs"
    mean = float((found - reference).mean())
    share = f" ({100 * mean / reference.mean():+.1f} %)" if reference.any() else ""
    return f"{r2}, mean difference {mean:+.2f}{share}, n = {plain_number(len(found))}".replace("-", "\N{MINUS SIGN}")
