"""What rules sent, the latest first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from storage.schema.tables import acquisitions, rule_sendings


def latest_sendings(
    connection: Connection, most: int, acquisition_id: int | None = None, rule: str | None = None
) -> list[dict[str, Any]]:
    """Return what rules decided and what became of it, as plain values."""
    table = rule_sendings
    columns = [column for column in table.columns if column.name not in ("content", "acquisition_id", "id")]
    query = select(acquisitions.c.name.label("acquisition"), *columns, table.c.content)
    query = query.outerjoin(acquisitions, acquisitions.c.id == table.c.acquisition_id).order_by(table.c.id.desc())
    query = query.where(table.c.acquisition_id == acquisition_id) if acquisition_id is not None else query
    query = query.where(table.c.rule == rule) if rule is not None else query
    return [told(dict(row)) for row in connection.execute(query.limit(most)).mappings()]


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the main parts of what is sent in columns of their own."""
    content = row.pop("content")
    found, offset = content["found"], content["offset_um"] or {}
    place = {f"offset_{axis}_um": offset.get(axis) for axis in "zyx"}
    named = {name: found.get(name) for name in ("label", "track_id")}
    return {**row, "committed_at": content["committed_at"], "source_t": content["source_t"], **named, **place}
