"""How well tracks agree with the truth: links and divisions by plain counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import pandas as pd

from tracking.errors import TrackingError

Node = tuple[int, int]
"""Time point, and label or number of a nucleus in it."""
Edge = tuple[Node, Node]


@dataclass(frozen=True)
class LinkScores:
    """Counts and F1 of links and of divisions.

    A link leads from a nucleus to the next one of its track, or from the last one of a parent to the first of a
    daughter. A division counts as found only with the right parent and both daughters.
    """

    links_true: int
    links_found: int
    links_right: int
    link_f1: float
    divisions_true: int
    divisions_found: int
    divisions_right: int
    division_precision: float
    division_recall: float
    division_f1: float

    def as_dict(self) -> dict[str, float | int]:
        """The scores as plain values."""
        return asdict(self)


def links(table: pd.DataFrame) -> set[Edge]:
    """All links of a table of tracked nuclei.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns t, label, track_id, parent_track_id (missing or 0: none). Rows with a missing or negative track_id are
        in no track.

    Returns
    -------
    set of ((t, label), (t, label))
    """
    absent = [name for name in ("t", "label", "track_id", "parent_track_id") if name not in table.columns]
    if absent:
        raise TrackingError(f"The table of tracks lacks the columns {', '.join(absent)}; give tracked nuclei.")
    rows = table[table["track_id"].notna() & (table["track_id"] >= 0)].sort_values(["track_id", "t"], kind="stable")
    tracks: dict[int, list[Node]] = {}
    parents: dict[int, int] = {}
    columns = (rows[name].tolist() for name in ("t", "label", "track_id", "parent_track_id"))
    for t, label, track_id, parent in zip(*columns, strict=True):
        tracks.setdefault(int(track_id), []).append((int(t), int(label)))
        if not pd.isna(parent) and int(parent) > 0:
            parents[int(track_id)] = int(parent)
    found = {edge for nodes in tracks.values() for edge in pairwise(nodes)}
    for track_id, parent in parents.items():
        if parent in tracks:
            found.add((tracks[parent][-1], tracks[track_id][0]))
    return found


def divisions(edges: set[Edge]) -> dict[Node, frozenset[Node]]:
    """Daughters of every nucleus with two links forward."""
    forward: dict[Node, list[Node]] = {}
    for parent, child in edges:
        forward.setdefault(parent, []).append(child)
    return {parent: frozenset(children) for parent, children in forward.items() if len(children) == 2}


def score_links(true: set[Edge], found: set[Edge]) -> LinkScores:
    """Compare two sets of links between the same nuclei; nothing true and nothing found is a perfect score."""
    right = len(true & found)
    true_divisions, found_divisions = divisions(true), divisions(found)
    divided = sum(true_divisions.get(parent) == daughters for parent, daughters in found_divisions.items())
    return LinkScores(
        links_true=len(true),
        links_found=len(found),
        links_right=right,
        link_f1=_f1(right, len(true), len(found)),
        divisions_true=len(true_divisions),
        divisions_found=len(found_divisions),
        divisions_right=divided,
        division_precision=divided / len(found_divisions) if found_divisions else 1.0,
        division_recall=divided / len(true_divisions) if true_divisions else 1.0,
        division_f1=_f1(divided, len(true_divisions), len(found_divisions)),
    )


def _f1(right: int, true: int, found: int) -> float:
    """Twice the right ones over all true and all found ones; 1 where there are neither."""
    return 2 * right / (true + found) if true + found else 1.0
