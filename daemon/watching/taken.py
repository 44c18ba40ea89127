"""What was taken from watched folders, as it is written down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from daemon.watching.readiness import Identity
from storage.database.taken_files import Source


def sources(taken: Mapping[Path, Identity]) -> tuple[Source, ...]:
    """Return files with what they looked like, for the catalog."""
    return tuple(Source(os.fspath(p), i.size, i.mtime_ns, i.files, i.readable) for p, i in taken.items())
