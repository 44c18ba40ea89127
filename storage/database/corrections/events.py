"""Corrections as events: ordered, undone, listed; nothing but their own rows is touched here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, select, update

from nuset_engine.corrections.region import NucleusRegion
from storage.database.corrections.packed import pack_regions, unpack_regions
from storage.errors import WrongRequestError
from storage.schema.states import AcquisitionState
from storage.schema.tables import acquisitions, corrections

ORDERED, APPLIED, MISFIT, UNDONE = "ordered", "applied", "does not fit", "undone"
UNDO = "undo"
MOST = 2**31 - 1
"""Numbers above it, which people may write, are in no column of a database."""
NUCLEUS_KINDS = ("merge", "split", "delete", "add", "redraw", "confirm")
LINK_KINDS = ("link", "unlink", "divide", "undivide", "end")
KINDS = (*NUCLEUS_KINDS, *LINK_KINDS)
SETTLED = (AcquisitionState.COMPLETE.value, AcquisitionState.PARTIAL.value)
"""States of an acquisition of which nothing more is awaited."""
CORRIGIBLE = (*SETTLED, AcquisitionState.PROCESSING.value)
"""States of an acquisition that may have time points that are done."""


@dataclass(frozen=True)
class CorrectionOrder:
    """What a person says.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    times : tuple of int
        The time point of each nucleus that it speaks of; of an `add` that of its place.
    labels, tracks : tuple of int
        Of those nuclei, now.
    regions : tuple of NucleusRegion
        Their voxels, by which they are found again.
    place_px : (z, y, x)
    points_px : tuple of (z, y, x)
        Voxels: seeds.
    drawn : NucleusRegion or None
        What was drawn.
    author : str
    """

    kind: str
    times: tuple[int, ...]
    labels: tuple[int, ...]
    tracks: tuple[int | None, ...]
    regions: tuple[NucleusRegion, ...]
    place_px: tuple[float, float, float]
    points_px: tuple[tuple[int, int, int], ...] = ()
    drawn: NucleusRegion | None = None
    author: str = ""


@dataclass(frozen=True)
class Correction:
    """A correction as the database knows it; see `CorrectionOrder` and `storage.schema.tables`."""

    id: int
    acquisition_id: int
    t: int
    source_t: int
    kind: str
    labels: tuple[int, ...]
    parameters: Mapping[str, Any]
    regions: tuple[NucleusRegion, ...]
    drawn: NucleusRegion | None
    state: str
    reason: str | None
    counted: bool
    undone_by: int | None
    changed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def times(self) -> tuple[int, ...]:
        """The time point of each nucleus that it speaks of."""
        return tuple(int(t) for t in self.parameters["times"])

    @property
    def points_px(self) -> tuple[tuple[int, int, int], ...]:
        """Seeds."""
        return tuple((int(z), int(y), int(x)) for z, y, x in self.parameters["points_px"])

    @property
    def nodes(self) -> tuple[tuple[int, int], ...]:
        """The nuclei (t, label) that it turned out to speak of."""
        return tuple((int(t), int(label)) for t, label in self.changed.get("nodes", ()))

    def named(self, what: str) -> tuple[int, ...]:
        """Return nuclei that it ``made``, ``changed`` or ``removed``, or its ``new_labels``."""
        return tuple(int(label) for label in self.changed.get(what, ()))


def order(connection: Connection, acquisition_id: int, said: CorrectionOrder, now: str) -> int:
    """Write down what a person says; return its number."""
    about = select(
        acquisitions.c.first_number, acquisitions.c.voxel_z_um, acquisitions.c.voxel_y_um, acquisitions.c.voxel_x_um
    )
    start, *voxel = connection.execute(about.where(acquisitions.c.id == acquisition_id)).one()
    parameters = {
        "times": list(said.times),
        "points_px": [list(point) for point in said.points_px],
        "drawn": said.drawn is not None,
    }
    regions = said.regions if said.drawn is None else (*said.regions, said.drawn)
    values: dict[str, Any] = {
        "acquisition_id": acquisition_id,
        "t": said.times[0],
        "source_t": said.times[0] + (start or 0),
        "kind": said.kind,
        "labels": list(said.labels),
        "tracks": list(said.tracks),
        "parameters": parameters,
        "regions": pack_regions(regions),
        "author": said.author,
        "ordered_at": now,
        "state": ORDERED,
        "counted": False,
    }
    for axis, at, size in zip("zyx", said.place_px, voxel, strict=True):
        values |= {f"{axis}_px": at, f"{axis}_um": None if size is None else at * size}
    return _inserted(connection, values)


def order_together(
    connection: Connection, acquisition_id: int, said: Sequence[CorrectionOrder], group: int | None, now: str
) -> int:
    """Write down what is said at once, with what was said under `group` before; return the number of the first."""
    numbers = [order(connection, acquisition_id, one, now) for one in said]
    group = numbers[0] if group is None else group
    for number in numbers:
        connection.execute(update(corrections).where(corrections.c.id == number).values(said_with=group))
    return group


def undo(
    connection: Connection, acquisition_id: int, number: int | None, author: str, now: str, together: bool = False
) -> int:
    """Take a correction back, the last one by default; return the number of the event that does.

    The last one is taken back with all that were said together with it, another one where `together` says so.

    Raises
    ------
    WrongRequestError
        When there is none, or it is taken back already.
    """
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.kind != UNDO)
    query = select(corrections).where(mine).order_by(corrections.c.id.desc())
    wanted = corrections.c.undone_by.is_(None) if number is None else corrections.c.id == number
    there = number is None or abs(number) <= MOST
    row = connection.execute(query.where(wanted).limit(1)).mappings().one_or_none() if there else None
    if row is None:
        if there and number is not None and (undoes := _undone_by(connection, acquisition_id, number)) is not None:
            raise WrongRequestError(f"Event {number} took correction {undoes} back: to have that again, say it again.")
        which = "nothing to undo" if number is None else f"no correction {number} in this acquisition"
        raise WrongRequestError(f"There is {which}: `nusetd correct ACQ list` shows what was said.")
    if row["undone_by"] is not None:
        raise WrongRequestError(f"Correction {row['id']} is undone already, by event {row['undone_by']}.")
    undone = [int(row["id"])]
    if (number is None or together) and row["said_with"] is not None:
        group = and_(mine, corrections.c.said_with == row["said_with"], corrections.c.undone_by.is_(None))
        undone = [int(one) for one in connection.execute(select(corrections.c.id).where(group)).scalars()]
    copied = ("t", "source_t", "labels", "tracks", *(f"{axis}_{unit}" for axis in "zyx" for unit in ("px", "um")))
    values = {name: row[name] for name in copied} | {
        "acquisition_id": acquisition_id,
        "kind": UNDO,
        "parameters": {"undoes": int(row["id"])} | ({"together": sorted(undone)} if len(undone) > 1 else {}),
        "author": author,
        "ordered_at": now,
        "state": ORDERED,
        "counted": False,
    }
    event = _inserted(connection, values)
    connection.execute(update(corrections).where(corrections.c.id.in_(undone)).values(undone_by=event))
    return event


def _undone_by(connection: Connection, acquisition_id: int, number: int) -> int | None:
    """The correction that an event took back."""
    here = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.id == number, corrections.c.kind == UNDO)
    parameters = connection.execute(select(corrections.c.parameters).where(here)).scalar()
    return None if parameters is None else int(parameters["undoes"])


def states_together(connection: Connection, acquisition_id: int, group: int) -> Counter[str]:
    """Count the states of corrections that were said together."""
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.said_with == group)
    return Counter(connection.execute(select(corrections.c.state).where(mine)).scalars())


def listed(connection: Connection, acquisition_id: int) -> list[dict[str, Any]]:
    """Return the corrections of an acquisition and what undid them, in the order in which they were said."""
    mine = corrections.c.acquisition_id == acquisition_id
    columns = [column for column in corrections.c if column.name != "regions"]
    rows = connection.execute(select(*columns).where(mine).order_by(corrections.c.id)).mappings()
    return [{**row, "changed": _for_people(row["changed"])} for row in rows]


def _for_people(changed: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Without what is kept as bytes."""
    return None if changed is None else {name: value for name, value in changed.items() if name != "drawn"}


def of_acquisition(connection: Connection, acquisition_id: int) -> list[Correction]:
    """Return the corrections of an acquisition, without the events that undid some, in the order they were said in."""
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.kind != UNDO)
    rows = connection.execute(select(corrections).where(mine).order_by(corrections.c.id)).mappings().all()
    return [_correction(row) for row in rows]


def are_said(acquisition_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition for an acquisition to have corrections that are not undone."""
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.kind != UNDO)
    return select(corrections.c.id).where(mine, corrections.c.undone_by.is_(None)).correlate(acquisitions).exists()


def forget_results(connection: Connection, acquisition_id: int) -> None:
    """The results of an acquisition are gone, with all that was corrected of them: what was said waits for new ones."""
    mine = corrections.c.acquisition_id == acquisition_id
    fresh = {"counted": False, "state": ORDERED, "reason": None, "applied_at": None, "changed": None}
    counted = and_(mine, corrections.c.kind != UNDO, corrections.c.undone_by.is_(None))
    connection.execute(update(corrections).where(counted).values(fresh))
    connection.execute(update(corrections).where(mine).values(counted=False))


def carry(connection: Connection, source_key: str, to: int, now: str) -> int:
    """Say of a new result what was said of the newest other one of the same source; return how much that is."""
    of_source = select(acquisitions.c.id).where(acquisitions.c.source_key == source_key, acquisitions.c.id != to)
    lasting = and_(corrections.c.kind != UNDO, corrections.c.undone_by.is_(None))
    newest = select(corrections.c.acquisition_id).where(corrections.c.acquisition_id.in_(of_source), lasting)
    number = connection.execute(newest.order_by(corrections.c.acquisition_id.desc()).limit(1)).scalar()
    if number is None:
        return 0
    query = select(corrections).where(corrections.c.acquisition_id == number, lasting).order_by(corrections.c.id)
    rows = connection.execute(query).mappings().all()
    fresh = {"acquisition_id": to, "state": ORDERED, "reason": None, "counted": False, "applied_at": None}
    groups: dict[int, int] = {}
    for row in rows:
        values = {name: value for name, value in row.items() if name not in ("id", "changed", "said_with")}
        new = _inserted(connection, values | fresh | {"carried_from": row["id"]})
        if row["said_with"] is not None:
            group = groups.setdefault(row["said_with"], new)
            connection.execute(update(corrections).where(corrections.c.id == new).values(said_with=group))
    return len(rows)


def _inserted(connection: Connection, values: Mapping[str, Any]) -> int:
    key = connection.execute(insert(corrections).values(values)).inserted_primary_key
    assert key is not None  # every dialect that we use reports the key of a single row
    return int(key[0])


def _correction(row: RowMapping) -> Correction:
    regions: Sequence[NucleusRegion] = unpack_regions(row["regions"])
    drawn = regions[-1] if row["parameters"]["drawn"] else None
    names = ("id", "acquisition_id", "t", "source_t", "kind", "parameters", "state", "reason", "undone_by")
    return Correction(
        **{name: row[name] for name in names},
        labels=tuple(row["labels"]),
        regions=tuple(regions if drawn is None else regions[:-1]),
        drawn=drawn,
        counted=bool(row["counted"]),
        changed=row["changed"] or {},
    )
