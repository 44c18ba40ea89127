"""Answers of the database for people who use pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import pyarrow


def to_pandas(table: pyarrow.Table) -> pd.DataFrame:
    """Return an Arrow table as pandas keeps it best: integers stay integers beside missing ones."""
    import pyarrow

    kept = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.bool_(): pd.BooleanDtype()}
    return pd.DataFrame(table.to_pandas(types_mapper=kept.get))


def whole(parts: Iterator[pyarrow.Table]) -> pd.DataFrame:
    """Return all pages as one pandas table."""
    import pyarrow

    return to_pandas(pyarrow.concat_tables(parts))
