"""The lineage tree: a line per track over time, daughters forking from their mother."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from daemon.plots.picture import lineage_order
from daemon.plots.style import GENERATIONS, GRID, finish, say_nothing
from daemon.plots.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 160
"""Tracks that one picture can show apart."""


def draw_lineage(axes: Axes, subject: Subject) -> None:
    """Families with divisions, largest first; the others below, as far as there is room. Colours are generations."""
    title = "Lineage"
    if subject.tracks.empty:
        say_nothing(axes, title, "no tracks yet")
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
    for track, (first, last, generation) in spans.items():
        colour = GENERATIONS[generation % len(GENERATIONS)]
        ends = scale(np.array([first - over, last + over]))
        axes.plot(ends, [height[track]] * 2, color=colour, linewidth=2.0, solid_capstyle="butt")
    for track, mother in _pairs(shown):
        if mother in spans:
            at = scale((spans[mother][1] + spans[track][0]) / 2)
            colour = GENERATIONS[spans[track][2] % len(GENERATIONS)]
            axes.plot([at, at], [height[mother], height[track]], color=colour, linewidth=1.2)
            axes.plot([scale(spans[mother][1] + over), at], [height[mother]] * 2, color=colour, linewidth=1.2)
            axes.plot([at, scale(spans[track][0] - over)], [height[track]] * 2, color=colour, linewidth=1.2)
    families = shown["root_track_id"].nunique()
    more = f", {left_out} more not shown" if left_out else ""
    axes.set_ylim(max(height.values()) + 1, -1)
    finish(axes, f"{title}: {families} families{more} (colours: generations)", scale.label, "")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID)


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
