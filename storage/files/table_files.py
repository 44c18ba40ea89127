"""Pages of a table as a file or a stream: CSV, JSON, Parquet. Nothing but the present page is held in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from io import IOBase

    import pyarrow

Pages = Iterator["pyarrow.Table"]


def write_csv(pages: Pages, file: IO[bytes]) -> None:
    """Write CSV: names first, texts in quotes, numbers with all their digits, nothing where a value is missing."""
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False)
    for i, page in enumerate(pages):
        if i == 0:
            file.write((",".join(page.column_names) + "\n").encode())
        if page.num_rows:
            csv.write_csv(page, file, options)


def write_json(pages: Pages, file: IO[bytes]) -> None:
    """Write a JSON list of objects, one on each line, numbers with all their digits."""
    between = b"[\n"
    for page in pages:
        lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in page.to_pylist()]
        if lines:
            file.write(between + ",\n".join(lines).encode())
            between = b",\n"
    file.write(b"[]\n" if between == b"[\n" else b"\n]\n")


def write_parquet(pages: Pages, file: IO[bytes]) -> None:
    """Write Parquet, which needs no seeking and so goes through a pipe too; pandas reads integers back as integers."""
    from pyarrow import PythonFile, Schema
    from pyarrow.parquet import ParquetWriter

    from storage.query.answers import to_pandas

    first = next(pages)
    for_pandas = Schema.from_pandas(to_pandas(first.slice(0, 0)), preserve_index=False).metadata
    sink = PythonFile(cast("IOBase", _Counting(file)), mode="w")  # which asks a file for no more than that
    with ParquetWriter(sink, first.schema.with_metadata(for_pandas)) as writer:
        for page in chain((first,), pages):
            writer.write_table(page.replace_schema_metadata(for_pandas))


WRITERS: Mapping[str, Callable[[Pages, IO[bytes]], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}


class _Counting:
    """A stream that knows how much was written to it, as Parquet's footer wants to, though a pipe cannot tell."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Leave the stream open: it belongs to whoever opened it."""
        self.flush()
