"""All data input and output: readers of microscope files, OME-Zarr stores, the database.

`storage.open(PATH)` gives the results as pandas tables and lazy label arrays; see `storage.results`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.results import Results

__all__ = ["open"]


def open(path_or_url: str | Path) -> Results:
    """Return the results in a folder, a database file or a database URL, to be read only.

    Raises
    ------
    DatabaseUnavailableError
        When there is no database, it cannot be read, or is of another version.
    """
    from storage.results import Results

    return Results(path_or_url)
