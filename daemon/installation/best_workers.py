"""How many workers serve most on this machine, which `nusetd selfcheck --workers` measured, and the cores of each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from daemon.errors import DaemonError
from daemon.installation.state_folder import state_folder
from storage.files.whole_file import whole

_FILE = "workers.json"


def worker_count(wanted: int | Literal["auto"]) -> int:
    """Return how many workers there are to be."""
    if wanted != "auto":
        return wanted
    rates = kept_rates()
    return best(rates) if rates else 1


def threads_each(threads: int | None, workers: int) -> int | None:
    """Divide cores among workers; a single one that may have all is told no number."""
    if workers == 1:
        return threads
    return max(1, (threads or len(os.sched_getaffinity(0))) // workers)


def best(rates: Mapping[int, float]) -> int:
    """Return the number of workers with the highest rate, the smaller of two that are within 3 %."""
    most = max(rates.values())
    return min(count for count, rate in rates.items() if rate >= 0.97 * most)


def keep_rates(rates: Mapping[int, float]) -> Path:
    """Write down how many time points an hour so many workers served on this machine.

    Raises
    ------
    DaemonError
        When the folder for the state cannot be written.
    """
    path = state_folder() / _FILE
    try:
        with whole(path) as unfinished:
            unfinished.write_text(json.dumps({"timepoints_per_hour": {str(n): rate for n, rate in rates.items()}}))
    except OSError as error:
        raise DaemonError(f"{path} cannot be written ({error.strerror}): set XDG_STATE_HOME.") from error
    return path


def kept_rates() -> dict[int, float]:
    """Return what was measured; nothing where it never was, or cannot be read."""
    try:
        said = json.loads((state_folder() / _FILE).read_text())["timepoints_per_hour"]
        return {int(count): float(rate) for count, rate in said.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, DaemonError):
        return {}
