"""Problems that nobody needs to see any more: those of files that are gone, and those that a person dismissed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from storage.readers.names import file_of_image
from storage.schema.states import AcquisitionState, TimepointState
from storage.schema.tables import acquisitions, timepoints


def dismiss(connection: Connection, numbers: Iterable[int] | None, now: str) -> int:
    """Have the problems of these acquisitions (None: of all) told no more; return of how many there were some.

    What goes wrong with them later is told again.
    """
    which = open_problems() if numbers is None else open_problems() & acquisitions.c.id.in_(tuple(numbers))
    return connection.execute(update(acquisitions).where(which).values(dismissed_at=now)).rowcount


def files_with_problems(connection: Connection, most: int) -> Mapping[int, tuple[Path, ...]]:
    """Return, by acquisition, the files that could not be processed and are told of: at most `most` acquisitions."""
    found: dict[int, tuple[Path, ...]] = {}
    wanted = select(acquisitions).where(open_problems()).order_by(acquisitions.c.id.desc()).limit(most)
    for row in connection.execute(wanted).mappings().all():
        failed = (timepoints.c.acquisition_id == row["id"]) & (timepoints.c.state == TimepointState.FAILED.value)
        named = connection.execute(select(timepoints.c.source_file).where(failed).distinct()).scalars().all()
        paths = [Path(name) for name in named if name] or [Path(row["source_path"])]
        found[int(row["id"])] = tuple(sorted({file_of_image(path) for path in paths}))
    return found


def open_problems() -> ColumnElement[bool]:
    """Return the condition for an acquisition to have something that failed and was not dismissed since."""
    last = (
        select(func.max(func.coalesce(timepoints.c.started_at, timepoints.c.queued_at)))
        .where(timepoints.c.acquisition_id == acquisitions.c.id, timepoints.c.state == TimepointState.FAILED.value)
        .correlate(acquisitions)
        .scalar_subquery()
    )
    ended = func.coalesce(acquisitions.c.completed_at, acquisitions.c.created_at)
    aside = acquisitions.c.state == AcquisitionState.SET_ASIDE.value
    seen = acquisitions.c.dismissed_at
    return or_(
        last > func.coalesce(seen, ""), (aside | acquisitions.c.error.is_not(None)) & (ended > func.coalesce(seen, ""))
    )
