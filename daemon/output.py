"""What commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
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


def write_table(table: pd.DataFrame, form: str) -> None:
    """Write a table to standard output.

    Parameters
    ----------
    table : DataFrame
        Its index is not written.
    form : str
        ``table`` (for people), ``csv``, ``json`` (a list of objects) or ``parquet`` (binary, for a pipe or a file).
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
        say(_for_people(table))


def _for_people(table: pd.DataFrame) -> str:
    if table.empty:
        return "(nothing)"
    shown = table.copy()
    for name in shown:
        if shown[name].dtype.kind == "f":
            shown[name] = _written(shown[name])
    return str(shown.to_string(index=False, na_rep="-"))


def _written(column: pd.Series) -> list[str]:
    """Numbers as people write them: counts whole, measurements with four digits, nothing as a dash."""
    present = column.dropna()
    form = ".0f" if (present == present.round()).all() else ".4g"
    return ["-" if value != value else format(value, form) for value in column]
