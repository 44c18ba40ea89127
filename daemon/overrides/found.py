"""Finding the overrides of a database from outside of its service, which may have a state folder of its own."""

from __future__ import annotations

from pathlib import Path

from daemon.errors import DaemonError
from daemon.installation.state_folder import overrides_path
from daemon.overrides import book
from daemon.overrides.book import Overrides
from storage.clock import utc_now
from storage.errors import StorageError
from storage.query.health import health


def overrides_of(database: str) -> Overrides:
    """Read them: where the service last said that they lie, else where one of this account would keep them."""
    try:
        _, reported = health(database, utc_now())
    except StorageError:  # there is none yet
        reported = None
    told = {} if reported is None else dict(reported[1].get("settings") or {})
    try:
        return book.read(Path(told["path"]) if told.get("path") else overrides_path(database))
    except DaemonError as error:
        return Overrides(fault=str(error))
