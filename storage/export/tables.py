"""Nuclei and tracks as plain tables: CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from storage import queries

if TYPE_CHECKING:
    from storage.export import Snapshot


def write_csv(snapshot: Snapshot, output: Path) -> None:
    """Write a folder with ``nuclei.csv`` and ``tracks.csv``; with a name that ends in ``.csv`` the nuclei alone.

    Nuclei carry their track's `parent_track_id`.
    """
    if output.suffix.lower() == ".csv":
        _write_nuclei_csv(snapshot, output)
        return
    output.mkdir()
    _write_nuclei_csv(snapshot, output / "nuclei.csv")
    tracks = queries.tracks_frame(snapshot.connection, snapshot.acquisition.id)
    tracks.to_csv(output / "tracks.csv", index=False, lineterminator="\n")


def write_parquet(snapshot: Snapshot, output: Path) -> None:
    """Write a folder with ``nuclei.parquet`` and ``tracks.parquet``; with ``.parquet`` the nuclei alone."""
    tracks = queries.tracks_frame(snapshot.connection, snapshot.acquisition.id)
    if output.suffix.lower() == ".parquet":
        _write_nuclei_parquet(snapshot, output)
        return
    output.mkdir()
    _write_nuclei_parquet(snapshot, output / "nuclei.parquet")
    tracks.to_parquet(output / "tracks.parquet", index=False)


def _write_nuclei_csv(snapshot: Snapshot, path: Path) -> None:
    columns = _columns(snapshot)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        for page in _pages(snapshot):
            page.reindex(columns=columns).to_csv(file, index=False, header=False, lineterminator="\n")


def _write_nuclei_parquet(snapshot: Snapshot, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = _columns(snapshot)
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    schema = pyarrow.Schema.from_pandas(empty, preserve_index=False)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for page in _pages(snapshot):
            table = page.reindex(columns=list(columns)).astype(columns)
            writer.write_table(pyarrow.Table.from_pandas(table, schema=schema, preserve_index=False))


def _pages(snapshot: Snapshot) -> Any:
    tracks = queries.tracks_frame(snapshot.connection, snapshot.acquisition.id)
    parents = tracks.set_index("track_id")["parent_track_id"]
    for page in queries.nuclei_pages(snapshot.connection, snapshot.acquisition.id):
        after = list(page.columns).index("track_id") + 1
        page.insert(after, "parent_track_id", page["track_id"].map(parents).astype("Int64"))
        yield page


def _columns(snapshot: Snapshot) -> dict[str, str]:
    """Return names and dtypes of all columns of all pages, those of other channels included."""
    columns: dict[str, str] = {}
    for page in _pages(snapshot):
        columns.update({str(name): str(kind) for name, kind in page.dtypes.items() if name not in columns})
    return columns or {"t": "Int64", "label": "Int64", "track_id": "Int64", "parent_track_id": "Int64"}
