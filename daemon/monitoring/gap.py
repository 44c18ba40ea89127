"""Waiting until a running service has nothing to do, so that something else may use the cores for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from daemon.errors import DaemonError
from daemon.monitoring.status import Status, look
from storage.errors import StorageError

_LOOK_S = 1.0
_LOWEST = 19  # of the priorities: whatever else computes goes first


def wait_for_gap(database: str, limit_s: float, note: Callable[[str], None]) -> None:
    """Wait until no time point waits or is under way; then go on at the lowest priority, so that what comes goes first.

    Where no service runs on the database, or there is none, there is nothing to wait for.

    Raises
    ------
    DaemonError
        When there is no gap within the limit.
    """
    end, told = time.monotonic() + limit_s, False
    while True:
        status = _status(database)
        if status is None or not status.runs:
            return
        os.nice(_LOWEST - os.nice(0))
        if status.pace.waiting - status.pace.paused + status.pace.running == 0:
            return
        if time.monotonic() > end:
            raise DaemonError(
                f"The service on {database} has been at work for {limit_s:g} s without a gap: try later, give --wait a "
                "longer time, or --database another path to go on beside it."
            )
        if not told:
            note(f"The service is at work ({status.pace.waiting} waiting): waiting for a gap.")
            told = True
        time.sleep(_LOOK_S)


def _status(database: str) -> Status | None:
    try:
        return look(database, datetime.now(UTC))
    except StorageError:
        return None
