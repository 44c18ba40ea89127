"""What a doubtful decision would be instead: as a sentence, and as what a person says to have it so."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sqlalchemy import Connection, RowMapping, and_, select

from nuset_engine.arrays import PointsZYX
from storage.corrections.persons_word import PersonsWord, PlaceUm
from storage.doubts.decisions import DoubtfulDecision, nucleus_at
from storage.doubts.pasts import Family, places_of
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei
from tracking.corrections.rules import NodeKey

REACH = 2.5
"""Another nucleus is offered within so many distances between neighbours."""
WITNESSES = 8
"""Neighbours that show where a missed nucleus would be."""
AWAY = 3
"""Steps over which the other end of a broken track is looked for."""


@dataclass(frozen=True)
class Mending:
    """What it would be instead.

    Attributes
    ----------
    alternative : str
        In words.
    wrong, right : PersonsWord
        What a person says where it is wrong, and where it is right. A new outline is still to be drawn.
    """

    alternative: str
    wrong: PersonsWord
    right: PersonsWord


@dataclass(frozen=True)
class _Frame:
    """The nuclei of a time point: labels, tracks (0: none) and places."""

    labels: Sequence[int]
    tracks: Sequence[int]
    places: PointsZYX

    def nearest(self, place: Sequence[float], chosen: Callable[[int, int], bool]) -> tuple[int, int, float] | None:
        """Label, track and distance of the nearest nucleus that is among the chosen (label, track)."""
        best: tuple[int, int, float] | None = None
        order = np.linalg.norm(self.places - np.asarray(place), axis=1) if len(self.labels) else np.zeros(0)
        for index in np.argsort(order, kind="stable").tolist():
            if chosen(self.labels[index], self.tracks[index]):
                best = (self.labels[index], self.tracks[index], float(order[index]))
                break
        return best


class Surroundings:
    """The nuclei around doubtful decisions, each time point read once."""

    def __init__(self, connection: Connection, row: AcquisitionRow, family: Family, scale: float) -> None:
        self._connection, self._row, self._family, self._scale = connection, row, family, scale
        self._frames: dict[int, _Frame] = {}

    def mending(self, decision: DoubtfulDecision) -> Mending:
        """Return what would mend a decision."""
        make = getattr(self, f"_{decision.kind}")
        mended: Mending = make(decision)
        return mended

    def before(self, decision: DoubtfulDecision) -> NodeKey | None:
        """Return the nucleus from which that of a link goes on, or the mother."""
        t, _ = decision.node
        track = self._family.tracks.get(decision.track_id or 0)
        if track is None:
            return None
        number = track.track_id if track.first_t < t else track.parent
        which = and_(nuclei.c.acquisition_id == self._row.id, nuclei.c.track_id == number, nuclei.c.t < t)
        query = select(nuclei.c.t, nuclei.c.label).where(which).order_by(nuclei.c.t.desc()).limit(1)
        found = self._connection.execute(query).first()
        return None if found is None else (int(found[0]), int(found[1]))

    def _false(self, decision: DoubtfulDecision) -> Mending:
        return Mending("no nucleus", self._say("delete", decision.node), self._confirm(decision))

    def _outline(self, decision: DoubtfulDecision) -> Mending:
        return Mending("another outline", self._say("redraw", decision.node), self._confirm(decision))

    def _part(self, decision: DoubtfulDecision) -> Mending:
        t, label = decision.node
        other = self._frame(t).nearest(decision.place, lambda one, _: one != label)
        if other is None:
            return self._outline(decision)
        wrong = PersonsWord("merge", self._row.source_t(t), (label, other[0]))
        return Mending(f"one nucleus with {other[0]}", wrong, self._confirm(decision))

    def _several(self, decision: DoubtfulDecision) -> Mending:
        return Mending("several nuclei", self._split(decision.node), self._confirm(decision))

    def _link(self, decision: DoubtfulDecision) -> Mending:
        t, label = decision.node
        one = self.before(decision)
        if one is None:
            return self._birth(decision)
        other = self._frame(t).nearest(decision.place, lambda found, _: found != label)
        right, where = self._later("link", one, (label,), t), self._row.source_t(one[0])
        if other is None or other[2] > REACH * self._scale:
            wrong = self._later("unlink", one, (label,), t)
            return Mending(f"nucleus {one[1]} of time point {where} does not go on", wrong, right)
        wrong = self._later("link", one, (other[0],), t)
        return Mending(f"nucleus {one[1]} of time point {where} goes on as {other[0]}", wrong, right)

    def _missed(self, decision: DoubtfulDecision) -> Mending:
        """Where nobody is there, one is added; who is there alone, joins; else what is there is two."""
        (t, label), t_gap = decision.node, decision.at_t
        frame, where = self._frame(t_gap), self._row.source_t(t_gap)
        right = self._later("link", decision.before or decision.node, (label,), t)
        alone = frame.nearest(decision.place, partial(self._lone, t_gap))
        if alone is not None and decision.before is not None and alone[2] <= self._scale:
            wrong = self._later("link", decision.before, (alone[0],), t_gap)
            return Mending(f"it is nucleus {alone[0]} of time point {where} in between", wrong, right)
        host = frame.nearest(decision.place, lambda *_: True)
        nucleus = None if host is None else nucleus_at(self._connection, self._row.id, (t_gap, host[0]))
        if host is not None and nucleus is not None and host[2] < _radius(nucleus, self._row):
            middle = np.array(places_of(nucleus, self._row)[0])
            far = 2.0 * middle - np.array(decision.place)
            apart = host[2] > _radius(nucleus, self._row) / 3.0
            points = (decision.place, (float(far[0]), float(far[1]), float(far[2])))
            wrong = PersonsWord("split", where, (host[0],), points=points if apart else halves(nucleus, self._row))
            return Mending(f"it is within nucleus {host[0]} of time point {where} in between", wrong, right)
        wrong = PersonsWord("add", where, points=(decision.place,))
        return Mending(f"it was missed at time point {where} in between", wrong, right)

    def placed(self, decision: DoubtfulDecision) -> DoubtfulDecision:
        """Return a missed nucleus where its neighbours show that it would be, should the stage have moved meanwhile."""
        if decision.before is None or decision.missing_t is None:
            return decision
        first, there, last = (self._frame(t) for t in (decision.before[0], decision.missing_t, decision.node[0]))
        share = (decision.missing_t - decision.before[0]) / (decision.node[0] - decision.before[0])
        at = [dict(zip(frame.tracks, frame.places, strict=True)) for frame in (first, there, last)]
        both = sorted((at[0].keys() & at[1].keys() & at[2].keys()) - {0})
        if not both:
            return decision
        start, middle, end = (np.array([places[track] for track in both]) for places in at)
        near = np.argsort(np.linalg.norm(middle - np.asarray(decision.place), axis=1), kind="stable")[:WITNESSES]
        off = np.median((middle - start - share * (end - start))[near], axis=0)
        size = np.array(self._row.voxel_size_um or (1.0, 1.0, 1.0))
        place, voxel = (np.array(values) for values in (decision.place, decision.place_px))
        return replace(decision, place=_triple(place + off), place_px=_triple(voxel + off / size))

    def _division(self, decision: DoubtfulDecision) -> Mending:
        mother = self.before(decision)
        parent = self._family.tracks[decision.track_id or 0].parent or 0
        born = [node for track in self._family.daughters.get(parent, ()) if (node := self._first(track)) is not None]
        if mother is None or len(born) != 2:
            return self._birth(decision)
        labels = tuple(label for _, label in born)
        right = self._later("divide", mother, labels, max(t for t, _ in born))
        return Mending("no division", self._say("undivide", mother), right)

    def _birth(self, decision: DoubtfulDecision) -> Mending:
        t, label = decision.node
        for earlier in (t - back * self._row.step for back in range(1, AWAY + 1)):
            ended = self._frame(earlier).nearest(decision.place, partial(self._ends, earlier))
            if ended is not None and ended[2] <= REACH * self._scale:
                wrong = self._later("link", (earlier, ended[0]), (label,), t)
                words = f"it goes on from nucleus {ended[0]} of time point {self._row.source_t(earlier)}"
                return Mending(words, wrong, self._confirm(decision))
        earlier = t - self._row.step
        sister = self._frame(t).nearest(decision.place, partial(self._lives, earlier))
        lived = None if sister is None else sister[1]
        mother = self._frame(earlier).nearest(decision.place, lambda _, track: track == lived)
        if sister is None or mother is None:
            return self._false(decision)
        wrong = self._later("divide", (earlier, mother[0]), (sister[0], label), t)
        return Mending(f"a daughter of nucleus {mother[0]} before it, with {sister[0]}", wrong, self._confirm(decision))

    def _end(self, decision: DoubtfulDecision) -> Mending:
        t, _ = decision.node
        for later in (t + ahead * self._row.step for ahead in range(1, AWAY + 1)):
            began = self._frame(later).nearest(decision.place, partial(self._begins, later))
            if began is not None and began[2] <= REACH * self._scale:
                wrong = self._later("link", decision.node, (began[0],), later)
                words = f"it goes on as nucleus {began[0]} of time point {self._row.source_t(later)}"
                return Mending(words, wrong, self._confirm(decision))
        later = t + self._row.step
        other = self._frame(later).nearest(decision.place, lambda *_: True)
        if other is None:
            wrong = PersonsWord("add", self._row.source_t(later), points=(decision.place,))
            return Mending("it goes on", wrong, self._confirm(decision))
        wrong = self._split((later, other[0]))
        return Mending(f"it goes on within nucleus {other[0]} after it", wrong, self._confirm(decision))

    def _frame(self, t: int) -> _Frame:
        if t not in self._frames:
            unit = self._row.unit
            columns = [nuclei.c.label, nuclei.c.track_id, *(nuclei.c[f"centroid_{axis}_{unit}"] for axis in "zyx")]
            which = and_(nuclei.c.acquisition_id == self._row.id, nuclei.c.t == t)
            rows = self._connection.execute(select(*columns).where(which).order_by(nuclei.c.label)).all()
            places = np.array([[value or 0.0 for value in row[2:]] for row in rows], np.float64).reshape(-1, 3)
            self._frames[t] = _Frame([int(row[0]) for row in rows], [int(row[1] or 0) for row in rows], places)
        return self._frames[t]

    def _first(self, track_id: int) -> NodeKey | None:
        which = and_(nuclei.c.acquisition_id == self._row.id, nuclei.c.track_id == track_id)
        query = select(nuclei.c.t, nuclei.c.label).where(which).order_by(nuclei.c.t).limit(1)
        found = self._connection.execute(query).first()
        return None if found is None else (int(found[0]), int(found[1]))

    def _ends(self, t: int, _: int, track: int) -> bool:
        known = self._family.tracks.get(track)
        return known is not None and known.last_t == t and track not in self._family.daughters

    def _begins(self, t: int, _: int, track: int) -> bool:
        known = self._family.tracks.get(track)
        return known is not None and known.first_t == t and known.parent is None

    def _lone(self, t: int, _: int, track: int) -> bool:
        return self._ends(t, _, track) and self._begins(t, _, track)

    def _lives(self, t: int, _: int, track: int) -> bool:
        known = self._family.tracks.get(track)
        return known is not None and known.first_t <= t

    def _split(self, node: NodeKey) -> PersonsWord:
        nucleus = nucleus_at(self._connection, self._row.id, node)
        points = () if nucleus is None else halves(nucleus, self._row)
        return PersonsWord("split", self._row.source_t(node[0]), (node[1],), points=points)

    def _later(self, kind: str, node: NodeKey, to: tuple[int, ...], t: int) -> PersonsWord:
        """Where a correction leads to another time point than the next one, it has to say which."""
        source_to_t = None if t == node[0] + self._row.step else self._row.source_t(t)
        return PersonsWord(kind, self._row.source_t(node[0]), (node[1],), to, source_to_t)

    def _confirm(self, decision: DoubtfulDecision) -> PersonsWord:
        return self._say("confirm", decision.node)

    def _say(self, kind: str, node: NodeKey) -> PersonsWord:
        return PersonsWord(kind, self._row.source_t(node[0]), (node[1],))


def command(row: AcquisitionRow, word: PersonsWord) -> str:
    """Return the command that says something."""
    words = ["nusetd", "correct", row.name, word.kind, "--t", str(word.source_t)]
    if word.labels:
        words += ["--labels" if word.kind == "merge" else "--label", ",".join(map(str, word.labels))]
    if word.to:
        words += ["--daughters" if word.kind == "divide" else "--to", ",".join(map(str, word.to))]
    words += [] if word.source_to_t is None else ["--to-t", str(word.source_to_t)]
    for point in word.points:
        words += ["--at", ",".join(f"{at:.2f}" for at in point)]
    return shlex.join([*words, *(("--mask", "FILE") if word.kind == "redraw" else ())])


def _radius(nucleus: RowMapping, row: AcquisitionRow) -> float:
    """Half of what a nucleus measures in the plane, in the unit of its acquisition."""
    sides = zip("yx", (row.voxel_size_um or (1.0, 1.0, 1.0))[1:], strict=True)
    return float(sum((nucleus[f"bbox_{axis}1"] - nucleus[f"bbox_{axis}0"]) * size for axis, size in sides)) / 4.0


def _triple(values: PointsZYX) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def halves(nucleus: RowMapping, row: AcquisitionRow) -> tuple[PlaceUm, PlaceUm]:
    """Two places within a nucleus, apart along the longest side of its box."""
    place, _ = places_of(nucleus, row)
    spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
    sides = [
        (nucleus[f"bbox_{axis}1"] - nucleus[f"bbox_{axis}0"]) * size for axis, size in zip("zyx", spacing, strict=True)
    ]
    longest = int(np.argmax(sides))
    low, high = (np.array(place) for _ in range(2))
    low[longest] -= sides[longest] / 4.0
    high[longest] += sides[longest] / 4.0
    return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))
