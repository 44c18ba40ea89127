"""The lock of the one writer, on a disk that is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from storage.connection.lock import WriterLock
from storage.errors import DatabaseUnavailableError


def test_a_full_disk_is_a_sentence_and_the_lock_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(DatabaseUnavailableError, match=r"cannot be written \(No space left on device\): make room"):
            WriterLock(tmp_path / "lock")
    WriterLock(tmp_path / "lock").release()
