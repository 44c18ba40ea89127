"""Which formats there are, and writing one: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from storage.errors import StorageError, WrongRequestError
from storage.export import ctc, geff, napari, tables, trackmate
from storage.export.snapshot import Snapshot
from storage.files import replacing
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


ENDINGS: Mapping[str, str] = {"geff": ".geff", "napari": ".csv", "trackmate": ".xml"}
"""What the names of formats end in that are one file (or one store); the others are folders."""


def export(
    path_or_url: str | Path, acquisition: int | str, form: str, output: str | Path, overwrite: bool = False
) -> Path:
    """Write an acquisition's results in another format.

    Parameters
    ----------
    path_or_url : database
    acquisition : id or name
    form : one of `EXPORTERS`
    output : str or Path
        The file or folder to write; it appears when it is whole. A name without an ending gets the format's.
    overwrite : bool
        Put it in the place of a file, or of a folder of the same kind, that is there.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputExistsError, UnknownAcquisitionError, StorageError
    """
    if form not in EXPORTERS:
        raise WrongRequestError(f"There is no export format {form!r}: choose one of {', '.join(EXPORTERS)}.")
    output = Path(output)
    if not output.suffix:
        output = output.with_name(output.name + ENDINGS.get(form, ""))
    if not overwrite:
        replacing.refuse(output)
    unfinished = output.with_name(f".{output.name}.partial{''.join(output.suffixes)}")
    replacing.remove(unfinished)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with snapshots.snapshot(path_or_url) as connection:
            EXPORTERS[form](Snapshot(connection, snapshots.resolved(connection, acquisition)), unfinished)
        replacing.put(unfinished, output)
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written ({error.strerror or error}): check disk and permissions."
        ) from error
    finally:
        replacing.remove(unfinished)
    return output
