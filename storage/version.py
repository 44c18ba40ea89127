"""Which nusetd this is: the answer of the installed files, which an update exchanges under a running program."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version


@lru_cache(maxsize=1)
def nusetd_version() -> str:
    """Return the version that was installed when this program first asked."""
    try:
        return version("nusetd")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "not installed"
