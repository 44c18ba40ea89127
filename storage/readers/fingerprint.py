"""A short text that changes when a file changes, at the cost of reading its two ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from storage.errors import StorageError

SAMPLE_BYTES = 65_536


def file_fingerprint(path: Path) -> str:
    """Return a fingerprint of one file: size, time of change, and a hash of its first and last 64 KiB.

    Raises
    ------
    StorageError
        When the file is gone or cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            status = path.stat()
            digest.update(file.read(SAMPLE_BYTES))
            if status.st_size > SAMPLE_BYTES:
                file.seek(max(SAMPLE_BYTES, status.st_size - SAMPLE_BYTES))
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise StorageError(
            f"{path} can no longer be read ({error.strerror or error}): bring it back, then retry."
        ) from error
    return f"{status.st_size}-{status.st_mtime_ns}-{digest.hexdigest()}"


def fingerprint(paths: Iterable[Path]) -> str:
    """Return one fingerprint of several files; for a single one it is that file's own."""
    parts = [file_fingerprint(path) for path in paths]
    if len(parts) == 1:
        return parts[0]
    return f"{len(parts)}-{hashlib.blake2b('|'.join(parts).encode(), digest_size=16).hexdigest()}"
