"""Which files make up one image: by name alone, with a look at what lies beside them.

Several formats spread an image over files: a settings file and a folder of planes (OIF), an index and its stacks
(NDTiff), numbered continuations (Micro-Manager, OIR). One path stands for all: it is watched, probed and opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from storage.readers.metamorph import settings
from storage.readers.names import (
    ND_SUFFIXES,
    NDTIFF_INDEX,
    OIF_SUFFIXES,
    OIR_SUFFIXES,
    PICTURE_SUFFIXES,
    VENDOR_SUFFIXES,
    plane_series,
    suffix,
)
from storage.readers.names_in_folder import NamesInFolder
from storage.readers.olympus.oir_structure import MAGIC as OIR_MAGIC
from storage.readers.series.plane_names import is_series, members

OIF_FOLDER = ".files"  # x.oif has its planes in x.oif.files
_NDTIFF_STACK = re.compile(r"NDTiffStack(_\d+)?\.tif\Z")
_OIR_CONTINUATION = re.compile(r"(?s)\A(?P<stem>.+)_\d{5}\Z")
_ND_MEMBER = re.compile(r"_[wst]\d.*(?:\.stk|\.STK|\.TIF)\Z|_w\d.*\.tiff?\Z", re.DOTALL)
_ND_NUMBER = re.compile(r"_(?=[wst]\d)")  # before the number of a wavelength, a position ("s"), a time point
_WITH_PREVIEWS = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".lsm", ".ome.zarr", *VENDOR_SUFFIXES)
_GAP = 8  # continuations in a row that may be absent, and later ones are found all the same
_MMSTACK_CONTINUATION = re.compile(r"(?s)\A(?P<stem>.*_MMStack.*)_\d+(?P<ending>\.ome\.tif)\Z")


def owner(path: Path, pattern: str | None = None) -> Path:
    """Return the path that stands for the image which a file is a part of; most files stand for themselves.

    The path that is returned need not exist: parts may arrive before the file that names them, and a series of planes,
    told by a `pattern` for names as in `acquisition_key`, has no such file.
    """
    folder = path.parent
    if folder.name.lower().endswith(OIF_FOLDER) and suffix(folder.with_name(folder.name[:-6])) in OIF_SUFFIXES:
        return folder.with_name(folder.name[: -len(OIF_FOLDER)])
    if _NDTIFF_STACK.search(path.name):
        return folder / NDTIFF_INDEX
    if found := _OIR_CONTINUATION.match(path.name):
        first = path.with_name(found["stem"] + ".oir")
        return first if first.exists() or _is_oir(path) else path
    if found := _MMSTACK_CONTINUATION.match(path.name):
        first = path.with_name(found["stem"] + found["ending"])
        return first if first.exists() else path
    if (_ND_MEMBER.search(path.name)) and (listed := _listed_by(path)) is not None:
        return listed
    if suffix(path) in PICTURE_SUFFIXES and (image := _shown_by(path)) is not None:
        return image
    return plane_series(path, pattern) or path


def _is_oir(path: Path) -> bool:
    """Say by its first bytes whether a file without an ending is a part of an OIR."""
    try:
        with path.open("rb") as file:
            return file.read(len(OIR_MAGIC)) == OIR_MAGIC
    except OSError:
        return False


def _listed_by(path: Path) -> Path | None:
    """Return the ``.nd`` file of MetaMorph that lists a stack, told by the beginning of its name."""
    for found in _ND_NUMBER.finditer(path.stem):
        nd = path.with_name(path.stem[: found.start()] + ".nd")
        if settings.lists(nd, path.name):
            return nd
    return None


def _shown_by(path: Path) -> Path | None:
    """Return the image that a picture of the same name is a preview of, as programs of microscopes leave them."""
    return next((one for ending in _WITH_PREVIEWS if (one := path.with_suffix(ending)).exists()), None)


def companions(path: Path) -> tuple[Path, ...]:
    """Return the other files that hold the image which a path stands for: those that are there now, sorted.

    Raises
    ------
    OSError
        When their folder cannot be listed.
    """
    ending, folder = suffix(path), path.parent
    if is_series(path):
        return tuple(members(path))
    if ending in ND_SUFFIXES:
        return tuple(settings.members(path))
    if ending in OIF_SUFFIXES:
        planes = folder / (path.name + OIF_FOLDER)
        return tuple(_all_in(planes).now()[0].values()) if planes.is_dir() else ()
    if ending == NDTIFF_INDEX.lower():
        return tuple(sorted(p for p in folder.iterdir() if _NDTIFF_STACK.search(p.name)))
    name = _continuation(path)
    return () if name is None else _numbered(name)


@lru_cache(maxsize=8)
def _all_in(folder: Path) -> NamesInFolder[bool]:
    return NamesInFolder(folder, lambda name: True)


def absent_parts(path: Path) -> tuple[Path, ...]:
    """Return the continuations of an image that are not there although later ones are."""
    name = _continuation(path)
    if name is None:
        return ()
    there = set(_numbered(name))
    before = [name(n) for n in range(1, _GAP + len(there) * (_GAP + 1))]
    last = max((i for i, one in enumerate(before) if one in there), default=-1)
    return tuple(one for one in before[: last + 1] if one not in there)


def first_part(path: Path) -> Path | None:
    """Return the file that an MMStack's goes on from, by its name, there or not; None for one that is no continuation.

    Programs write their numbers without leading zeros, as those of places on a grid have.
    """
    found = _MMSTACK_CONTINUATION.match(path.name)
    number = "" if found is None else path.name[len(found["stem"]) + 1 : -len(found["ending"])]
    return None if found is None or number.startswith("0") else path.with_name(found["stem"] + found["ending"])


def absence(files: Sequence[Path]) -> str:
    """Say that files are not there, by their names."""
    return f"{', '.join(file.name for file in files)} {'is' if len(files) == 1 else 'are'} not there"


def _continuation(path: Path) -> Callable[[int], Path] | None:
    """Return what names the numbered continuations of an image; None where it has none."""
    if suffix(path) in OIR_SUFFIXES:
        return lambda n: path.with_name(f"{path.name[:-4]}_{n:05d}")
    if "_MMStack" in path.name and path.name.endswith(".ome.tif"):
        return lambda n: path.with_name(f"{path.name[:-8]}_{n}.ome.tif")
    return None


def _numbered(name: Callable[[int], Path]) -> tuple[Path, ...]:
    """Return the files with the numbers 1, 2, 3 ... that are there, as far as no more than `_GAP` are absent."""
    found: list[Path] = []
    number, last = 1, 0
    while number <= last + _GAP:
        if (path := name(number)).exists():
            found.append(path)
            last = number
        number += 1
    return tuple(found)
