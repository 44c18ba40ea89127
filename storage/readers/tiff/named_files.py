"""The files that an OME-TIFF says hold planes of its image: none of them is opened outside its folder."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from storage.errors import UnreadableInputError
from storage.readers.confined import leading_out


def refuse_outside(path: Path, description: str) -> None:
    """Refuse an OME-TIFF that names files outside its folder, which the library would open.

    Raises
    ------
    UnreadableInputError
    """
    for name in _other_files(path, description):
        if is_outside(path, name):
            raise UnreadableInputError(
                f"{path} says that planes of it are in {name!r}, which is not in its folder and is not opened: "
                "put all files of the image into one folder, or export it as one file."
            )


def is_outside(path: Path, name: str) -> bool:
    """Say whether what a file calls `name` lies outside its folder; of a link, also outside the one it leads to."""
    homes = {path.parent, path.resolve().parent}
    return all(leading_out(home, [home / name]) is not None for home in homes)


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
