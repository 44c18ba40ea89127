"""Which formats there are, and writing one: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from storage.errors import StorageError, WrongRequestError
from storage.export import ctc, geff, napari, tables, trackmate, training
from storage.export.snapshot import Snapshot
from storage.files import replacing
from storage.files.whole_file import part_of, remove, remove_unfinished
from storage.query import snapshots

Exporter = Callable[[Snapshot, Path], None]

EXPORTERS: Mapping[str, Exporter] = {
    "csv": tables.write_csv,
    "ctc": ctc.write,
    "geff": geff.write,
    "napari": napari.write,
    "parquet": tables.write_parquet,
    "trackmate": trackmate.write,
    "training": training.write,
}


ENDINGS: Mapping[str, str] = {"geff": ".geff", "napari": ".csv", "trackmate": ".xml"}
"""What the names of formats end in that are one file (or one store); the others are folders."""

BESIDE: Mapping[str, tuple[str, Exporter]] = {"napari": (".layer.json", napari.write_layer)}
"""A second file of a format: the ending that it has instead, and what writes it."""


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
    parts = {output: EXPORTERS[form]}
    if form in BESIDE:
        ending, exporter = BESIDE[form]
        parts = {output.with_suffix(ending): exporter, **parts}
    if not overwrite:
        for part in parts:
            replacing.refuse(part)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _write(path_or_url, acquisition, parts)
    except OSError as error:
        raise StorageError(
            f"{output} cannot be written ({error.strerror or error}): check disk and permissions."
        ) from error
    return output


def _write(path_or_url: str | Path, acquisition: int | str, parts: Mapping[Path, Exporter]) -> None:
    """Write all parts from one snapshot, and give them their names when each is whole."""
    unfinished = {part: part_of(part, "".join(part.suffixes)) for part in parts}
    try:
        with snapshots.snapshot(path_or_url) as connection:
            moment = Snapshot(connection, snapshots.resolved(connection, acquisition))
            for part, exporter in parts.items():
                exporter(moment, unfinished[part])
        for part in parts:
            replacing.put(unfinished[part], part)
    finally:
        for path in unfinished.values():
            remove(path)
        remove_unfinished(unfinished)
