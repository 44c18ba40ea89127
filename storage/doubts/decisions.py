"""Doubtful decisions of an acquisition, read from its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from storage.doubts.pasts import Family, PastNucleus, Pasts, between, places_of
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei
from tracking.corrections.rules import NodeKey
from tracking.doubts.model import FAULTS, LINK_KINDS

LEAST = 0.02
"""Decisions that are wrong less often than this are not listed."""
MOST = 5_000
"""So many nuclei with doubts are looked at, the most doubtful ones."""
KINDS = (*FAULTS, *LINK_KINDS)
MISSED = "missed"


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
    before, missing_t : (t, label), int, or None
        Of a missed nucleus, the one before the gap of the track, whose next one is `node`, and the first time point in
        it; the place is where the nucleus would be then.
    """

    kind: str
    node: NodeKey
    track_id: int | None
    probability: float
    place: tuple[float, float, float]
    place_px: tuple[float, float, float]
    affected: int = 0
    before: NodeKey | None = None
    missing_t: int | None = None

    @property
    def group(self) -> str:
        """What is learned together: nuclei, or the kind of link."""
        return "nucleus" if self.kind in FAULTS else self.kind

    @property
    def is_link(self) -> bool:
        """Whether it is about links alone."""
        return self.kind not in (*FAULTS, MISSED)

    @property
    def at_t(self) -> int:
        """The time point that is to be looked at."""
        return self.node[0] if self.missing_t is None else self.missing_t


def doubtful(connection: Connection, row: AcquisitionRow, family: Family) -> list[DoubtfulDecision]:
    """Return all decisions with a doubt worth listing, nothing of what people said taken into account."""
    table = nuclei
    some = or_(table.c.doubt > LEAST, table.c.link_doubt > LEAST, table.c.end_doubt > LEAST)
    most = func.coalesce(table.c.doubt, 0.0) + func.coalesce(table.c.link_doubt, 0.0)
    most = most + func.coalesce(table.c.end_doubt, 0.0)
    query = select(table).where(table.c.acquisition_id == row.id, some).order_by(most.desc(), table.c.id).limit(MOST)
    found: dict[tuple[str, NodeKey], DoubtfulDecision] = {}
    pasts = Pasts(connection, row)
    for nucleus in connection.execute(query).mappings():
        for decision in _of(nucleus, row, family, pasts):
            key = (decision.kind, decision.node)
            if decision.kind == "division":  # both daughters say it
                key = ("division", (family.tracks[decision.track_id or 0].parent or 0, 0))
            found.setdefault(key, decision)
    return list(found.values())


def nucleus_at(connection: Connection, acquisition_id: int, node: NodeKey) -> RowMapping | None:
    """Return the row of a nucleus."""
    here = and_(nuclei.c.acquisition_id == acquisition_id, nuclei.c.t == node[0], nuclei.c.label == node[1])
    return connection.execute(select(nuclei).where(here)).mappings().one_or_none()


def _of(nucleus: RowMapping, row: AcquisitionRow, family: Family, pasts: Pasts) -> list[DoubtfulDecision]:
    """What is doubtful about one nucleus."""
    node, track_id = (int(nucleus["t"]), int(nucleus["label"])), nucleus["track_id"]
    place, voxel = places_of(nucleus, row)
    track = family.tracks.get(track_id)
    said: list[tuple[str, float, int]] = []
    if nucleus["doubt_kind"] is not None and not nucleus["corrected"]:
        said.append((nucleus["doubt_kind"], nucleus["doubt"], 0))
    past = None
    if track is not None and nucleus["link_doubt"] is not None and not pasts.is_corrected(track, node[0]):
        past = pasts.across_gap(track, node[0])
        later = "link" if past is None else MISSED
        kind = later if track.first_t < node[0] else "birth" if track.parent is None else "division"
        after = family.below[track.track_id] - (node[0] - track.first_t if kind == later else 0)
        if kind == "division":
            after = sum(family.below[d] for d in family.daughters[track.parent or 0])
        said.append((kind, nucleus["link_doubt"], max(after, 1)))
    is_last = track is not None and track.last_t == node[0] and track.track_id not in family.daughters
    if is_last and nucleus["end_doubt"] is not None:
        said.append(("end", nucleus["end_doubt"], 1))
    found = [
        DoubtfulDecision(kind, node, track_id, float(p), place, voxel, affected)  # type: ignore[arg-type]  # three axes
        for kind, p, affected in said
        if p > LEAST
    ]
    return found if past is None else [_in_the_gap(one, past) if one.kind == MISSED else one for one in found]


def _in_the_gap(decision: DoubtfulDecision, past: PastNucleus) -> DoubtfulDecision:
    """A missed nucleus where it would be, as far as those before and after it show."""
    share = (past.next_t - past.node[0]) / (decision.node[0] - past.node[0])
    place, voxel = (
        between(one, two, share) for one, two in ((past.place, decision.place), (past.place_px, decision.place_px))
    )
    return replace(decision, before=past.node, missing_t=past.next_t, place=place, place_px=voxel)
