"""What a source was taken for before a person gave the right facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from storage.canonical import canonical_json
from storage.database.registration import result_key, source_key
from storage.description import Description
from storage.schema.rows import UNCLEAR_CHANNEL
from storage.schema.tables import acquisitions


def to_replace(
    connection: Connection, acquisition: Description, model_sha256: str, params: Mapping[str, Any], any_channel: bool
) -> int | None:
    """Return the acquisition that the same source was taken for before, with other facts; None where there is none.

    Facts are axes, voxel size and, with `any_channel`, the nuclear channel. One with the same weights and parameters
    goes before others, and among equals the newest.
    """
    here = acquisitions.c.source_key == source_key(acquisition.source_path)
    query = select(acquisitions).where(here, acquisitions.c.zarr_path.is_not(None)).order_by(acquisitions.c.id.desc())
    rows = connection.execute(query).mappings().all()
    key = result_key(acquisition, model_sha256, params)
    if any(row["result_key"] == key for row in rows):
        return None
    facts = ("axes", "nuclear_channel") if any_channel else ("axes",)

    def analysis(stored: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in stored.items() if name not in (*facts, UNCLEAR_CHANNEL)}

    alike = [row for row in rows if canonical_json(analysis(row["params"])) == canonical_json(analysis(params))]
    same = [row for row in alike if row["model_sha256"] == model_sha256]
    return next((int(row["id"]) for row in (*same, *(rows if any_channel else ()))), None)
