"""The files that an OME-TIFF says hold planes of its image: none of them is opened outside its folder."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

from storage.errors import UnsupportedInputError
from storage.readers.confined import leading_out


def refuse_outside(path: Path, description: str) -> None:
    """Refuse an OME-TIFF that names files outside its folder, which the library would open.

    Raises
    ------
    UnsupportedInputError
    """
    refuse_names_outside(path, _other_files(path, description))


def refuse_names_outside(path: Path, names: Iterable[str]) -> None:
    """Refuse an OME-TIFF of whose files some are not right beside it.

    Raises
    ------
    UnsupportedInputError
    """
    names = list(names)
    plain = all("/" not in name and "\0" not in name for name in names)
    if plain and any(leading_out(home, [home / name for name in names]) is None for home in _homes(path)):
        return
    for name in names:
        if "/" in name or "\0" in name or is_outside(path, name):
            raise UnsupportedInputError(
                f"{path} says that planes of it are in {name!r}, which is not in its folder and is not opened: "
                "put all files of the image into one folder, or export it as one file."
            )


def is_outside(path: Path, name: str) -> bool:
    """Say whether what a file calls `name` lies outside its folder; of a link, also outside the one it leads to."""
    return all(leading_out(home, [home / name]) is not None for home in _homes(path))


def _homes(path: Path) -> set[Path]:
    """Return the folder of a file, and of a link the one that it leads to as well."""
    return {path.parent, path.resolve().parent}


def _other_files(path: Path, description: str) -> list[str]:
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return []  # the library gives up on it in the same way
    own = root.get("UUID")
    found: dict[str, None] = {}
    for element in root.iter():
        name = element.get("FileName")
        if name is not None and element.tag.rpartition("}")[2] == "UUID" and element.text != own and name != path.name:
            found[name] = None
    return list(found)
