"""Values on their way into the database and out of it.

SQLite takes whatever the driver hands it: a numpy integer becomes a blob and NaN becomes NULL without a word. So every
value is made a plain Python one here, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from nuset_engine.arrays import ValuesN
from nuset_engine.nuclei import NUCLEI_COLUMNS, Nuclei
from storage.errors import StorageError
from storage.schema import tables
from storage.version import nusetd_version

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from storage.description import Description
    from storage.schema.rows import AcquisitionRow, ChannelFact
    from tracking.doubts.told import FrameDoubts
    from tracking.graph import Track

# Columns of the engine's table that have a column of their own in the database.
MEASURED_COLUMNS = tuple(name for name in NUCLEI_COLUMNS if name in tables.nuclei.columns)
DOUBT_COLUMNS = ("doubt", "doubt_kind", "link_doubt", "end_doubt")
NO_DOUBTS = (None,) * len(DOUBT_COLUMNS)
Plain = bool | int | float | str | bytes | None
_PLAIN = frozenset({bool, int, str, bytes, type(None)})
_UNKNOWN = {"float64": math.nan, "int64": 0, "bool": False}


def plain(value: object) -> Plain:
    """Return a value as plain Python: numpy scalars unpacked, NaN and missing values None.

    Raises
    ------
    StorageError
        For a value that the database cannot hold.
    """
    if type(value) in _PLAIN:
        return value  # type: ignore[return-value]  # nearly always, and much faster
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | int | float | str | bytes):
        return value
    raise StorageError(f"{value!r} ({type(value).__name__}) cannot be stored: give a number, a text or nothing.")


def plain_column(values: pd.Series | ValuesN) -> list[Any]:
    """Return a column as plain Python values, fast for the usual dtypes."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        return list(array.tolist())
    if array.dtype.kind == "f":
        return [None if v != v else v for v in array.tolist()]
    return [plain(v) for v in array.tolist()]


def nuclei_records(
    acquisition: AcquisitionRow, nuclei: Nuclei, track_ids: Mapping[int, int], doubts: FrameDoubts | None = None
) -> list[dict[str, Any]]:
    """Return one record per nucleus for `schema.nuclei`.

    Parameters
    ----------
    acquisition : AcquisitionRow
    nuclei : Nuclei
    track_ids : mapping of label to track id; nuclei that are not in it get none
    doubts : FrameDoubts, optional
        What is said of each; without, its columns are left out.
    """
    table = nuclei.table
    columns = {name: plain_column(table[name]) for name in MEASURED_COLUMNS}
    others = {str(name): plain_column(table[name]) for name in table.columns if name not in MEASURED_COLUMNS}
    count = len(table)
    columns["track_id"] = [track_ids.get(label) for label in columns["label"]]
    columns["acquisition_id"] = [int(acquisition.id)] * count
    columns["t"] = [int(nuclei.t)] * count
    columns["source_t"] = [acquisition.source_t(int(nuclei.t))] * count
    if doubts is not None:
        said = doubts_by_label(doubts)
        rows = [said.get(label, NO_DOUBTS) for label in columns["label"]]
        columns |= {name: [row[at] for row in rows] for at, name in enumerate(DOUBT_COLUMNS)}
    if others:  # without, the column is left out: SQLAlchemy would write JSON's null, which is not SQL's
        columns["measurements"] = [{name: values[i] for name, values in others.items()} for i in range(count)]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def doubts_by_label(doubts: FrameDoubts) -> dict[int, tuple[Plain, ...]]:
    """Return the values of `DOUBT_COLUMNS` by label."""
    links = plain_column(doubts.link_doubt), plain_column(doubts.end_doubt)
    rows = zip(plain_column(doubts.doubt), doubts.kinds(), *links, strict=True)
    return dict(zip(doubts.labels.tolist(), rows, strict=True))


def nuclei_from_rows(t: int, unit: Literal["um", "px"], rows: Sequence[RowMapping]) -> Nuclei:
    """Return a time point's table with exactly the values that were stored."""
    if not rows:
        return Nuclei.empty(t, unit)
    table: dict[str, Any] = {}
    for name, dtype in NUCLEI_COLUMNS.items():
        values = [row[name] for row in rows]
        table[name] = np.array([_UNKNOWN[dtype] if v is None else v for v in values], dtype=dtype)
    for name in rows[0]["measurements"] or {}:
        table[name] = [(row["measurements"] or {}).get(name) for row in rows]
    return Nuclei(t, pd.DataFrame(table), unit)


def track_record(acquisition_id: int, track: Track) -> dict[str, Any]:
    """Return the record of a track for `schema.tracks`."""
    told = ("track_id", "parent_track_id", "first_t", "last_t", "nuclei_count", "is_final", "division_score")
    names = (*told, "doubt", "end_doubt")
    return {"acquisition_id": int(acquisition_id), **{name: plain(getattr(track, name)) for name in names}}


def upsert(connection: Connection, table: Table, records: Sequence[Mapping[str, Any]], key: tuple[str, ...]) -> None:
    """Insert records, replacing those with the same key, in the words of the server at hand."""
    words = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement: Any = words.insert(table)
    values = {name: statement.excluded[name] for name in records[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values), list(records))


def acquisition_record(
    acquisition: Description, model: tuple[str, str], params: Mapping[str, Any], channel: ChannelFact
) -> dict[str, Any]:
    """Say what is known of an acquisition, but for the keys under which it is found again."""
    z_um, y_um, x_um = acquisition.voxel_size_um or (None, None, None)
    return {
        "source_path": str(acquisition.source_path),
        "reader": acquisition.reader,
        "size_t": int(acquisition.size_t),
        "size_c": int(acquisition.size_c),
        "size_z": int(acquisition.size_z),
        "size_y": int(acquisition.size_y),
        "size_x": int(acquisition.size_x),
        "dtype": acquisition.dtype.name,
        "voxel_z_um": z_um,
        "voxel_y_um": y_um,
        "voxel_x_um": x_um,
        "voxel_source": acquisition.voxel_source,
        "frame_interval_s": acquisition.frame_interval_s,
        "axes_source": acquisition.origins.axes,
        "time_source": acquisition.origins.time or acquisition.origins.axes,
        "frame_interval_source": acquisition.origins.frame_interval,
        "doubts": [*acquisition.doubts, *acquisition.lacks] or None,
        "overruled": dict(acquisition.overruled) or None,
        "started_at": acquisition.started_at,
        "channel_names": list(acquisition.channel_names),
        "first_number": acquisition.first_number,
        "nuclear_channel": channel.channel,
        "channel_source": channel.source,
        **({} if channel.trial is None else {"channel_trial": channel.trial}),
        "model_name": model[0],
        "model_sha256": model[1],
        "params": dict(params),
        "nusetd_version": nusetd_version(),
    }
