"""Questions to the database, answered in pages: for tables of any length.

Each is a context: the pages are of one committed snapshot, which ends with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from storage.query import frames, lineages, selections
from storage.query.selections import ALL, Selection
from storage.query.snapshots import known_track, resolved, snapshot

if TYPE_CHECKING:
    import pyarrow

    Pages = Iterator[pyarrow.Table]


@contextmanager
def acquisitions(path_or_url: str | Path, selection: Selection = ALL) -> Iterator[Pages]:
    """Give acquisitions, oldest first: the columns of the table, counts of nuclei and tracks, progress."""
    with snapshot(path_or_url) as connection:
        yield frames.pages(connection, selections.acquisitions(selection))


@contextmanager
def nuclei(path_or_url: str | Path, acquisition: int | str, selection: Selection = ALL) -> Iterator[Pages]:
    """Give the nuclei of an acquisition, ordered by time point and label."""
    with snapshot(path_or_url) as connection:
        number = resolved(connection, acquisition).id
        if selection.track is not None:
            known_track(connection, number, selection.track)
        yield frames.pages(connection, selections.nuclei(connection, number, selection))


@contextmanager
def tracks(path_or_url: str | Path, acquisition: int | str, selection: Selection = ALL) -> Iterator[Pages]:
    """Give the tracks of an acquisition: parent, first and last time point, number of nuclei, whether final."""
    with snapshot(path_or_url) as connection:
        number = resolved(connection, acquisition).id
        if selection.track is not None:
            known_track(connection, number, selection.track)
        yield frames.pages(connection, selections.tracks(number, selection))


@contextmanager
def lineage(path_or_url: str | Path, acquisition: int | str, selection: Selection = ALL) -> Iterator[Pages]:
    """Give tracks with root, generation and daughters; with `track` its family and how each is related to it."""
    with snapshot(path_or_url) as connection:
        number = resolved(connection, acquisition).id
        if selection.track is not None:
            known_track(connection, number, selection.track)
        yield frames.pages(connection, lineages.lineage(number, selection))
