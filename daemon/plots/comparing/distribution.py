"""Sizes of nuclei of several acquisitions or conditions: histogram, cumulative curve and boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from daemon.plots.canvas import add_caption, new_figure
from daemon.plots.comparing.groups import Condition, Measure
from daemon.plots.style import (
    GRID,
    INK,
    ON_WHITE,
    QUIET,
    counted,
    finish,
    measured,
    plain_name,
    plain_number,
    short_name,
)
from nuset_engine.arrays import FloatsN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE_SHOWN = 99.5
"""Percent of all values that the axis of sizes reaches; the others are counted below it."""
WHISKERS = (5.0, 95.0)
LONGEST_LEGEND = 90


@dataclass(frozen=True)
class LineLook:
    """How a group is drawn: after seven colours, the lines are dashed."""

    colour: str
    line: str


def draw_distribution(groups: Sequence[Condition], measure: Measure) -> Figure:
    """Three panels of the same values, and below them what each group is."""
    names = [_in_legend(group) for group in groups]
    lines = sum(name.count("\n") + 1 for name in names)
    wide = 4.6 + max(3.6, 0.95 * len(groups))
    figure = new_figure(4.6 + wide, 4.3 + 0.19 * lines)
    panels = figure.subplots(1, 3, width_ratios=(4.6, 4.6, max(3.6, 0.95 * len(groups))))
    looks = [LineLook(ON_WHITE[i % len(ON_WHITE)], "-" if i < len(ON_WHITE) else "--") for i in range(len(groups))]
    pooled = np.concatenate([group.values for group in groups])
    ends = min(0.0, float(pooled.min())), float(np.percentile(pooled, SHARE_SHOWN)) * 1.05 or 1.0
    draw_histogram(panels[0], groups, looks, measure, ends)
    draw_cumulative(panels[1], groups, looks, measure, ends)
    draw_boxes(panels[2], groups, looks, measure)
    handles = [
        panels[1].plot([], [], color=look.colour, linestyle=look.line, linewidth=2.2, label=name)[0]
        for look, name in zip(looks, names, strict=True)
    ]
    legend = figure.legend(handles=handles, labels=names, loc="outside lower left", fontsize=8.5, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    add_caption(figure, _caption(groups))
    return figure


def _in_legend(group: Condition) -> str:
    count = counted(len(group.values), "nucleus", "nuclei")
    of = counted(len(group.samples), "acquisition")
    words = f"{count} of {of}" if len(group.samples) > 1 or group.name != group.samples[0].acquisition.name else count
    return f"{plain_name(group.name, LONGEST_LEGEND)}: {words}"


def _caption(groups: Sequence[Condition]) -> str:
    """How nuclei were counted, and in which channels they lie."""
    samples = [sample for group in groups for sample in group.samples]
    times = {sample.timepoints for sample in samples}
    lapses = "" if max(times) < 2 else "each nucleus counted at every time point"
    abouts = [sample.acquisition.about for sample in samples]
    channels = {short_name(about.channel_in_words, 60) for about in abouts if (about.size_c or 1) > 1}
    known = f"nuclei in {', '.join(sorted(channels)[:3])}" if channels else ""
    if len(channels) > 3:
        known = f"nuclei in {len(channels)} different channels"
    return "; ".join(words for words in (lapses, known) if words)


def draw_histogram(
    axes: Axes, groups: Sequence[Condition], looks: Sequence[LineLook], measure: Measure, ends: tuple[float, float]
) -> None:
    """Shares of each group's nuclei, so that a large group hides no small one."""
    pooled = np.concatenate([group.values for group in groups])
    bins = int(np.clip(1.5 * np.sqrt(len(pooled) / len(groups)), 8, 50))
    edges = np.linspace(min(float(pooled.min()), ends[1]), ends[1], bins + 1)
    for group, look in zip(groups, looks, strict=True):
        shares = 100 * np.histogram(group.values, edges)[0] / len(group.values)
        axes.stairs(shares, edges, color=look.colour, linestyle=look.line, linewidth=1.6)
        if len(groups) <= 3:
            axes.stairs(shares, edges, color=look.colour, alpha=0.15, fill=True)
    beyond = sum(int((group.values > ends[1]).sum()) for group in groups)
    axes.set_xlim(*ends)
    axes.set_ylim(0, None)
    label = f"{measure.axis}; {plain_number(beyond)} larger not shown" if beyond else measure.axis
    finish(axes, f"{measure.name.capitalize()} of nuclei", label, "nuclei of the group (%)")


def draw_cumulative(
    axes: Axes, groups: Sequence[Condition], looks: Sequence[LineLook], measure: Measure, ends: tuple[float, float]
) -> None:
    """Percent of each group's nuclei that are at most so large; where a curve crosses half, there is its median."""
    axes.axhline(50, color=QUIET, linewidth=0.8, linestyle=":")
    for group, look in zip(groups, looks, strict=True):
        at, percent = cumulative(group.values)
        axes.plot(at, percent, color=look.colour, linestyle=look.line, linewidth=1.6, drawstyle="steps-post")
    axes.set_xlim(*ends)
    axes.set_ylim(0, 101)
    finish(axes, "Cumulative distribution", measure.axis, "nuclei of the group (%)")
    axes.set_yticks([0, 25, 50, 75, 100])


def cumulative(values: FloatsN) -> tuple[FloatsN, FloatsN]:
    """Return values ascending and the percent of all that are at most as large, each of them once."""
    at, counts = np.unique(values, return_counts=True)
    percent = 100 * np.cumsum(counts) / len(values)
    return np.concatenate([at[:1], at]), np.concatenate([[0.0], percent])


def draw_boxes(axes: Axes, groups: Sequence[Condition], looks: Sequence[LineLook], measure: Measure) -> None:
    """Quartiles and median, which is written above; where a group has several acquisitions, the median of each."""
    for place, (group, look) in enumerate(zip(groups, looks, strict=True), 1):
        low, first, median, third, high = np.percentile(group.values, [WHISKERS[0], 25, 50, 75, WHISKERS[1]])
        box = {"med": median, "q1": first, "q3": third, "whislo": low, "whishi": high, "fliers": []}
        face = {"facecolor": "white", "edgecolor": look.colour, "linewidth": 1.6, "linestyle": look.line}
        line = {"color": look.colour, "linewidth": 1.4}
        axes.bxp(
            [box], positions=[place], widths=0.55, showfliers=False, patch_artist=True, manage_ticks=False,
            boxprops=face, medianprops={**line, "linewidth": 2.4}, whiskerprops=line, capprops=line,
        )  # fmt: skip
        if len(group.samples) > 1:
            medians = [float(np.median(one.values)) for one in group.samples if len(one.values)]
            beside = place + np.linspace(-0.16, 0.16, len(medians))
            axes.scatter(beside, medians, s=22, facecolors="white", edgecolors=INK, linewidths=1.0, zorder=4)
        axes.annotate(
            measured(median), (place, high), xytext=(0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize=9, color=INK,
        )  # fmt: skip
    several = any(len(group.samples) > 1 for group in groups)
    circles = "; circles: medians of acquisitions" if several else ""
    finish(axes, "Medians, quartiles", "", measure.axis)
    axes.set_xlabel(f"whiskers: {WHISKERS[0]:g} to {WHISKERS[1]:g} %{circles}", fontsize=8.5, color=QUIET)
    axes.set_xlim(0.4, len(groups) + 0.6)
    axes.margins(y=0.12)
    axes.set_ylim(min(0.0, axes.get_ylim()[0]) if min(g.values.min() for g in groups) < 0 else 0.0, None)
    names = [_on_lines(short_name(group.name)) for group in groups]
    axes.set_xticks(range(1, len(groups) + 1), names, parse_math=False)
    axes.tick_params(axis="x", labelcolor=INK, length=0)
    axes.grid(axis="x", visible=False)
    axes.grid(axis="y", color=GRID)


def _on_lines(name: str, wide: int = 12) -> str:
    """A name as high as it must be to stand beside others; it is broken after what divides its parts."""
    lines = [""]
    for part in re.findall(rf"[^\s/_-]{{1,{wide}}}[\s/_-]?|[\s/_-]", name):
        if len(lines[-1]) + len(part.rstrip()) > wide:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)
