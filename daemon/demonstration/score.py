"""Score of the demonstration: nuclei, links and divisions found, against what was rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from nuset_engine.arrays import LabelsZYX
from nuset_engine.overlap import overlap
from tracking.evaluation.link_scores import Node
from tracking.synthetic.movie import Division, Movie

IOU = 0.5
BOUND = 0.95
"""Share of nuclei and of links that the demonstration must find to be called good."""


@dataclass(frozen=True)
class Score:
    """Counts of what is true, what of it was found, and what was found in addition."""

    nuclei: int
    nuclei_found: int
    nuclei_false: int
    links: int
    links_found: int
    links_false: int
    divisions: int
    divisions_found: int
    divisions_false: int
    tracks: int
    tracks_found: int

    def faults(self) -> list[str]:
        """The bounds that are missed, in words; empty for a good result."""
        faults = [
            f"fewer than {BOUND:.0%} of the {name} were found"
            for name, found, true in (
                ("nuclei", self.nuclei_found, self.nuclei),
                ("links", self.links_found, self.links),
            )
            if found < BOUND * true
        ]
        if self.divisions_found < self.divisions:
            faults.append(f"{self.divisions - self.divisions_found} of the {self.divisions} divisions were not found")
        return faults


def match(truth: LabelsZYX, found: LabelsZYX) -> dict[int, int]:
    """Pair true and found nuclei of one stack, best overlaps first.

    Parameters
    ----------
    truth, found : (Z, Y, X) integer
        Label images.

    Returns
    -------
    dict
        Found label by true label, for pairs with an intersection over union of at least 0.5.
    """
    table = overlap(truth, found)
    iou = table.iou
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for k in np.argsort(-iou, kind="stable"):
        a, b = int(table.labels_a[table.rows[k]]), int(table.labels_b[table.columns[k]])
        if iou[k] >= IOU and a not in pairs and b not in taken:
            pairs[a] = b
            taken.add(b)
    return pairs


def score(movie: Movie, pairs: Mapping[int, Mapping[int, int]], found: pd.DataFrame) -> Score:
    """Compare a movie's truth with the service's result.

    Parameters
    ----------
    movie : Movie
    pairs : mapping of t to `match` at that time point
    found : pandas.DataFrame
        Columns t, label, track_id, parent_track_id (missing without parent), a row per nucleus and time point.

    Returns
    -------
    Score
    """
    image = {(t, a): (t, b) for t, matched in pairs.items() for a, b in matched.items()}
    truth = movie.table()
    true_links, found_links = links(truth), links(found)
    hits = {(image[a], image[b]) for a, b in true_links if a in image and b in image} & found_links
    claims = _divisions(found)
    right = {k for division in movie.divisions for k in _confirmed(division, truth, found, image, claims)}
    return Score(
        nuclei=len(truth),
        nuclei_found=len(image),
        nuclei_false=len(found) - len(image),
        links=len(true_links),
        links_found=len(hits),
        links_false=len(found_links) - len(hits),
        divisions=len(movie.divisions),
        divisions_found=len(right),
        divisions_false=len(claims) - len(right),
        tracks=truth["track_id"].nunique(),
        tracks_found=found["track_id"].nunique(),
    )


def links(table: pd.DataFrame) -> set[tuple[Node, Node]]:
    """Steps of every track from one nucleus to its next, and from a mother's last nucleus to each daughter's first."""
    chains = _chains(table)
    parents = _parents(table)
    steps = {(a, b) for chain in chains.values() for a, b in pairwise(chain)}
    return steps | {(chains[mother][-1], chains[track][0]) for track, mother in parents.items() if mother in chains}


def _chains(table: pd.DataFrame) -> dict[int, list[Node]]:
    """The nuclei of every track in the order of time."""
    chains: dict[int, list[Node]] = {}
    ordered = table.sort_values("t")
    for track, t, label in zip(*(ordered[c].tolist() for c in ("track_id", "t", "label")), strict=True):
        chains.setdefault(int(track), []).append((int(t), int(label)))
    return chains


def _parents(table: pd.DataFrame) -> dict[int, int]:
    """Mother of every track that has one."""
    known = table[["track_id", "parent_track_id"]].dropna().drop_duplicates("track_id").astype(int)
    return dict(zip(known["track_id"].tolist(), known["parent_track_id"].tolist(), strict=True))


def _divisions(table: pd.DataFrame) -> list[Division]:
    """Divisions as a table of tracks tells them: two tracks of one parent."""
    chains = _chains(table)
    daughters: dict[int, list[int]] = {}
    for track, mother in sorted(_parents(table).items()):
        daughters.setdefault(mother, []).append(track)
    pairs = [(mother, pair) for mother, pair in sorted(daughters.items()) if len(pair) == 2]
    return [Division(min(chains[k][0][0] for k in (a, b)), mother, (a, b)) for mother, (a, b) in pairs]


def _confirmed(
    division: Division, truth: pd.DataFrame, found: pd.DataFrame, image: Mapping[Node, Node], claims: Iterable[Division]
) -> set[int]:
    """Mothers of the claims that are this division: right parent, both daughters, within one frame of its time."""
    node_of = {(int(t), int(k)): (int(t), int(n)) for t, k, n in truth[["t", "track_id", "label"]].to_numpy()}
    track_at = {(int(t), int(n)): int(k) for t, n, k in found[["t", "label", "track_id"]].to_numpy()}

    def tracks(true_track: int, times: tuple[int, ...]) -> set[int]:
        nodes = (image.get(node_of.get((t, true_track), (-1, -1))) for t in times)
        return {track_at[node] for node in nodes if node is not None}

    mother = tracks(division.parent, (division.t - 2, division.t - 1))
    first, second = (tracks(k, (division.t, division.t + 1)) for k in division.daughters)
    return {
        claim.parent
        for claim in claims
        if abs(claim.t - division.t) <= 1
        and claim.parent in mother
        and any(a in first and b in second for a, b in (claim.daughters, claim.daughters[::-1]))
    }
