"""What commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json", "parquet")


def say(text: str) -> None:
    """One line of a result, to standard output."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """One line for the person at the terminal, to standard error."""
    sys.stderr.write(text + "\n")


def write_table(table: pd.DataFrame, form: str, brief: Sequence[str] = ()) -> None:
    """Write a table to standard output.

    Parameters
    ----------
    table : DataFrame
        Its index is not written.
    form : str
        ``table`` (for people), ``csv``, ``json`` (a list of objects) or ``parquet`` (binary, for a pipe or a file).
    brief : sequence of str, optional
        The columns that people are shown, where they hold anything; the other forms always have all.
    """
    if form == "csv":
        table.to_csv(sys.stdout, index=False, lineterminator="\n")
    elif form == "json":
        say(table.to_json(orient="records", indent=2, date_format="iso", default_handler=str) or "[]")
    elif form == "parquet":
        import io

        buffer = io.BytesIO()  # parquet needs to seek, a pipe cannot
        table.to_parquet(buffer, index=False)
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
    else:
        shown = [name for name in brief if name in table and table[name].notna().any()] or list(table.columns)
        say(_for_people(table[shown]))
        if len(shown) < table.shape[1] and len(table):
            complain(f"({table.shape[1] - len(shown)} more columns with --format csv, json or parquet)")


def _for_people(table: pd.DataFrame) -> str:
    """Columns under their names, numbers to the right and text to the left."""
    if table.empty:
        return "(nothing)"
    columns = []
    for name in table.columns:
        cells = [str(name), *_written(table[name])]
        width = max(len(cell) for cell in cells)
        number = table[name].dtype.kind in "iufb"
        columns.append([cell.rjust(width) if number else cell.ljust(width) for cell in cells])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def _written(column: pd.Series) -> list[str]:
    """Numbers as people write them: counts whole, measurements with four digits, nothing as a dash."""
    if column.dtype.kind != "f":
        return ["-" if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
    present = column.dropna()
    form = ".0f" if (present == present.round()).all() else ".4g"
    return ["-" if value != value else format(value, form) for value in column]
