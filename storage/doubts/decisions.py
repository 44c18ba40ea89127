"""Doubtful decisions of an acquisition, read from its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei, tracks
from tracking.corrections.rules import NodeKey
from tracking.doubts.model import FAULTS, LINK_KINDS

LEAST = 0.02
"""Decisions that are wrong less often than this are not listed."""
MOST = 5_000
"""So many nuclei with doubts are looked at, the most doubtful ones."""
KINDS = (*FAULTS, *LINK_KINDS)


@dataclass(frozen=True)
class TrackEnds:
    """A track as far as doubts need it."""

    track_id: int
    parent: int | None
    first_t: int
    last_t: int
    nuclei_count: int


@dataclass(frozen=True)
class Family:
    """All tracks of an acquisition, and who descends from whom."""

    tracks: Mapping[int, TrackEnds]
    daughters: Mapping[int, tuple[int, ...]]
    below: Mapping[int, int]
    """Nuclei of each track and of all that descend from it."""

    @classmethod
    def read(cls, connection: Connection, acquisition_id: int) -> Family:
        """From the rows."""
        names = ("track_id", "parent_track_id", "first_t", "last_t", "nuclei_count")
        query = select(*(tracks.c[name] for name in names)).where(tracks.c.acquisition_id == acquisition_id)
        known = {int(row[0]): TrackEnds(*row) for row in connection.execute(query)}
        daughters: dict[int, tuple[int, ...]] = {}
        for one in known.values():
            if one.parent is not None:
                daughters[one.parent] = (*daughters.get(one.parent, ()), one.track_id)
        below: dict[int, int] = {}
        for one in sorted(known.values(), key=lambda track: -track.first_t):
            below[one.track_id] = one.nuclei_count + sum(below.get(d, 0) for d in daughters.get(one.track_id, ()))
        return cls(known, daughters, below)


@dataclass(frozen=True)
class DoubtfulDecision:
    """Something that was decided, and how likely it is wrong.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    node : (t, label)
        The nucleus; of a link the later one, of a division the first daughter.
    track_id : int or None
    probability : float
    place, place_px : (z, y, x)
        In the unit of the acquisition, and in voxels.
    affected : int
        Nuclei that follow from it.
    """

    kind: str
    node: NodeKey
    track_id: int | None
    probability: float
    place: tuple[float, float, float]
    place_px: tuple[float, float, float]
    affected: int = 0

    @property
    def group(self) -> str:
        """What is learned together: nuclei, or the kind of link."""
        return "nucleus" if self.kind in FAULTS else self.kind


def doubtful(connection: Connection, row: AcquisitionRow, family: Family) -> list[DoubtfulDecision]:
    """Return all decisions with a doubt worth listing, nothing of what people said taken into account."""
    table = nuclei
    some = or_(table.c.doubt > LEAST, table.c.link_doubt > LEAST, table.c.end_doubt > LEAST)
    most = func.coalesce(table.c.doubt, 0.0) + func.coalesce(table.c.link_doubt, 0.0)
    most = most + func.coalesce(table.c.end_doubt, 0.0)
    query = select(table).where(table.c.acquisition_id == row.id, some).order_by(most.desc(), table.c.id).limit(MOST)
    found: dict[tuple[str, NodeKey], DoubtfulDecision] = {}
    for nucleus in connection.execute(query).mappings():
        for decision in _of(nucleus, row, family):
            key = (decision.kind, decision.node)
            if decision.kind == "division":  # both daughters say it
                key = ("division", (family.tracks[decision.track_id or 0].parent or 0, 0))
            found.setdefault(key, decision)
    return list(found.values())


def nucleus_at(connection: Connection, acquisition_id: int, node: NodeKey) -> RowMapping | None:
    """Return the row of a nucleus."""
    here = and_(nuclei.c.acquisition_id == acquisition_id, nuclei.c.t == node[0], nuclei.c.label == node[1])
    return connection.execute(select(nuclei).where(here)).mappings().one_or_none()


def places_of(nucleus: RowMapping, row: AcquisitionRow) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return where a nucleus is, in the unit of its acquisition and in voxels."""
    place, voxel = (
        tuple(float(nucleus[f"centroid_{axis}_{unit}"] or 0.0) for axis in "zyx") for unit in (row.unit, "px")
    )
    return place, voxel


def _of(nucleus: RowMapping, row: AcquisitionRow, family: Family) -> list[DoubtfulDecision]:
    """What is doubtful about one nucleus."""
    node, track_id = (int(nucleus["t"]), int(nucleus["label"])), nucleus["track_id"]
    place, voxel = places_of(nucleus, row)
    track = family.tracks.get(track_id)
    said: list[tuple[str, float, int]] = []
    if nucleus["doubt_kind"] is not None and not nucleus["corrected"]:
        said.append((nucleus["doubt_kind"], nucleus["doubt"], 0))
    if track is not None and nucleus["link_doubt"] is not None:
        kind = "link" if track.first_t < node[0] else "birth" if track.parent is None else "division"
        after = family.below[track.track_id] - (node[0] - track.first_t if kind == "link" else 0)
        if kind == "division":
            after = sum(family.below[d] for d in family.daughters[track.parent or 0])
        said.append((kind, nucleus["link_doubt"], max(after, 1)))
    is_last = track is not None and track.last_t == node[0] and track.track_id not in family.daughters
    if is_last and nucleus["end_doubt"] is not None:
        said.append(("end", nucleus["end_doubt"], 1))
    return [
        DoubtfulDecision(kind, node, track_id, float(p), place, voxel, affected)  # type: ignore[arg-type]  # three axes
        for kind, p, affected in said
        if p > LEAST
    ]
