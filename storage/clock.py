"""Times as the database holds them: UTC, ISO 8601, sortable as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Return a moment as text such as ``2026-11-23T05:01:17.123Z``.

    Raises
    ------
    ValueError
        When the moment has no time zone: it could mean anything.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(moment: datetime, seconds: float) -> str:
    """Return the moment `seconds` after `moment` as text."""
    return iso(moment + timedelta(seconds=seconds))
