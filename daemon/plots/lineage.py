"""The lineage tree: a line per track over time, daughters forking from their mother."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.plots.ids import IdText, beside
from daemon.plots.picture import lineage_order
from daemon.plots.style import GRID, ON_WHITE, QUIET, counted, finish, runs, say_nothing
from daemon.plots.subject import Subject
from nuset_engine.arrays import IntsN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 160
"""Tracks that one picture can show apart."""
FAR = 1e9
"""To the right of a line there is room for any id."""


def draw_lineage(axes: Axes, subject: Subject) -> None:
    """Families with divisions, largest first; the others below, as far as there is room. Colours are generations."""
    if subject.tracks.empty:
        say_nothing(axes, "Lineage", "no tracks yet")
        return
    shown, left_out = chosen(subject.tracks)
    scale, over = subject.scale, 0.35 * subject.step
    height = rows_of(shown)
    spans = {
        int(k): (int(first), int(last), int(generation))
        for k, first, last, generation in zip(
            shown["track_id"], shown["first_t"], shown["last_t"], shown["generation"], strict=True
        )
    }
    there = [subject.times[run] for run in runs(subject.times, subject.step)]
    for track, (first, last, generation) in spans.items():
        colour = ON_WHITE[generation % len(ON_WHITE)]
        parts = _within(there, first, last)
        if sum(len(part) for part in parts) <= (last - first) // subject.step:
            ends = scale(np.array([first - over, last + over]))
            axes.plot(ends, [height[track]] * 2, color=colour, linewidth=0.8, linestyle=":")
        for part in parts:
            ends = scale(np.array([part[0] - over, part[-1] + over]))
            axes.plot(ends, [height[track]] * 2, color=colour, linewidth=2.0, solid_capstyle="butt")
    for track, mother in _pairs(shown):
        if mother in spans:
            at = scale((spans[mother][1] + spans[track][0]) / 2)
            colour = ON_WHITE[spans[track][2] % len(ON_WHITE)]
            axes.plot([at, at], [height[mother], height[track]], color=colour, linewidth=1.2)
            axes.plot([scale(spans[mother][1] + over), at], [height[mother]] * 2, color=colour, linewidth=1.2)
            axes.plot([at, scale(spans[track][0] - over)], [height[track]] * 2, color=colour, linewidth=1.2)
    _add_ids(axes, subject, spans, height, {mother for _, mother in _pairs(shown)})
    families = shown["root_track_id"].nunique()
    more = f", {left_out} more not shown" if left_out else ""
    axes.set_ylim(max(height.values()) + 1, -1)
    finish(axes, f"Lineage: {counted(families, 'family', 'families')}{more}", scale.label, "")
    axes.set_title("colours: generations, numbers: tracks", loc="right", fontsize=8, color=QUIET)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID)


def _add_ids(
    axes: Axes,
    subject: Subject,
    spans: Mapping[int, tuple[int, int, int]],
    height: Mapping[int, float],
    mothers: Collection[int],
) -> None:
    """Ids of mothers on their lines, those of others beside the ends of theirs."""
    scale, over = subject.scale, 0.35 * subject.step
    for track in sorted(spans, key=lambda one: (one not in mothers, height[one])):
        first, last, _ = spans[track]
        if track in mothers:
            length = scale.length(np.array([last - first]))[0]
            IdText(axes, (scale((first + last) / 2), height[track]), track, (0.6 * length, 1.0), inside=False)
        else:
            beside(axes, (scale(last + over), height[track]), track, (FAR, 1.0))


def _within(there: Sequence[IntsN], first: int, last: int) -> list[IntsN]:
    """Of stretches of time points, what lies between two."""
    parts = [run[(run >= first) & (run <= last)] for run in there]
    return [part for part in parts if len(part)]


def chosen(tracks: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return whole families, largest first, as many as can be shown, and the number of those that cannot.

    Parameters
    ----------
    tracks : columns track_id, root_track_id, first_t
    """
    sizes = tracks.groupby("root_track_id").size().sort_values(ascending=False, kind="stable")
    fits = (sizes.cumsum() <= MOST_LINES).to_numpy(copy=True)
    fits[0] = True
    kept = sizes.index[fits]
    return tracks[tracks["root_track_id"].isin(kept)], int((~fits).sum())


def rows_of(tracks: pd.DataFrame) -> dict[int, float]:
    """Height of each track: families largest first with a gap between, a mother between her daughters."""
    parents = dict(_pairs(tracks))
    sizes = tracks.groupby("root_track_id").size().sort_values(ascending=False, kind="stable")
    height: dict[int, float] = {}
    at = 0.0
    for root, size in sizes.items():
        members = tracks.loc[tracks["root_track_id"] == root, "track_id"].astype(int).tolist()
        mine = set(members)
        for track in lineage_order(members, {k: p for k, p in parents.items() if k in mine and p in mine}):
            height[track] = at
            at += 1.0
        at += 0.8 if size > 1 else 0.0
    return height


def _pairs(tracks: pd.DataFrame) -> list[tuple[int, int]]:
    known = tracks[["track_id", "parent_track_id"]].dropna().astype(int)
    return list(zip(known["track_id"].tolist(), known["parent_track_id"].tolist(), strict=True))
