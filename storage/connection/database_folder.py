"""The folder that a database lies in, from which the paths of the stores beside it count."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import Connection


def folder_of(connection: Connection) -> Path | None:
    """Return the folder of the database behind a connection; None for one on a server."""
    if connection.dialect.name != "sqlite":
        return None
    name = connection.engine.url.database or ""
    if name.startswith("file:"):  # as it is opened where nothing may be written beside it
        name = unquote(name.removeprefix("file:"))
    return Path(name).absolute().parent
