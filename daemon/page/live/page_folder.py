"""Folders for what a page makes for its visitors: they go with it, and those of a page that was killed are swept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree


@contextmanager
def page_folder(prefix: str) -> Iterator[Path]:
    """Give a folder of this process; names of such folders begin with the prefix."""
    _sweep(prefix)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _sweep(prefix: str) -> None:
    """Remove what a page left behind that was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        pid = folder.name.removeprefix(prefix).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            rmtree(folder, ignore_errors=True)
