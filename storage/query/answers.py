"""Answers of the database as tables: Arrow in pages, so that millions of rows need little memory, or pandas at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import JSON, Connection, Select

from storage.errors import StorageError

if TYPE_CHECKING:
    import pyarrow

PAGE_ROWS = 20_000


def pages(connection: Connection, query: Select[Any], rows: int | None = None) -> Iterator[pyarrow.Table]:
    """Give a query's answer in Arrow tables of at most `rows` rows (`PAGE_ROWS`); at least one, which may be empty.

    Only one page is in memory at a time, here and in the database's driver.
    """
    import pyarrow

    rows = rows or PAGE_ROWS
    shape = arrow_schema(query)
    kinds = [isinstance(column.type, JSON) for column in query.selected_columns]
    result = connection.execute(query, execution_options={"yield_per": rows})
    empty = True
    for part in result.partitions(rows):
        columns = [_column(v, f, j) for v, f, j in zip(zip(*part, strict=True), shape, kinds, strict=True)]
        yield pyarrow.Table.from_arrays(columns, schema=shape)
        empty = False
    if empty:
        yield shape.empty_table()


def arrow_schema(query: Select[Any]) -> pyarrow.Schema:
    """Return names and types of a query's columns; what is stored as JSON is given as text."""
    import pyarrow

    types: dict[type, pyarrow.DataType] = {
        bool: pyarrow.bool_(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
    }
    columns = query.selected_columns
    return pyarrow.schema([pyarrow.field(c.name, types.get(c.type.python_type, pyarrow.string())) for c in columns])


def to_pandas(table: pyarrow.Table) -> pd.DataFrame:
    """Return an Arrow table as pandas keeps it best: integers stay integers beside missing ones."""
    import pyarrow

    kept = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.bool_(): pd.BooleanDtype()}
    return pd.DataFrame(table.to_pandas(types_mapper=kept.get))


def whole(parts: Iterator[pyarrow.Table]) -> pd.DataFrame:
    """Return all pages as one pandas table."""
    import pyarrow

    return to_pandas(pyarrow.concat_tables(parts))


def _column(values: Sequence[Any], field: pyarrow.Field[Any], is_json: bool) -> pyarrow.Array[Any]:
    import pyarrow

    if is_json:
        values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    try:
        column: pyarrow.Array[Any] = pyarrow.array(values, type=field.type)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise StorageError(
            f"The column {field.name} holds values of several kinds ({error}): choose the other columns."
        ) from error
    return column
