"""What a doubtful decision would be instead, as a sentence and as the command that says so."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, RowMapping, and_, select

from nuset_engine.arrays import PointsZYX
from storage.doubts.decisions import DoubtfulDecision, Family, nucleus_at, places_of
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei
from tracking.corrections.rules import NodeKey

REACH = 2.5
"""Another nucleus is offered within so many distances between neighbours."""
AWAY = 3
"""Steps over which the other end of a broken track is looked for."""


@dataclass(frozen=True)
class Mending:
    """What it would be instead.

    Attributes
    ----------
    alternative : str
        In words.
    wrong, right : str
        The commands for "it is wrong" and for "it is right".
    """

    alternative: str
    wrong: str
    right: str


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
        wrong = self._say("redraw", decision.node, "--mask", "FILE")
        return Mending("another outline", wrong, self._confirm(decision))

    def _part(self, decision: DoubtfulDecision) -> Mending:
        t, label = decision.node
        other = self._frame(t).nearest(decision.place, lambda one, _: one != label)
        if other is None:
            return self._outline(decision)
        wrong = self._command("merge", t, "--labels", f"{label},{other[0]}")
        return Mending(f"one nucleus with {other[0]}", wrong, self._confirm(decision))

    def _several(self, decision: DoubtfulDecision) -> Mending:
        nucleus = nucleus_at(self._connection, self._row.id, decision.node)
        points = [] if nucleus is None else halves(nucleus, self._row)
        wrong = self._say("split", decision.node, *(part for point in points for part in ("--at", _numbers(point))))
        return Mending("several nuclei", wrong, self._confirm(decision))

    def _link(self, decision: DoubtfulDecision) -> Mending:
        t, label = decision.node
        one = self.before(decision)
        if one is None:
            return self._birth(decision)
        other = self._frame(t).nearest(decision.place, lambda found, _: found != label)
        right = self._say("link", one, "--to", str(label), *self._later(one[0], t))
        if other is None or other[2] > REACH * self._scale:
            wrong = self._say("unlink", one, "--to", str(label), *self._later(one[0], t))
            return Mending(f"nucleus {one[1]} of time point {self._row.source_t(one[0])} does not go on", wrong, right)
        wrong = self._say("link", one, "--to", str(other[0]), *self._later(one[0], t))
        where = self._row.source_t(one[0])
        return Mending(f"nucleus {one[1]} of time point {where} goes on as {other[0]}", wrong, right)

    def _division(self, decision: DoubtfulDecision) -> Mending:
        mother = self.before(decision)
        parent = self._family.tracks[decision.track_id or 0].parent or 0
        born = [self._first(track) for track in self._family.daughters.get(parent, ())]
        if mother is None or len(born) != 2 or None in born:
            return self._birth(decision)
        at = max(node[0] for node in born if node is not None)
        labels = ",".join(str(node[1]) for node in born if node is not None)
        right = self._say("divide", mother, "--daughters", labels, *self._later(mother[0], at))
        return Mending("no division", self._say("undivide", mother), right)

    def _birth(self, decision: DoubtfulDecision) -> Mending:
        t, label = decision.node
        for back in range(1, AWAY + 1):
            earlier = t - back * self._row.step
            ended = self._frame(earlier).nearest(decision.place, lambda _, track: self._ends(track, earlier))  # noqa: B023
            if ended is not None and ended[2] <= REACH * self._scale:
                wrong = self._say("link", (earlier, ended[0]), "--to", str(label), *self._later(earlier, t))
                where = self._row.source_t(earlier)
                return Mending(
                    f"it goes on from nucleus {ended[0]} of time point {where}", wrong, self._confirm(decision)
                )
        earlier = t - self._row.step
        sister = self._frame(t).nearest(decision.place, lambda _, track: self._lives(track, earlier))
        if sister is None:
            return self._false(decision)
        mother = self._frame(earlier).nearest(decision.place, lambda _, track: track == sister[1])
        if mother is None:
            return self._false(decision)
        labels = f"{sister[0]},{label}"
        wrong = self._say("divide", (earlier, mother[0]), "--daughters", labels)
        return Mending(f"a daughter of nucleus {mother[0]} before it, with {sister[0]}", wrong, self._confirm(decision))

    def _end(self, decision: DoubtfulDecision) -> Mending:
        t, _ = decision.node
        for ahead in range(1, AWAY + 1):
            later = t + ahead * self._row.step
            began = self._frame(later).nearest(decision.place, lambda _, track: self._begins(track, later))  # noqa: B023
            if began is not None and began[2] <= REACH * self._scale:
                wrong = self._say("link", decision.node, "--to", str(began[0]), *self._later(t, later))
                where = self._row.source_t(later)
                return Mending(
                    f"it goes on as nucleus {began[0]} of time point {where}", wrong, self._confirm(decision)
                )
        later = t + self._row.step
        other = self._frame(later).nearest(decision.place, lambda *_: True)
        if other is None:
            return Mending(
                "it goes on", self._command("add", later, "--at", _numbers(decision.place)), self._confirm(decision)
            )
        nucleus = nucleus_at(self._connection, self._row.id, (later, other[0]))
        points = [] if nucleus is None else halves(nucleus, self._row)
        wrong = self._say("split", (later, other[0]), *(part for point in points for part in ("--at", _numbers(point))))
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

    def _ends(self, track: int, t: int) -> bool:
        known = self._family.tracks.get(track)
        return known is not None and known.last_t == t and track not in self._family.daughters

    def _begins(self, track: int, t: int) -> bool:
        known = self._family.tracks.get(track)
        return known is not None and known.first_t == t and known.parent is None

    def _lives(self, track: int, t: int) -> bool:
        known = self._family.tracks.get(track)
        return known is not None and known.first_t <= t

    def _later(self, t: int, later: int) -> tuple[str, ...]:
        """Where a correction leads to another time point than the next one, it has to say which."""
        return () if later == t + self._row.step else ("--to-t", str(self._row.source_t(later)))

    def _confirm(self, decision: DoubtfulDecision) -> str:
        return self._say("confirm", decision.node)

    def _say(self, kind: str, node: NodeKey, *more: str) -> str:
        return self._command(kind, node[0], "--label", str(node[1]), *more)

    def _command(self, kind: str, t: int, *more: str) -> str:
        words = ["nusetd", "correct", self._row.name, kind, "--t", str(self._row.source_t(t)), *more]
        return shlex.join(words)


def halves(nucleus: RowMapping, row: AcquisitionRow) -> list[tuple[float, float, float]]:
    """Two places within a nucleus, apart along the longest side of its box."""
    place, _ = places_of(nucleus, row)
    spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
    sides: list[Any] = [
        (nucleus[f"bbox_{axis}1"] - nucleus[f"bbox_{axis}0"]) * size for axis, size in zip("zyx", spacing, strict=True)
    ]
    longest = int(np.argmax(sides))
    points = []
    for sign in (-1.0, 1.0):
        at = list(place)
        at[longest] += sign * sides[longest] / 4.0
        points.append((at[0], at[1], at[2]))
    return points


def _numbers(place: Sequence[float]) -> str:
    return ",".join(f"{at:.2f}" for at in place)
