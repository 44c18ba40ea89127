"""The report that the service keeps of itself; `storage.query.health` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from storage.query.health import REPORT
from storage.schema.tables import service_reports


def write_report(connection: Connection, report: Mapping[str, Any], now: str) -> None:
    """Keep the service's report in place of the one before."""
    words: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"reported_at": now, "report": dict(report)}
    statement = words.insert(service_reports).values(name=REPORT, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
