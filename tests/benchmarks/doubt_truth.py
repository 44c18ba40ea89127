"""Which decisions of a tracked movie are wrong, and how many corrections it needs: its truth against its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from doubt_movies import SeenFrame

from tracking.synthetic.movie import Movie

Node = tuple[int, int]
"""Time point and label of a found nucleus."""
COVERED = 0.5
"""A nucleus is where more than so much of it is found; what is found is one where so much of it lies in it."""
SLIVER = 0.25
"""True nuclei with fewer voxels than this share of the median are cut off by the edge: finding them or not is right."""
LATE = 2
"""Time points by which a division may be early or late."""


@dataclass
class Truth:
    """The truth of a movie, as far as found nuclei can be compared with it.

    Attributes
    ----------
    tracks : dict
        True tracks that each found nucleus is; none for a false one.
    faults : dict
        What is wrong with each that is not exactly one: `tracking.doubts.model.FAULTS`.
    missed : set of (t, true track)
        Nuclei that no found one covers.
    parents : dict
        True track of the mother by that of the daughter.
    first : dict
        First time point of each true track.
    """

    tracks: dict[Node, frozenset[int]] = field(default_factory=dict)
    faults: dict[Node, str] = field(default_factory=dict)
    missed: set[Node] = field(default_factory=set)
    parents: Mapping[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)

    def found_at(self) -> dict[int, list[int]]:
        """Time points at which each true track was found."""
        found: dict[int, set[int]] = {}
        for (t, _), tracks in self.tracks.items():
            for track in tracks:
                found.setdefault(track, set()).add(t)
        return {track: sorted(times) for track, times in found.items()}


def truth_of(movie: Movie, frames: Sequence[SeenFrame]) -> Truth:
    """Compare what was found with the movie."""
    truth = Truth(parents=movie.parents())
    for made, seen in zip(movie.frames, frames, strict=True):
        for track in made.track_ids.tolist():
            truth.first.setdefault(int(track), made.t)
        _compare(truth, made.track_ids, made.t, seen)
    return truth


def truth_of_positions(table: pd.DataFrame, rows: pd.DataFrame) -> Truth:
    """The same where nuclei are points: `rows` has t, label and the true track_id (-1: false)."""
    daughters = table.dropna(subset=["parent_track_id"]).groupby("track_id")["parent_track_id"].first()
    truth = Truth(parents={int(d): int(p) for d, p in daughters.items()})
    truth.first = {int(track): int(t) for track, t in table.groupby("track_id")["t"].min().items()}
    for t, label, track in rows[["t", "label", "track_id"]].itertuples(index=False):
        truth.tracks[int(t), int(label)] = frozenset({int(track)} if track >= 0 else ())
        if track < 0:
            truth.faults[int(t), int(label)] = "false"
    everywhere = set(zip(table["t"].tolist(), table["track_id"].tolist(), strict=True))
    truth.missed = everywhere - {(t, track) for (t, _), tracks in truth.tracks.items() for track in tracks}
    return truth


def _compare(truth: Truth, track_ids: np.ndarray, t: int, seen: SeenFrame) -> None:
    tracks = track_ids[seen.true_labels - 1]
    of_true, of_found = seen.shared / seen.true_px[seen.rows], seen.shared / seen.found_px[seen.columns]
    whole = seen.true_px[seen.rows] >= SLIVER * np.median(seen.true_px)
    iou = seen.shared / (seen.true_px[seen.rows] + seen.found_px[seen.columns] - seen.shared)
    covered: set[int] = set()
    for column, label in enumerate(seen.found_labels.tolist()):
        here = np.flatnonzero(seen.columns == column)
        node = (t, int(label))
        most = here[np.argmax(seen.shared[here])] if len(here) else -1
        inside = here[(of_true[here] > COVERED) & (whole[here] | (here == most))]
        covered.update(seen.rows[inside].tolist())
        if len(inside):
            truth.tracks[node] = frozenset(int(tracks[seen.rows[row]]) for row in inside)
            if len(inside) > 1:
                truth.faults[node] = "several"
            elif iou[inside[0]] < COVERED:
                truth.faults[node] = "outline"
        elif most >= 0 and of_found[most] > COVERED:
            truth.tracks[node] = frozenset({int(tracks[seen.rows[most]])})
            if whole[most]:
                truth.faults[node] = "part"
        else:
            truth.tracks[node] = frozenset()
            truth.faults[node] = "false"
    large = np.flatnonzero(seen.true_px >= SLIVER * np.median(seen.true_px))
    truth.missed.update((t, int(tracks[row])) for row in large.tolist() if row not in covered)


@dataclass(frozen=True)
class Graph:
    """What was found: predecessor of each nucleus that goes on from one, mother of each newborn, tracks."""

    before: Mapping[Node, Node]
    mother: Mapping[Node, Node]
    nodes: frozenset[Node]

    @property
    def daughters(self) -> dict[Node, tuple[Node, ...]]:
        """By mother."""
        found: dict[Node, tuple[Node, ...]] = {}
        for daughter, mother in sorted(self.mother.items()):
            found[mother] = (*found.get(mother, ()), daughter)
        return found


def graph_of(table: pd.DataFrame) -> Graph:
    """From rows with t, label, track_id, parent_track_id."""
    rows = table.sort_values(["track_id", "t"])
    chains: dict[int, list[Node]] = {}
    parents: dict[int, int] = {}
    columns = (rows[name].tolist() for name in ("t", "label", "track_id", "parent_track_id"))
    for t, label, track, parent in zip(*columns, strict=True):
        chains.setdefault(int(track), []).append((int(t), int(label)))
        if not pd.isna(parent) and parent > 0:
            parents[int(track)] = int(parent)
    before = {two: one for chain in chains.values() for one, two in pairwise(chain)}
    mother = {chains[d][0]: chains[p][-1] for d, p in parents.items() if p in chains}
    return Graph(before, mother, frozenset(node for chain in chains.values() for node in chain))


class Judgement:
    """Whether decisions are wrong; None where the truth does not say."""

    def __init__(self, truth: Truth, memory: int | None = None) -> None:
        """Where nuclei leave and come back, nobody can know them again after `memory` time points."""
        self.truth, self.memory = truth, memory
        self._times = truth.found_at()
        self._children: dict[int, list[int]] = {}
        for daughter, mother in truth.parents.items():
            self._children.setdefault(mother, []).append(daughter)

    def nucleus(self, node: Node) -> bool:
        """It is not exactly one nucleus."""
        return node in self.truth.faults

    def link(self, one: Node, two: Node) -> bool | None:
        """What goes on is another nucleus."""
        before, after = self.truth.tracks[one], self.truth.tracks[two]
        return None if not before or not after else not before & after

    def missed(self, one: Node, two: Node) -> bool | None:
        """A track goes on over time points at which its nucleus is there, or as another one."""
        before, after = self.truth.tracks[one], self.truth.tracks[two]
        if not before or not after:
            return None
        both = before & after
        between = range(one[0] + 1, two[0])
        found = any(t in self._times.get(track, ()) for track in both for t in between)
        return not both or found or any((t, track) in self.truth.missed for track in both for t in between)

    def division(self, mother: Node, daughters: Iterable[Node]) -> bool | None:
        """It is none, or of others."""
        before, born = self.truth.tracks[mother], [self.truth.tracks[d] for d in daughters]
        if not before or not all(born):
            return True
        parents = self.truth.parents
        for one in born[0]:
            for two in born[1] if len(born) > 1 else ():
                if one == two or parents.get(one, -1) != parents.get(two, -2):
                    continue
                timely = self.truth.first[one] >= mother[0] - LATE + 1
                if parents[one] in before or (timely and {one, two} & before):
                    return False
        return True

    def birth(self, node: Node) -> bool | None:
        """It was there before, or was born."""
        tracks = self.truth.tracks[node]
        if not tracks:
            return None
        for track in tracks:
            line = [track, self.truth.parents.get(track, -1)]
            before = [t for one in line for t in self._times.get(one, ()) if t < node[0]]
            if before:
                return self._lasts(node[0] - max(before))
        return False

    def end(self, node: Node) -> bool | None:
        """It is there afterwards, or divides."""
        tracks = self.truth.tracks[node]
        if not tracks:
            return None
        for track in tracks:
            line = [track, *self._children.get(track, ())]
            after = [t for one in line for t in self._times.get(one, ()) if t > node[0]]
            if after:
                return self._lasts(min(after) - node[0])
        return False

    def _lasts(self, gap: int) -> bool | None:
        return None if self.memory is not None and gap > self.memory else True


def kind_of(node: Node, graph: Graph) -> str:
    """What was decided of how a nucleus goes on from another one, or begins."""
    before = graph.before.get(node)
    if before is None:
        return "division" if node in graph.mother else "birth"
    return "link" if before[0] == node[0] - 1 else "missed"


def verdict(kind: str, node: Node, graph: Graph, judgement: Judgement) -> bool | None:
    """Whether a decision of a kind about a nucleus is wrong, as it is connected; None where nobody knows.

    How what is no nucleus goes on is wrong in any case.
    """
    if kind == "nucleus":
        return judgement.nucleus(node)
    if kind == "division":
        mother = graph.mother[node]
        return judgement.division(mother, graph.daughters[mother])
    about = (node, graph.before[node]) if kind in ("link", "missed") else (node,)
    if not all(judgement.truth.tracks[one] for one in about):
        return True
    if kind == "link":
        return judgement.link(graph.before[node], node)
    if kind == "missed":
        return judgement.missed(graph.before[node], node)
    return judgement.birth(node) if kind == "birth" else judgement.end(node)
