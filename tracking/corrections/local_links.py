"""The links of nuclei around corrections, as they can be cut and joined."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tracking.corrections.rules import NodeKey, SceneNodes, SceneTracks

NONE, BEYOND = -1, -2
"""No nucleus, and one at a time point that is not looked at."""


class LocalLinks:
    """Who goes on as whom. Nuclei are known by their row in `SceneNodes`.

    Attributes
    ----------
    after, before : list of int
        The next and the previous nucleus of each, `NONE` or `BEYOND`; of a mother `after` is `NONE`.
    daughters : dict
        The two daughters of each mother.
    scores : dict
        Score of each division, by mother.
    freed : set of int
        Nuclei that lost a link, or never had one because a correction made them; and those with another outline, which
        may go on or come from others where they have no link.
    misfits : set of int
        Rules, by their place in the order, that find nothing to change.
    """

    def __init__(self, nodes: SceneNodes, around: SceneTracks) -> None:
        self.nodes = nodes
        self.rows: dict[NodeKey, int] = {
            (t, label): row
            for row, (t, label) in enumerate(zip(nodes.t.tolist(), nodes.label.tolist(), strict=True))
            if not nodes.gone[row]
        }
        self.after = [NONE] * len(nodes.t)
        self.before = [NONE] * len(nodes.t)
        self.daughters: dict[int, tuple[int, int]] = {}
        self.scores: dict[int, float | None] = {}
        self.freed: set[int] = set(np.flatnonzero(~nodes.gone & (nodes.redrawn | (nodes.track == 0))).tolist())
        self.misfits: set[int] = set()
        self._read(around)
        self.plain_after, self.plain_before = list(self.after), list(self.before)
        self.plain_daughters = dict(self.daughters)

    def _read(self, around: SceneTracks) -> None:
        nodes = self.nodes
        block = _blocks(around)
        ends: dict[int, list[int]] = {}
        for row in np.lexsort((nodes.t, nodes.track)).tolist():
            if nodes.track[row]:
                ends.setdefault(int(nodes.track[row]), []).append(row)
        born: dict[int, list[int]] = {}
        for track_id, rows in ends.items():
            track = around.tracks[track_id]
            for one, two in pairwise(rows):
                together = block[int(nodes.t[one])] == block[int(nodes.t[two])]
                self.after[one], self.before[two] = (two, one) if together else (BEYOND, BEYOND)
            first, last = rows[0], rows[-1]
            if nodes.t[first] > track.first_t:
                self.before[first] = BEYOND
            elif track.parent_track_id is not None:
                self.before[first] = BEYOND
                born.setdefault(track.parent_track_id, []).append(first)
            if nodes.t[last] < track.last_t:
                self.after[last] = BEYOND
        mothers = {track.parent_track_id for track in around.tracks.values()} - {None}
        for mother in mothers & ends.keys():
            assert mother is not None
            last = ends[mother][-1]
            if self.after[last] == NONE:
                self._bear(last, born.get(mother, []), around)

    def _bear(self, last: int, first: list[int], around: SceneTracks) -> None:
        if len(first) != 2:
            self.after[last] = BEYOND
            return
        self.join_division(last, (first[0], first[1]), around.tracks[int(self.nodes.track[first[0]])].division_score)

    def is_open(self, row: int) -> bool:
        """Say whether a nucleus goes on as none."""
        return self.after[row] == NONE and row not in self.daughters

    def join(self, one: int, two: int) -> None:
        """Let a nucleus, whose end is open, go on as another one, which comes from none."""
        self.after[one], self.before[two] = two, one

    def join_division(self, mother: int, pair: tuple[int, int], score: float | None) -> None:
        """Let a nucleus whose end is open divide into two that come from none."""
        self.daughters[mother], self.scores[mother] = pair, score
        for daughter in pair:
            self.before[daughter] = mother

    def cut_after(self, row: int) -> None:
        """Let a nucleus go on as none."""
        if row in self.daughters:
            for daughter in self.daughters.pop(row):
                self.before[daughter] = NONE
                self.freed.add(daughter)
            self.scores.pop(row)
        elif self.after[row] >= 0:
            self.before[self.after[row]] = NONE
            self.freed.add(self.after[row])
            self.after[row] = NONE
        self.freed.add(row)

    def cut_before(self, row: int) -> None:
        """Let a nucleus come from none; a mother who loses a daughter goes on as the other one."""
        mother = self.before[row]
        self.freed.add(row)
        if mother < 0:
            return
        self.before[row] = NONE
        if mother in self.daughters:
            one, two = self.daughters.pop(mother)
            self.scores.pop(mother)
            self.after[mother] = two if one == row else one
        else:
            self.after[mother] = NONE
            self.freed.add(mother)

    def bridge(self, row: int) -> None:
        """Take a nucleus out: what comes before it goes on as what comes after it."""
        before, after = self.before[row], self.after[row]
        pair, score = self.daughters.pop(row, None), self.scores.pop(row, None)
        self.before[row] = self.after[row] = NONE
        mother = before if before >= 0 and before in self.daughters else NONE
        if mother >= 0:
            one, two = self.daughters[mother]
            other = two if one == row else one
            if after >= 0 and pair is None:
                self.daughters[mother] = (other, after)
                self.before[after] = mother
            else:
                self.daughters.pop(mother)
                self.scores.pop(mother)
                self.after[mother] = other
                self._orphan(pair)
        elif pair is not None:
            if before >= 0:
                self.after[before] = NONE
                self.join_division(before, pair, score)
            else:
                self._orphan(pair)
        else:
            if before >= 0:
                self.after[before] = after
            if after >= 0:
                self.before[after] = before

    def _orphan(self, pair: tuple[int, int] | None) -> None:
        for daughter in pair or ():
            self.before[daughter] = NONE
            self.freed.add(daughter)

    def changed_rows(self) -> set[int]:
        """Return the nuclei whose links are others than the plain ones, and those that are new, gone or redrawn."""
        nodes = self.nodes
        rows = set(np.flatnonzero(nodes.gone | nodes.redrawn | (nodes.track == 0)).tolist())
        for row, (now, then) in enumerate(zip(self.after, self.plain_after, strict=True)):
            if now != then or self.before[row] != self.plain_before[row]:
                rows.add(row)
        for mother in self.daughters.keys() ^ self.plain_daughters.keys():
            rows |= {mother, *self.daughters.get(mother, ()), *self.plain_daughters.get(mother, ())}
        for mother in self.daughters.keys() & self.plain_daughters.keys():
            if set(self.daughters[mother]) != set(self.plain_daughters[mother]):
                rows |= {mother, *self.daughters[mother], *self.plain_daughters[mother]}
        return rows


def _blocks(around: SceneTracks) -> dict[int, int]:
    """Number the runs of time points that follow each other without another one between them."""
    place = {t: index for index, t in enumerate(around.all_times)}
    block, number = {}, 0
    for index, t in enumerate(around.times):
        if index and place[t] != place[around.times[index - 1]] + 1:
            number += 1
        block[t] = number
    return block
