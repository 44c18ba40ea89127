"""A companion file (``.companion.ome``) as a path: it stands for the OME-TIFFs that it describes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.completion import Completion
from storage.readers.tiff import tiff_probe
from storage.readers.tiff.ome_described import named_by
from storage.readers.tiff.opening import open_tiff


def probe(path: Path) -> Completion:
    """Return the verdict on the files that a companion describes."""
    named = named_by(path)
    first = next((file for file in named if file.is_file()), None)
    if first is not None:
        found = tiff_probe.probe(first)
        return replace(found, others=tuple(sorted({first, *named, *found.others} - {path})))
    if not named:
        return Completion("incomplete", f"{path} is no OME-XML that names files beside it, or breaks off.")
    reason = f"{path} describes {len(named)} files, none of which is there: {named[0].name} is the first."
    return Completion("incomplete", reason, others=tuple(named))


def open_companion(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images that a companion describes, as each of its files gives them.

    Raises
    ------
    UnreadableInputError
        When none of the files is there.
    """
    first = next((file for file in named_by(path) if file.is_file()), None)
    if first is None:
        raise UnreadableInputError(f"{path} describes files that are not there: copy them beside it.")
    return open_tiff(first, axes)
