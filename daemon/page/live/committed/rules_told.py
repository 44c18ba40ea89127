"""Rules for the microscope and what they sent, as the page shows them."""

from __future__ import annotations

from typing import Any

from storage.query.health import read_report
from storage.query.noticing.sent import latest_sendings
from storage.query.snapshots import snapshot

MOST = 200
ON_THE_OVERVIEW = 12


def rules_told(database: str, most: int = MOST) -> dict[str, Any]:
    """What the service says of its rules, and what they sent, the latest first."""
    with snapshot(database) as connection:
        report = read_report(connection)
        sent = latest_sendings(connection, most)
    return {"rules": [] if report is None else list(report[1].get("rules", ())), "sent": sent}
