"""What commands write: results to standard output, everything else to standard error."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from daemon.plain_text import shown
from storage.spans import counted

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

FORMATS = ("table", "csv", "json", "parquet")


def say(text: str) -> None:
    """One line of a result, to standard output."""
    sys.stdout.write(shown(text) + "\n")


def say_or_go_on(text: str) -> None:
    """One line of a command whose results are files, said at once; where nobody can read it, the command goes on."""
    try:
        say(text)
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):  # else the reader has seen enough
            complain(f"Standard output cannot be written ({error.strerror}): files are written, and no longer named.")


def silence(stream: TextIO) -> None:
    """Let everything else that is said to a stream vanish, also what waits to be written at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def complain(text: str, lines: bool = False) -> None:
    """One line for the person at the terminal, to standard error; several only where `lines` says so.

    A name with a line's end forges no line of its own. Where nobody can read it, the command goes on.
    """
    try:
        sys.stderr.write(shown(text, allowed="\n\t" if lines else "") + "\n")
    except OSError:
        silence(sys.stderr)


def write_table(table: pd.DataFrame, form: str, brief: Sequence[str] = ()) -> None:
    """Write a table to standard output; see `write_pages`. Its index is not written."""
    from pyarrow import Table

    write_pages(iter([Table.from_pandas(table, preserve_index=False)]), form, brief)


def write_pages(pages: Iterator[pyarrow.Table], form: str, brief: Sequence[str] = ()) -> None:
    """Write a table that comes in pages to standard output, one page in memory at a time.

    Parameters
    ----------
    pages : iterator of Arrow tables
        At least one.
    form : str
        ``table`` (for people), ``csv``, ``json`` (a list of objects) or ``parquet`` (binary, for a pipe or a file).
    brief : sequence of str, optional
        The columns that people are shown, where they hold anything; the other forms always have all.
    """
    if form == "table":
        _write_for_people(pages, brief)
        return
    from storage.files.table_files import WRITERS

    sys.stdout.flush()
    if form in ("csv", "json") and sys.stdout.isatty():
        held = io.BytesIO()
        WRITERS[form](pages, held)
        text = held.getvalue().decode()
        sys.stdout.write(shown(text) if form == "csv" else _escaped(text))
        return
    WRITERS[form](pages, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _escaped(text: str) -> str:
    """Return JSON that says the same, with its own escapes for all that a terminal could obey."""
    return "".join(c if c.isprintable() or c in "\n\t" else json.dumps(c)[1:-1] for c in text)


def _write_for_people(pages: Iterator[pyarrow.Table], brief: Sequence[str]) -> None:
    """Write columns under their names, as wide as the first page needs; which are shown is decided there too."""
    from storage.query.answers import to_pandas

    first = to_pandas(next(pages))
    chosen = [name for name in brief if name in first and first[name].notna().any()] or list(first.columns)
    text, widths = _for_people(first[chosen], None)
    say(text)
    for page in pages:
        text, widths = _for_people(to_pandas(page)[chosen], widths)
        say(text)
    if len(chosen) < first.shape[1] and len(first):
        complain(f"({counted(first.shape[1] - len(chosen), 'more column')} with --format csv, json or parquet)")


def _for_people(table: pd.DataFrame, widths: Sequence[int] | None) -> tuple[str, Sequence[int]]:
    """Columns under their names (not again with `widths`), numbers to the right and text to the left."""
    if table.empty:
        return "(nothing)", ()
    columns, used = [], []
    for i, name in enumerate(table.columns):
        cells = _written(table[name]) if widths else [str(name), *_written(table[name])]
        width = max(widths[i] if widths else 0, *(len(cell) for cell in cells))
        number = table[name].dtype.kind in "iufb"
        columns.append([cell.rjust(width) if number else cell.ljust(width) for cell in cells])
        used.append(width)
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True)), used


def _written(column: pd.Series) -> list[str]:
    """Numbers as people write them: counts whole, measurements with four digits, nothing as a dash."""
    if column.dtype.kind != "f":
        return [
            "-" if missing else shown(str(value), allowed="")
            for value, missing in zip(column, column.isna(), strict=True)
        ]
    present = column.dropna()
    form = ".0f" if (present == present.round()).all() else ".4g"
    return ["-" if value != value else format(value, form) for value in column]
