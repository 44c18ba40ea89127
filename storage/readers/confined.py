"""Whether what a file names is really in its folder.

A file may name others by a path that leads elsewhere, and a folder may hold links: whoever wrote them could have the
service open, copy and show any file that it may read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def leading_out(folder: Path, paths: Iterable[Path]) -> Path | None:
    """Return the first of some paths that is not really in a folder, by its name or by a link; None when all are.

    The folder may itself be a link, and links inside it that stay inside are no matter. Paths need not exist.
    """
    home = os.path.realpath(folder)
    inside: dict[Path, bool] = {}  # folders that were looked at: most paths share theirs
    for path in paths:
        around = path if path.name == ".." or path == folder else path.parent
        if around not in inside:
            inside[around] = _is_in(home, os.path.realpath(around))
        if not inside[around] or (path.is_symlink() and not _is_in(home, os.path.realpath(path))):
            return path
    return None


def _is_in(home: str, real: str) -> bool:
    return real == home or real.startswith(home.rstrip(os.sep) + os.sep)
