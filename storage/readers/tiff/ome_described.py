"""What describes an OME-TIFF: its own first page, or another file beside it.

That is a companion (``.companion.ome``, XML alone), or the one TIFF of a set that has the description of all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.errors import StorageError, UnsupportedInputError
from storage.readers.names import COMPANION_SUFFIXES, TIFF_SUFFIXES, suffix
from storage.readers.tiff import ome_xml
from storage.readers.tiff.chain import walk
from storage.readers.tiff.named_files import is_outside
from storage.readers.tiff.ome_set import names_in
from storage.readers.tiff.ome_xml import OmeImage
from storage.readers.xml_text import decoded, printable

_LARGEST_COMPANION = 1 << 28


class AbsentCompanionError(UnsupportedInputError):
    """A file has only pixels, and what describes them is not beside it."""

    def __init__(self, path: Path, name: str) -> None:
        said = printable(name) or "a file without a name"
        self.reason = f"{path} holds pixels alone: its description is in {said}, which is not beside it, or damaged."
        super().__init__(f"{self.reason.rstrip('.')}: copy that file there, then hand the image in again.")
        self.others = (path.with_name(name),) if name and not is_outside(path, name) else ()


@dataclass(frozen=True)
class Described:
    """The images of an OME-XML document.

    Attributes
    ----------
    images : tuple of OmeImage
    by : Path or None
        The companion that the document is in; None for the file itself.
    """

    images: tuple[OmeImage, ...]
    by: Path | None = None

    @property
    def others(self) -> tuple[Path, ...]:
        """The companion, where there is one."""
        return () if self.by is None else (self.by,)


def described(path: Path, text: str) -> Described:
    """Return what a file's OME-XML describes, be it in the file itself or in a companion beside it.

    Raises
    ------
    ValueError
        When it is damaged.
    AbsentCompanionError
        When the companion is not there.
    UnsupportedInputError
        When it has axes that are not read here.
    """
    try:
        found = ome_xml.companion(text)
        if found is None:
            return Described(ome_xml.parse(text))
        name = Path(found.file).name
        beside = path.with_name(name) if name and not is_outside(path, name) else None
        said = None if beside is None else document_in(beside)
        if beside is None or not said or ome_xml.companion(said) is not None:
            raise AbsentCompanionError(path, name)
        return Described(ome_xml.parse(said, found.own), beside)
    except AbsentCompanionError:
        raise
    except UnsupportedInputError as error:
        raise UnsupportedInputError(f"{path} is not read here: {error}.") from error


def document_in(path: Path) -> str:
    """Return the OME-XML that a TIFF or a companion holds; empty where it is not there, or no such file."""
    if suffix(path) in TIFF_SUFFIXES:
        try:
            text = walk(path).description
        except OSError:
            return ""
        return text if ome_xml.is_ome(text) else ""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_COMPANION:
            return ""
        return decoded(path.read_bytes())
    except OSError:
        return ""


def files_beside(path: Path, images: Sequence[OmeImage]) -> tuple[str, ...]:
    """Return the names of other files that hold planes of the same images; none where this one was renamed."""
    named = {name for image in images for name in image.planes_by_file}
    if path.name not in named:
        return ()
    return tuple(sorted(name for name in named - {path.name} if "/" not in name and "\0" not in name))


def named_by(companion: Path) -> list[Path]:
    """Return the files that a companion names, sorted; none where it is damaged, or names none beside it."""
    try:
        images = ome_xml.parse(document_in(companion))
    except (ValueError, StorageError):
        return []
    names = sorted({one.file for image in images for one in image.data if one.file})
    return [companion.with_name(name) for name in names if "/" not in name and not is_outside(companion, name)]


def stand_in(path: Path) -> Path | None:
    """Return a file of the set that is called by one which is not there; None where there is none."""
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:
        return None
    for other in map(path.with_name, names):
        if other != path and suffix(other) in TIFF_SUFFIXES + COMPANION_SUFFIXES and _names(other, path.name):
            return other
    return None


def _names(path: Path, name: str) -> bool:
    """Say whether a file is of a set to which another one belongs."""
    text = document_in(path)
    if not text:
        return False
    try:
        images = described(path, text).images
    except (ValueError, StorageError):
        return False
    names = names_in(path, images)
    return name in names and (path.name in names or suffix(path) in COMPANION_SUFFIXES)
