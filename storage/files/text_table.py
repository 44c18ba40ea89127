"""Tables as people keep them: comma-separated text, every cell of which stays as it was written."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import FloatsN
from storage.errors import StorageError
from storage.files.whole_file import whole

if TYPE_CHECKING:
    from _csv import Reader

MISSING = frozenset({"", "nan", "na", "n/a", "none", "null"})
"""Cells, in small letters, that hold no number and do not pretend to."""


@dataclass(frozen=True)
class TextTable:
    """A header and rows of cells, all of them text.

    Attributes
    ----------
    path : Path
        Where it came from, for messages.
    header : tuple of str
        As written; spaces around a name do not belong to it.
    rows : list of list of str
        As many cells in each as names in the header.
    lines : list of int
        The line of the file in which each row ends.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(name.strip() for name in self.header)

    def numbers(self, name: str) -> FloatsN:
        """A column as numbers, NaN for a missing one.

        Returns
        -------
        (N,) float64

        Raises
        ------
        StorageError
            If a cell holds something else; the message names its line.
        """
        index = self.names.index(name)
        values = np.empty(len(self.rows))
        for row, cells in enumerate(self.rows):
            text = cells[index].strip()
            try:
                values[row] = np.nan if text.lower() in MISSING else float(text)
            except ValueError:
                raise StorageError(
                    f"Column {name} of {self.path} holds {text!r} in line {self.lines[row]}, which is not a number: "
                    "correct or remove that row."
                ) from None
        return values

    def with_columns(self, columns: Mapping[str, Sequence[str]]) -> TextTable:
        """The same table with these columns at its end, in place of those of the same names."""
        kept = [index for index, name in enumerate(self.names) if name not in columns]
        header = (*(self.header[index] for index in kept), *columns)
        ends = zip(*columns.values(), strict=True)
        rows = [[*(cells[i] for i in kept), *end] for cells, end in zip(self.rows, ends, strict=True)]
        return TextTable(self.path, header, rows, self.lines)

    def write(self, path: Path) -> None:
        """Write it as a whole or not at all.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        try:
            with (
                whole(path) as unfinished,
                unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
            ):
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(self.header)
                writer.writerows(self.rows)
        except OSError as error:
            raise StorageError(f"{path} cannot be written ({error.strerror}): choose another output.") from error


def read_text_table(path: Path) -> TextTable:
    """Read a table of comma-separated values; blank lines are no rows.

    Raises
    ------
    StorageError
        If it cannot be read, has no header, two columns of one name, or a row of another length.
    """
    try:
        # Bytes that are no UTF-8 are carried through as they are.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            return _parsed(path, csv.reader(file, strict=True))
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.") from error
    except csv.Error as error:
        raise StorageError(f"{path} is no table of comma-separated values ({error}): save it as CSV.") from error


def _parsed(path: Path, reader: Reader) -> TextTable:
    """Header and rows of a CSV reader."""
    header: tuple[str, ...] | None = None
    rows: list[list[str]] = []
    lines: list[int] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = tuple(cells)
        elif len(cells) != len(header):
            raise StorageError(
                f"Line {reader.line_num} of {path} has {len(cells)} cells, the header has {len(header)}: correct or "
                "remove that row."
            )
        else:
            rows.append(cells)
            lines.append(reader.line_num)
    if header is None:
        raise StorageError(f"{path} is empty: it needs a header such as t,z,y,x and a row for each nucleus.")
    table = TextTable(path, header, rows, lines)
    twice = sorted({name for name in table.names if table.names.count(name) > 1})
    if twice:
        raise StorageError(f"{path} has two columns called {', '.join(twice)}: give each a name of its own.")
    return table
