"""What needs a person: what was set aside and why, and who changed what lately."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import text

from storage.query.recorded_changes import latest_changes
from storage.query.snapshots import snapshot

MOST_SET_ASIDE = 100
MOST_CHANGES = 30

_SET_ASIDE = text("""
    SELECT a.id, a.name, a.state, a.error, a.source_path, a.given, coalesce(f.failed, 0) AS failed,
        (SELECT p.error FROM timepoints p WHERE p.acquisition_id = a.id AND p.state = 'failed' ORDER BY p.t LIMIT 1)
            AS first_error
    FROM acquisitions a
    LEFT JOIN (SELECT acquisition_id, count(*) AS failed FROM timepoints WHERE state = 'failed' GROUP BY acquisition_id)
        f ON f.acquisition_id = a.id
    WHERE (a.state = 'set_aside' OR f.failed > 0)
        AND (a.dismissed_at IS NULL OR a.dismissed_at < coalesce(a.completed_at, a.created_at))
    ORDER BY a.id DESC LIMIT :most
""")


def attention(database: str) -> dict[str, Any]:
    """What was set aside (the newest first), and the latest changes, as plain values."""
    with snapshot(database) as connection:
        found = connection.execute(_SET_ASIDE, {"most": MOST_SET_ASIDE + 1}).mappings().all()
        changes = [asdict(one) for one in latest_changes(connection, MOST_CHANGES)]
    rows = [_set_aside(row) for row in found[:MOST_SET_ASIDE]]
    return {"set_aside": {"rows": rows, "more": len(found) > MOST_SET_ASIDE}, "changes": changes}


def _set_aside(row: Mapping[Any, Any]) -> dict[str, Any]:
    given = row["given"]
    return {
        "id": int(row["id"]),
        "name": row["name"],
        "state": row["state"],
        "failed": int(row["failed"]),
        "reason": row["error"] or row["first_error"] or "",
        "source_path": row["source_path"],
        "given": (json.loads(given) if isinstance(given, str) else given) or {},
    }
