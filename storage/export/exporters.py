"""Which formats there are, and writing one: whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from storage.errors import OutputExistsError, StorageError, WrongRequestError
from storage.export import ctc, geff, napari, tables, trackmate
from storage.export.snapshot import Snapshot
from storage.query import snapshots

Exporter = Callable[[Snapshot, Path], None]

EXPORTERS: Mapping[str, Exporter] = {
    "csv": tables.write_csv,
    "ctc": ctc.write,
    "geff": geff.write,
    "napari": napari.write,
    "parquet": tables.write_parquet,
    "trackmate": trackmate.write,
}


def export(path_or_url: str | Path, acquisition: int | str, form: str, output: str | Path) -> Path:
    """Write an acquisition's results in another format.

    Parameters
    ----------
    path_or_url : database
    acquisition : id or name
    form : one of `EXPORTERS`
    output : str or Path
        The file or folder to write; it must not exist yet, and appears when it is whole.

    Raises
    ------
    OutputExistsError, UnknownAcquisitionError, StorageError
    """
    if form not in EXPORTERS:
        raise WrongRequestError(f"There is no export format {form!r}: choose one of {', '.join(EXPORTERS)}.")
    output = Path(output)
    if os.path.lexists(output):
        raise OutputExistsError(f"{output} is already there and is not overwritten: choose another name or remove it.")
    unfinished = output.with_name(f".{output.name}.partial{''.join(output.suffixes)}")
    _remove(unfinished)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with snapshots.snapshot(path_or_url) as connection:
            EXPORTERS[form](Snapshot(connection, snapshots.resolved(connection, acquisition)), unfinished)
        os.rename(unfinished, output)
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written ({error.strerror or error}): check disk and permissions."
        ) from error
    finally:
        _remove(unfinished)
    return output


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
