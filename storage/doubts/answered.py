"""What people have said of doubtful decisions: which are settled, and how often those of a kind turned out wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, or_, select

from storage.doubts.decisions import MISSED, DoubtfulDecision
from storage.schema.tables import corrections, nuclei, plain_nuclei, plain_track_ids, plain_tracks, timepoints, tracks
from tracking.corrections.rules import LINK_KINDS, NodeKey
from tracking.doubts.ranking import learned_shift

CONFIRM, UNDO, MISFIT = "confirm", "undo", "does not fit"


@dataclass
class Answers:
    """What is settled.

    Attributes
    ----------
    nuclei : set of (t, label)
        Everything about these was looked at.
    links, ends : set of (t, label)
        So was how these began or go on from an earlier one, and how these end.
    outcomes : dict
        By group of decisions: probabilities that were stated, and whether it was wrong.
    """

    nuclei: set[NodeKey] = field(default_factory=set)
    links: set[NodeKey] = field(default_factory=set)
    ends: set[NodeKey] = field(default_factory=set)
    outcomes: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)

    def settle(self, decision: DoubtfulDecision) -> bool:
        """Whether it needs no look any more."""
        if decision.node in self.nuclei:
            return True
        if decision.kind == "end":
            return decision.node in self.ends
        return decision.group != "nucleus" and decision.node in self.links

    def shifts(self) -> dict[str, float]:
        """How far the odds of each group are off in this acquisition."""
        return {group: learned_shift(said) for group, said in self.outcomes.items()}

    def note(self, group: str, stated: float | None, wrong: bool) -> None:
        """Remember how a decision turned out."""
        if stated is not None:
            self.outcomes.setdefault(group, []).append((float(stated), wrong))


def answers(connection: Connection, acquisition_id: int) -> Answers:
    """Read what was said and not taken back."""
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.kind != UNDO)
    counts = and_(mine, corrections.c.undone_by.is_(None), corrections.c.state != MISFIT)
    found = Answers()
    for said in connection.execute(select(corrections).where(counts).order_by(corrections.c.id)).mappings():
        _take(connection, acquisition_id, said, found)
    _solved_anew(connection, acquisition_id, found)
    return found


def _take(connection: Connection, acquisition_id: int, said: RowMapping, found: Answers) -> None:
    nodes = list(zip((int(t) for t in said["parameters"]["times"]), said["labels"], strict=False))
    rows = [_doubts(connection, acquisition_id, node) for node in nodes]
    if said["kind"] not in LINK_KINDS:
        found.nuclei.update(nodes)
        for row in rows:
            _note_nucleus(row, said["kind"] != CONFIRM, found)
        changed = said["changed"] or {}
        made = [(int(said["t"]), int(label)) for label in changed.get("made", ())]
        found.nuclei.update((*made, *((int(said["t"]), int(label)) for label in changed.get("changed", ()))))
        for node in made if said["kind"] == "add" else ():
            _note_missed(connection, acquisition_id, node, found)
        return
    if not nodes:
        return
    found.ends.add(nodes[0])
    found.links.update(nodes[1:])
    if said["kind"] in ("undivide", "end"):
        found.links.update(_following(connection, acquisition_id, nodes[0], said["tracks"]))
    was_so = _was_so(connection, acquisition_id, said)
    for row in rows[1:]:
        group = "division" if said["kind"] == "divide" and was_so else _group(row)
        group = MISSED if group == "link" and was_so and _over_gap(connection, acquisition_id, *nodes[:2]) else group
        found.note(group, row.get("link_doubt"), not was_so)
    if said["kind"] == "undivide":
        after = _following(connection, acquisition_id, nodes[0], said["tracks"])
        for node in after[:1]:
            found.note("division", _doubts(connection, acquisition_id, node).get("link_doubt"), True)


def _note_nucleus(row: dict[str, Any], wrong: bool, found: Answers) -> None:
    """A nucleus was looked at; with what was doubted most about it a person agrees by confirming it."""
    found.note("nucleus", row.get("doubt"), wrong)
    if wrong:
        return
    for group, column in ((_group(row), "link_doubt"), ("end", "end_doubt")):
        if (row.get(column) or 0.0) > (row.get("doubt") or 0.0):
            found.note(group, row[column], wrong=False)


def _note_missed(connection: Connection, acquisition_id: int, node: NodeKey, found: Answers) -> None:
    """A nucleus was added: where its track went on over a gap, that was wrong."""
    mine = nuclei.c.acquisition_id == acquisition_id
    track = select(nuclei.c.track_id).where(mine, nuclei.c.t == node[0], nuclei.c.label == node[1]).scalar_subquery()
    after = select(nuclei.c.t, nuclei.c.label).where(mine, nuclei.c.track_id == track, nuclei.c.t > node[0])
    following = connection.execute(after.order_by(nuclei.c.t).limit(1)).first()
    if following is not None:
        row = _doubts(connection, acquisition_id, (int(following[0]), int(following[1])))
        if _group(row) == "link":
            found.note(MISSED, row.get("link_doubt"), True)


def _over_gap(connection: Connection, acquisition_id: int, one: NodeKey, two: NodeKey) -> bool:
    """Whether there are time points between two nuclei."""
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.nuclei_count.is_not(None))
    between = select(timepoints.c.t).where(here, timepoints.c.t > one[0], timepoints.c.t < two[0]).limit(1)
    return connection.execute(between).first() is not None


def _was_so(connection: Connection, acquisition_id: int, said: RowMapping) -> bool:
    """Whether what a person says of links had been decided so."""
    ids: Sequence[int | None] = said["tracks"]
    if said["kind"] == "link":
        return ids[0] is not None and ids[0] == ids[1]
    if said["kind"] != "divide":
        return False
    parents: list[int | None] = []
    for table in (plain_tracks, tracks):
        which = and_(table.c.acquisition_id == acquisition_id, table.c.track_id.in_([i for i in ids[1:] if i]))
        parents = list(connection.execute(select(table.c.parent_track_id).where(which)).scalars()) or parents
        if len(parents) == 2:
            break
    return parents == [ids[0]] * 2


def _doubts(connection: Connection, acquisition_id: int, node: NodeKey) -> dict[str, Any]:
    """What was said of a nucleus before anybody corrected it."""
    for table in (plain_nuclei, nuclei):
        here = and_(table.c.acquisition_id == acquisition_id, table.c.t == node[0], table.c.label == node[1])
        names = ("doubt", "link_doubt", "end_doubt", "track_id", "t")
        row = connection.execute(select(*(table.c[name] for name in names)).where(here)).mappings().first()
        if row is not None and any(row[name] is not None for name in names[:3]):
            return dict(row) | {"family": _track(connection, acquisition_id, row["track_id"])}
    return {}


def _track(connection: Connection, acquisition_id: int, track_id: int | None) -> tuple[int | None, int] | None:
    for table in (plain_tracks, tracks):
        which = and_(table.c.acquisition_id == acquisition_id, table.c.track_id == track_id)
        found = connection.execute(select(table.c.parent_track_id, table.c.first_t).where(which)).first()
        if found is not None:
            return found[0], int(found[1])
    return None


def _group(row: dict[str, Any]) -> str:
    """What kind of decision led to a nucleus."""
    family = row.get("family")
    if family is None or family[1] < row["t"]:
        return "link"
    return "birth" if family[0] is None else "division"


def _following(connection: Connection, acquisition_id: int, node: NodeKey, ids: Sequence[int | None]) -> list[NodeKey]:
    """The nuclei that went on from one, or were born of it."""
    track = ids[0] if ids else None
    born = select(tracks.c.track_id).where(tracks.c.acquisition_id == acquisition_id, tracks.c.parent_track_id == track)
    born_plain = select(plain_tracks.c.track_id).where(
        plain_tracks.c.acquisition_id == acquisition_id, plain_tracks.c.parent_track_id == track
    )
    mine = or_(nuclei.c.track_id == track, nuclei.c.track_id.in_(born), nuclei.c.track_id.in_(born_plain))
    which = and_(nuclei.c.acquisition_id == acquisition_id, mine, nuclei.c.t > node[0])
    rows = connection.execute(select(nuclei.c.t, nuclei.c.label).where(which).order_by(nuclei.c.t).limit(2))
    return [(int(t), int(label)) for t, label in rows]


def _solved_anew(connection: Connection, acquisition_id: int, found: Answers) -> None:
    """How nuclei go on that corrections gave another track was decided by what a person said."""
    kept = plain_track_ids
    same = and_(
        nuclei.c.acquisition_id == kept.c.acquisition_id, nuclei.c.t == kept.c.t, nuclei.c.label == kept.c.label
    )
    query = select(nuclei.c.track_id, kept.c.track_id, kept.c.t, kept.c.label).join(nuclei, same)
    rows = connection.execute(query.where(kept.c.acquisition_id == acquisition_id).order_by(kept.c.t, kept.c.label))
    first: dict[tuple[int | None, int | None], NodeKey] = {}
    for track, plain, t, label in rows:
        first.setdefault((track, plain), (int(t), int(label)))
    found.links.update(first.values())
