"""Whether a source is gone for good, or only out of sight."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from storage.readers.series.plane_names import is_series, members


def are_gone(paths: Iterable[Path]) -> bool:
    """Say whether nothing lies at any of these paths any more, although the disk that they were on is there.

    The folder that is nearest to where a file was must hold something: where a share is not mounted, it is empty.
    """
    return all(_is_gone(path) for path in paths)


def is_there(path: Path) -> bool:
    """Say whether a file, or a series of planes, lies at a path.

    Raises
    ------
    OSError
        When nothing can be said.
    """
    return os.path.lexists(path) or bool(is_series(path) and path.parent.is_dir() and members(path))


def _is_gone(path: Path) -> bool:
    try:
        if is_there(path):
            return False
        near = next(folder for folder in path.absolute().parents if folder.is_dir())
        with os.scandir(near) as listing:
            return next(iter(listing), None) is not None
    except OSError:  # nothing can be said
        return False
