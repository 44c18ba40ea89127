"""The numbers of a series as it grows: which step they come in, and which files are none of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from storage.description import Description
from storage.errors import StorageError
from storage.schema.tables import timepoints
from tracking.steps import off_step, step_of


def in_steps(
    connection: Connection, row: RowMapping | None, acquisition: Description, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the step between the time points that are known and those that were found, and the seconds that it takes.

    A step that a person gives counts; else it is the constant one of three time points or more. An interval that files
    say is that from one number to the next; one that a person gives is that from one file to the next.

    Raises
    ------
    StorageError
        When a time point does not fit the step that was given.
    """
    wanted = params.get("step")
    found = _as_known(acquisition, row)
    if wanted is not None:
        step = int(wanted)
        _refuse_off_step(acquisition, {*found, *_lowest(connection, row)}, step)
    else:
        step = 1 if acquisition.first_number is None else _step(connection, row, found)
    interval = acquisition.frame_interval_s
    if interval is not None and acquisition.origins.frame_interval != "configured":
        interval *= step
    return {"step": step, "frame_interval_s": interval}


def refuse_strangers(connection: Connection, row: RowMapping, acquisition: Description) -> None:
    """Refuse a further file of a series that has another size than those before; they are independent images.

    What takes the place of a known file is no further one: then the whole series was recorded anew.

    Raises
    ------
    StorageError
    """
    if acquisition.first_number is None or row["first_number"] is None:
        return
    new = set(_as_known(acquisition, row)) - set(_times(connection, row))
    if new and _lowest(connection, row):
        first = min(acquisition.time_points)
        sizes = [row[name] for name in ("size_c", "size_z", "size_y", "size_x")]
        raise StorageError(
            f"{acquisition.file_of(first)} has the size (C, Z, Y, X) "
            f"{(acquisition.size_c, acquisition.size_z, acquisition.size_y, acquisition.size_x)} {acquisition.dtype}, "
            f"the files before it {tuple(sizes)} {row['dtype']}: it is no time point of {row['name']}; if these are "
            'independent images, switch series off with --pattern none, or pattern = "none" of the watch.'
        )


def _as_known(acquisition: Description, row: RowMapping | None) -> list[int]:
    """The time points that were found, as the row counts them."""
    shift = 0 if row is None else acquisition.shift_from(row["first_number"])
    return [t + shift for t in acquisition.time_points]


def _step(connection: Connection, row: RowMapping | None, found: list[int]) -> int:
    """The constant step; all time points are looked at only where those that are near do not tell."""
    if row is not None and row["step"] == 1 and _neighbours(connection, row, found):
        return 1
    if row is not None and row["step"] > 1 and not off_step([*_lowest(connection, row), *found], row["step"]):
        return int(row["step"])
    return step_of([*found, *([] if row is None else _times(connection, row))])


def _neighbours(connection: Connection, row: RowMapping, found: list[int]) -> bool:
    near = [t + by for t in found[:100] for by in (-1, 1)]
    here = (timepoints.c.acquisition_id == row["id"]) & timepoints.c.t.in_(near)
    return connection.execute(select(timepoints.c.id).where(here).limit(1)).first() is not None


def _lowest(connection: Connection, row: RowMapping | None) -> list[int]:
    if row is None:
        return []
    lowest = connection.execute(select(func.min(timepoints.c.t)).where(timepoints.c.acquisition_id == row["id"]))
    t = lowest.scalar()
    return [] if t is None else [int(t)]


def _times(connection: Connection, row: RowMapping) -> list[int]:
    here = timepoints.c.acquisition_id == row["id"]
    return [int(t) for t in connection.execute(select(timepoints.c.t).where(here)).scalars()]


def _refuse_off_step(acquisition: Description, times: set[int], step: int) -> None:
    others = off_step(times, step)
    if others:
        start = acquisition.first_number or 0
        raise StorageError(
            f"{acquisition.name} has the time points {min(times) + start} and {others[0] + start}, which are not in "
            f"the steps of {step} that were given: give another --step (step of the watch), or 1."
        )
