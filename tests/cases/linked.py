"""Plain tracks in a row, what corrections of nuclei did to them, and what holds for every solution.

Four tracks lie in a row, about 10 um apart, no pair as far as another, and drift by 1 um in y with every time point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracking.corrections.local_links import NONE, LocalLinks
from tracking.corrections.renaming import CorrectedTracks, affected_tracks, rename
from tracking.corrections.rules import LinkRule, NodeKey, PlainTrack, SceneNodes, SceneTracks
from tracking.corrections.solve import solve

TIMES = tuple(range(8))
REACH = 3


class LinkedMovie:
    """Plain tracks, and what corrections of nuclei did."""

    def __init__(self, count: int = 4) -> None:
        self.place = {(t, n): (0.0, float(t), 10.0 * n + 0.01 * n**2) for t in TIMES for n in range(1, count + 1)}
        self.track = {node: node[1] for node in self.place}
        self.parent: dict[int, int] = {}
        self.gone: dict[NodeKey, tuple[int, bool]] = {}
        self.moved: set[NodeKey] = set()
        self._gone_place: dict[NodeKey, tuple[float, float, float]] = {}

    def remove(self, node: NodeKey, loosened: bool = False) -> None:
        """A correction takes a nucleus away."""
        self.gone[node] = (self.track.pop(node), loosened)
        self._gone_place[node] = self.place.pop(node)

    def make(self, node: NodeKey, x: float) -> None:
        """A correction makes a nucleus."""
        self.place[node], self.track[node] = (0.0, float(node[0]), x), 0

    def divide(self, mother: int, last: int, one: int, two: int) -> None:
        """The track `mother` ends at `last`, and two tracks that began before begin after it."""
        for t, n in [node for node in self.track if node[1] == mother and node[0] > last]:
            del self.track[t, n], self.place[t, n]
        for daughter in (one, two):
            for t, n in [node for node in self.track if node[1] == daughter and node[0] <= last]:
                del self.track[t, n], self.place[t, n]
            self.parent[daughter] = mother

    def members(self) -> dict[int, list[NodeKey]]:
        """All plain nuclei by track."""
        found: dict[int, list[NodeKey]] = {}
        everything = [(node, track) for node, track in self.track.items() if track]
        everything += [(node, track) for node, (track, _) in self.gone.items()]
        for node, track in sorted(everything):
            found.setdefault(track, []).append(node)
        return found

    def solved(self, rules: Sequence[LinkRule] = ()) -> dict[NodeKey, int]:
        """The track of every nucleus, after checks that hold for every solution."""
        result = self.renamed(rules)
        owner = {node: track for node, track in self.track.items() if track} | dict(result.track_of)
        for track in result.tracks:
            mine = sorted(node for node, number in owner.items() if number == track.track_id)
            assert (track.first_t, track.last_t, track.nuclei_count) == (mine[0][0], mine[-1][0], len(mine))
            assert len({t for t, _ in mine}) == len(mine)
        assert not set(result.gone) & set(owner.values())
        self.parents = {n: p for n, p in self.parent.items() if n in owner.values()}
        self.parents |= {track.track_id: track.parent_track_id for track in result.tracks if track.parent_track_id}
        for track in result.tracks:
            if track.parent_track_id is None:
                self.parents.pop(track.track_id, None)
        return owner

    def renamed(self, rules: Sequence[LinkRule]) -> CorrectedTracks:
        """The result as it is told, in whichever order nuclei are handed in."""
        members, tracks = self.members(), self.plain_tracks()
        found = []
        for links in self.solutions(rules):
            affected = affected_tracks(links, tracks)
            records = {n: track for n, track in tracks.items() if n in affected or track.parent_track_id in affected}
            found.append(rename(links, {n: members[n] for n in records}, records, {}, max(tracks) + 1))
        assert found == found[:1] * len(found)
        return found[0]

    def solutions(self, rules: Sequence[LinkRule]) -> list[LocalLinks]:
        """The links of nuclei, which are handed in as they come, backwards, and those of corrections first."""
        present, gone = sorted(self.place), sorted(self.gone)
        made = [node for node in present if not self.track[node]]
        others = [node for node in present if self.track[node]]
        orders = ((present, gone), (present[::-1], gone[::-1]), (made + others, gone))
        scenes = [self._nodes(*order) for order in orders]
        found = [solve(nodes, SceneTracks(self.plain_tracks(), TIMES, TIMES, REACH), rules) for nodes in scenes]
        for links in found:
            check(links)
        return found

    def plain_tracks(self) -> dict[int, PlainTrack]:
        """Tracks as the tracker left them."""
        score = {n: 0.9 if n in self.parent else None for n in self.members()}
        ends = {n: (mine[0][0], mine[-1][0]) for n, mine in self.members().items()}
        return {n: PlainTrack(n, self.parent.get(n), *ends[n], score[n]) for n in ends}

    def _nodes(self, present: list[NodeKey], gone: list[NodeKey]) -> SceneNodes:
        rows = [*present, *gone]
        places = [*(self.place[node] for node in present), *(self._gone_place[node] for node in gone)]
        return SceneNodes(
            t=np.array([t for t, _ in rows]),
            label=np.array([label for _, label in rows]),
            track=np.array([*(self.track[node] for node in present), *(self.gone[node][0] for node in gone)]),
            place=np.array(places, float),
            size=np.zeros(len(rows)),
            gone=np.arange(len(rows)) >= len(present),
            loosened=np.array([*([False] * len(present)), *(self.gone[node][1] for node in gone)]),
            redrawn=np.array([*(node in self.moved for node in present), *([False] * len(gone))]),
        )


def check(links: LocalLinks) -> None:
    """What holds for every solution: links go forward, both ends know of them, and nobody who is gone has one."""
    nodes, followed = links.nodes, set[int]()
    for row, after in enumerate(links.after):
        below = links.daughters.get(row, (after,) if after >= 0 else ())
        assert row not in links.daughters or after == NONE
        assert not followed & set(below)
        followed.update(below)
        for one in below:
            assert links.before[one] == row
            assert nodes.t[one] > nodes.t[row]
            assert not nodes.gone[one]
            assert not nodes.gone[row]
    assert followed == {row for row, before in enumerate(links.before) if before >= 0}
    assert links.scores.keys() == links.daughters.keys()
