"""What is sent: which nucleus, slice and file caused it, where it lies, and what the stage may do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import dist
from typing import Any

from sqlalchemy import Connection, select

from daemon.configuration.rules import RuleConfig
from storage.clock import iso
from storage.query.following.event_rows import EventRow
from storage.query.noticing.looks import Noticed
from storage.schema.tables import acquisitions, timepoints

FORMAT = 1
_AXES = ("z", "y", "x")
_OTHERS = 20  # that an answer names besides the first one
_NO_STAGE = "where the stage stood at this time point is not known: only the offset is"
_NO_SIZE = "the image has no voxel size: nothing is known in micrometres"


@dataclass(frozen=True)
class _Field:
    """The image at one time point: its middle, where the stage stood, its file."""

    name: str
    first_number: int
    middle_um: tuple[float, float, float] | None
    voxel_um: tuple[float, float, float] | None
    stage_um: tuple[float, float] | None
    file: str


def answer(
    connection: Connection, rule: RuleConfig, event: EventRow, noticed: Sequence[Noticed], drift_um: Sequence[float]
) -> dict[str, Any]:
    """Return what a rule sends because of an event.

    Offsets lead from the middle of the image to the nucleus, in the directions of the image's axes; with
    ``aim = "drift"`` they are how far nuclei have moved together since the rule looks. A stage that moves by as much
    brings the nucleus to the middle, or the sample back to where it was. Which way that is on the stage's own axes
    depends on how the camera is mounted, and is the receiver's to know.
    """
    t = event.t if event.t is not None else int(noticed[0]["t"])
    field = _field(connection, event, t)
    first, *others = sorted(noticed, key=lambda one: _distance(one, field))
    expires = datetime.fromisoformat(event.at) + timedelta(seconds=rule.expires_s)
    offset = _offset(rule, first, field, drift_um)
    return {
        "format": FORMAT,
        "id": f"{rule.name}/{event.id}",
        "rule": rule.name,
        "say": rule.say,
        "acquisition": field.name,
        "acquisition_id": event.acquisition_id,
        "t": t,
        "source_t": t + field.first_number,
        "committed_at": event.at,
        "expires_at": iso(expires),
        "file": field.file,
        "found": _plain(first),
        "slice": _slice(first, field),
        "others": [_plain(one) for one in others[:_OTHERS]],
        "offset_um": offset,
        "stage_um": None if field.stage_um is None else dict(zip("yx", field.stage_um, strict=True)),
        "suggested_stage_um": _suggested(offset, field),
        "note": _note(offset, field),
    }


def _field(connection: Connection, event: EventRow, t: int) -> _Field:
    here = (timepoints.c.acquisition_id == event.acquisition_id) & (timepoints.c.t == t)
    row = connection.execute(select(acquisitions).where(acquisitions.c.id == event.acquisition_id)).mappings().one()
    columns = (timepoints.c.stage_y_um, timepoints.c.stage_x_um, timepoints.c.source_file)
    point = connection.execute(select(*columns).where(here)).one_or_none()
    stage_y, stage_x, file = (None, None, None) if point is None else point
    voxel = _three(row[f"voxel_{axis}_um"] for axis in _AXES)
    sizes = _three(row[f"size_{axis}"] for axis in _AXES)
    middle = None
    if voxel is not None and sizes is not None:
        middle = _three((size - 1) / 2 * um for size, um in zip(sizes, voxel, strict=True))
    stage = None if stage_y is None or stage_x is None else (float(stage_y), float(stage_x))
    return _Field(row["name"], row["first_number"] or 0, middle, voxel, stage, file or row["source_path"])


def _three(values: Iterable[float | None]) -> tuple[float, float, float] | None:
    """All of (z, y, x), or nothing."""
    z, y, x = values
    return None if z is None or y is None or x is None else (float(z), float(y), float(x))


def _place(one: Noticed) -> tuple[float, float, float] | None:
    """Where something was noticed, (z, y, x) in micrometres; counts are nowhere."""
    nucleus = _three(one.get(f"centroid_{axis}_um") for axis in _AXES)
    return nucleus or _three(one.get(f"{axis}_um") for axis in _AXES)


def _distance(one: Noticed, field: _Field) -> float:
    place = _place(one)
    return dist(place, field.middle_um) if place is not None and field.middle_um is not None else 0.0


def _offset(rule: RuleConfig, one: Noticed, field: _Field, drift_um: Sequence[float]) -> dict[str, float] | None:
    if field.middle_um is None:
        return None
    place = _place(one)
    if rule.aim == "drift":
        return _rounded(drift_um)
    if place is None:
        return None
    return _rounded([at - middle for at, middle in zip(place, field.middle_um, strict=True)])


def _suggested(offset: Mapping[str, float] | None, field: _Field) -> dict[str, float] | None:
    if offset is None or field.stage_um is None:
        return None
    return {axis: round(at + offset[axis], 3) for axis, at in zip("yx", field.stage_um, strict=True)}


def _note(offset: Mapping[str, float] | None, field: _Field) -> str | None:
    if field.middle_um is None:
        return _NO_SIZE
    return _NO_STAGE if offset is not None and field.stage_um is None else None


def _slice(one: Noticed, field: _Field) -> int | None:
    if one.get("centroid_z_px") is not None:
        return round(float(one["centroid_z_px"]))
    place = _place(one)
    return None if place is None or field.voxel_um is None else round(place[0] / field.voxel_um[0])


def _rounded(values: Sequence[float]) -> dict[str, float]:
    return {axis: round(float(value), 3) for axis, value in zip(_AXES, values, strict=True)}


def _plain(one: Noticed) -> dict[str, Any]:
    return {name: value for name, value in one.items() if value is not None}
