"""Finding the images in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from storage.errors import UnreadableInputError
from storage.readers.names import PICTURE_SUFFIXES, ZARR_SUFFIXES, is_candidate, suffix
from storage.readers.parts import owner
from storage.readers.series.plane_names import is_series
from storage.readers.zarr_images.omezarr import is_own


def discover(path: Path, pattern: str | None = None) -> list[Path]:
    """Return the images that a path stands for, sorted: itself, or all in a folder and the folders inside.

    A file that is a part of an image gives the image. Hidden and temporary names, links to folders, and this program's
    own results are left out; an OME-Zarr is one image and not looked into. `pattern` is as in `acquisition_key`.

    Raises
    ------
    UnreadableInputError
        When there is nothing at the path.
    """
    if is_series(path):
        return [path]
    if not path.exists():
        raise UnreadableInputError(f"{path} does not exist: check the name.")
    if not path.is_dir() or suffix(path) in ZARR_SUFFIXES:
        return [path if suffix(path) in PICTURE_SUFFIXES and not pattern else owner(path, pattern)]
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        stores = [name for name in folders if suffix(here / name) in ZARR_SUFFIXES]
        found += [here / name for name in stores if is_candidate(here / name) and not is_own(here / name)]
        folders[:] = sorted(name for name in folders if name not in stores and not name.startswith("."))
        images = (owner(here / name, pattern) for name in files if suffix(here / name) not in ZARR_SUFFIXES)
        found += {image for image in images if is_candidate(image)}
    return sorted(set(found))


def left_out(path: Path, pattern: str | None = None) -> list[Path]:
    """Return the pictures in a folder that are taken for previews of images beside them, sorted: see `discover`."""
    if is_series(path) or not path.is_dir() or suffix(path) in ZARR_SUFFIXES:
        return []
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if suffix(Path(name)) not in ZARR_SUFFIXES and not name.startswith(".")]
        pictures = (Path(folder) / name for name in files if suffix(Path(name)) in PICTURE_SUFFIXES)
        found += [one for one in pictures if is_candidate(one) and suffix(owner(one, pattern)) not in PICTURE_SUFFIXES]
    return sorted(found)
