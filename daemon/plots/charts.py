"""Charts: counts over time, sizes, mean squared displacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PLATE,
    QUIET,
    counted,
    finish,
    legend_above,
    measured,
    runs,
    say_nothing,
)
from daemon.plots.subject import Stack, Subject
from nuset_engine.arrays import FloatsN, IntsN, LabelsZYX, ValuesN
from tracking.measures import diffusion, mean_squared_displacement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MSD_TRACKS = 300
"""Longest tracks whose mean squared displacement is drawn and averaged."""
LEAST_MSD_TRACKS = 3


def draw_counts(axes: Axes, subject: Subject) -> None:
    """Detections and cells (tracks alive) at each time point that is there, and when divisions happened."""
    scale, times = subject.scale, subject.times
    here, found = np.unique(subject.nuclei["t"].to_numpy(np.int64), return_counts=True)
    counts = np.zeros(len(times), np.int64)
    counts[np.searchsorted(times, here)] = found
    if len(times) < 2:
        say_nothing(
            axes, "Nuclei over time", f"{counted(int(counts.sum()), 'nucleus', 'nuclei')} at the only time point"
        )
        return
    half, cells, born = scale.length(np.array([subject.step]))[0] / 2, subject.cells, subject.births
    for number, run in enumerate(runs(times, subject.step)):
        names = ("detections", "cells (tracks alive)") if number == 0 else ("", "")
        at, levels = _as_steps(scale(times[run]), counts[run], half)
        axes.fill_between(at, levels, color=BLUE, alpha=0.15, linewidth=0)
        axes.plot(at, levels, color=BLUE, linewidth=1.8, solid_joinstyle="miter", label=names[0])
        at, levels = _as_steps(scale(times[run]), cells[run], half)
        axes.plot(at, levels, color=GREEN, linewidth=1.4, linestyle="--", solid_joinstyle="miter", label=names[1])
    if len(born):
        at = scale(born["first_t"].to_numpy(np.float64))
        top = max(int(counts.max(initial=0)), 1)
        axes.vlines(at, 0, 0.05 * top, color=ORANGE, linewidth=1.4)
    words = counted(len(born), "division")
    axes.text(0.02, 0.07, words, transform=axes.transAxes, color=ORANGE, fontsize=9)
    axes.set_ylim(0, None)
    legend_above(axes, 2)
    axes.margins(x=0.01)
    finish(axes, "Nuclei over time", scale.label, "nuclei")


def _as_steps(at: FloatsN, counts: IntsN, half: float) -> tuple[FloatsN, IntsN]:
    """Return a line that is level around each time point, half a step to each side."""
    return np.stack([at - half, at + half], axis=1).ravel(), np.repeat(counts, 2)


def draw_sizes(axes: Axes, subject: Subject) -> None:
    """Distribution of volumes (of areas, for single planes), over all nuclei and time points."""
    sizes = subject.nuclei["size"].dropna().to_numpy(np.float64)
    _histogram(axes, sizes, f"{subject.size_name.capitalize()} of nuclei", f"{subject.size_name} ({subject.size_unit})")


def draw_shadows(axes: Axes, subject: Subject, stack: Stack) -> None:
    """Distribution of the areas that nuclei cover from above, at one time point."""
    areas = shadow_areas(stack.labels) * np.prod(stack.pixel[1:])
    title = f"Area from above at t = {stack.t + subject.first_number}"
    _histogram(axes, areas, title, f"area ({subject.unit}²)", GREEN)


def draw_sizes_over_time(axes: Axes, subject: Subject) -> None:
    """Median size, and the ranges of the middle half and of eight in ten."""
    scale = subject.scale
    title = f"{subject.size_name.capitalize()} over time"
    rows = subject.nuclei.dropna(subset=["size"])
    if rows.empty:
        say_nothing(axes, title, "no sizes are known")
        return
    if len(subject.times) == 1:
        median = rows["size"].median()
        say_nothing(axes, title, f"median {measured(median)} {subject.size_unit} at the only time point")
        return
    levels = rows.groupby("t")["size"].quantile(np.array([0.1, 0.25, 0.5, 0.75, 0.9])).unstack()
    with_nuclei = levels.index.to_numpy(np.int64)
    for number, run in enumerate(runs(with_nuclei, subject.step)):
        times, values = scale(with_nuclei[run]), levels.to_numpy(np.float64)[run].T
        names = ("80 % of nuclei", "50 %", "median") if number == 0 else ("", "", "")
        axes.fill_between(times, values[0], values[4], color=BLUE, alpha=0.13, linewidth=0, label=names[0])
        axes.fill_between(times, values[1], values[3], color=BLUE, alpha=0.25, linewidth=0, label=names[1])
        dot = "o" if len(times) == 1 else ""
        axes.plot(times, values[2], color=BLUE, linewidth=1.8, marker=dot, markersize=4, label=names[2])
    axes.set_ylim(0, None)
    axes.margins(x=0.01)
    legend_above(axes, 3)
    finish(axes, title, scale.label, f"{subject.size_name} ({subject.size_unit})")


def draw_msd(axes: Axes, subject: Subject) -> None:
    """Mean squared displacement of each track and of all, with the exponent that tells the kind of motion."""
    title = "Mean squared displacement"
    curves = displacements(subject.nuclei, subject.step)
    lags, mean = ensemble(curves)
    if not len(lags):
        say_nothing(axes, title, f"fewer than {LEAST_MSD_TRACKS} tracks are long enough")
        return
    scale = subject.scale
    for lag, msd in curves:
        axes.plot(_lasting(subject, lag[msd > 0]), msd[msd > 0], color=QUIET, linewidth=0.6, alpha=0.35)
    exponent, _ = diffusion(lags, mean, 3)
    named = f"mean of {len(curves)} tracks" + (f", exponent {exponent:.2f}" if np.isfinite(exponent) else "")
    at = _lasting(subject, lags)
    axes.plot(at, mean, color=ORANGE, linewidth=2.2, marker="o", markersize=3.5, label=named)
    axes.plot(at, mean[0] * lags / lags[0], color=INK, linewidth=1.1, linestyle="--", label="free diffusion")
    axes.set(xscale="log", yscale="log")
    axes.legend(fontsize=8.5, frameon=False, loc="upper left")
    finish(axes, title, scale.label.replace("time", "lag", 1) if scale.label != "time point" else "lag (time points)",
           f"displacement² ({subject.unit}²)")  # fmt: skip


def _lasting(subject: Subject, lags: FloatsN) -> FloatsN:
    """Lags, which are counted in steps, on the axis of times: as long as they are, or as many as they are."""
    return lags if subject.scale.label == "time point" else subject.scale.length(lags * subject.step)


def displacements(nuclei: pd.DataFrame, step: int = 1) -> list[tuple[FloatsN, FloatsN]]:
    """Lags in time points, counted in steps, and mean squared displacements of the longest tracks.

    Parameters
    ----------
    nuclei : columns t, track_id, z, y, x
    """
    rows = nuclei.dropna(subset=["track_id"]).sort_values(["track_id", "t"])
    lengths = rows.groupby("track_id").size().sort_values(ascending=False, kind="stable")
    longest = set(lengths[lengths >= 3].index[:MOST_MSD_TRACKS])
    curves = []
    for _, part in rows[rows["track_id"].isin(longest)].groupby("track_id"):
        curves.append(
            mean_squared_displacement(part["t"].to_numpy(np.int64) // step, part[["z", "y", "x"]].to_numpy(float))
        )
    return [curve for curve in curves if len(curve[0])]


def ensemble(curves: list[tuple[FloatsN, FloatsN]]) -> tuple[FloatsN, FloatsN]:
    """Mean over tracks at each lag that at least `LEAST_MSD_TRACKS` and a tenth of them reach."""
    if not curves:
        return np.zeros(0), np.zeros(0)
    table = pd.concat([pd.DataFrame({"lag": lag, "msd": msd}) for lag, msd in curves])
    means = table.groupby("lag")["msd"].agg(["mean", "size"])
    means = means[(means["size"] >= max(LEAST_MSD_TRACKS, len(curves) / 10)) & (means["mean"] > 0)]
    return means.index.to_numpy(np.float64), means["mean"].to_numpy(np.float64)


def shadow_areas(labels: LabelsZYX) -> IntsN:
    """Pixels that each label covers when seen along z, (N,) int64; labels may cover one another."""
    from scipy.ndimage import find_objects

    boxes = enumerate(find_objects(labels.astype(np.int32, copy=False)), start=1)
    found = [int((labels[box] == label).any(axis=0).sum()) for label, box in boxes if box is not None]
    return np.array(found, dtype=np.int64)


def _histogram(axes: Axes, values: ValuesN, title: str, x: str, colour: str = BLUE) -> None:
    values = values[np.isfinite(values)]
    if not len(values):
        say_nothing(axes, title, "no sizes are known")
        return
    upper = float(np.percentile(values, 99.5)) * 1.05 or 1.0
    bins = int(np.clip(np.sqrt(len(values)), 8, 60))
    axes.hist(values, bins=bins, range=(min(float(values.min()), upper), upper), color=colour, alpha=0.75)
    beyond = int((values > upper).sum())
    median = float(np.median(values))
    axes.axvline(median, color=INK, linewidth=1.2)
    to_the_right = median < 0.6 * upper
    axes.annotate(
        f"median {measured(median)}", (median, 1.0), xycoords=("data", "axes fraction"), textcoords="offset points",
        xytext=(4 if to_the_right else -4, -3), ha="left" if to_the_right else "right",
        va="top", fontsize=9, color=INK, bbox=PLATE,
    )  # fmt: skip
    axes.set_xlim(0, upper)
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])  # room for the word
    finish(axes, title, f"{x}; {beyond} larger not shown" if beyond else x, "nuclei")
