"""Which state of a file something was learned from: as long as the stamp is the same, so is what was learned."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

# Clocks of disks are coarse: what was written within this time may be written again under the same stamp.
_JUST_NOW_NS = 50_000_000


@dataclass(frozen=True)
class FileStamp:
    """Device, inode, size and time of change (ns) of a file."""

    device: int
    inode: int
    size: int
    mtime_ns: int


def file_stamp(status: os.stat_result) -> FileStamp:
    """Return the stamp of a file by its status."""
    return FileStamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def is_at_rest(stamp: FileStamp) -> bool:
    """Say whether the file was left alone for long enough that a later change shows in its stamp."""
    return time.time_ns() - stamp.mtime_ns > _JUST_NOW_NS
