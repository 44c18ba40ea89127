"""A folder store for zarr that can promise that what was written survives a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

PARTIAL_SUFFIX = ".partial"  # what zarr appends to a file while it writes it


class DurableStore(LocalStore):
    """zarr's own folder store, with two differences.

    It remembers what was written until `flush` has brought it to the disk: zarr replaces files atomically, but leaves
    them in the system's memory. And it makes files without hard links, which many shares and memory cards refuse: with
    one writer there is no race to lose.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._written: set[Path] = set()
        self._changed_folders: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        """Write a file, and remember it."""
        await super().set(key, value)
        self._note(self.root / key)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write a file, and remember it."""
        super().set_sync(key, value)
        self._note(self.root / key)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a file unless it is there."""
        if not (self.root / key).exists():
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        """Remove a file, and remember that its folder changed."""
        await super().delete(key)
        self._changed_folders.add((self.root / key).parent)

    def delete_sync(self, key: str) -> None:
        """Remove a file, and remember that its folder changed."""
        super().delete_sync(key)
        self._changed_folders.add((self.root / key).parent)

    def flush(self) -> None:
        """Bring everything written since the last call to the disk: files first, then the folders that list them."""
        written, self._written = self._written, set()
        folders, self._changed_folders = self._changed_folders, set()
        for path in sorted(written):
            _sync(path)
        folders |= {parent for path in written for parent in self._folders_above(path)}
        for folder in sorted(folders):
            _sync(folder)

    def sweep(self) -> int:
        """Remove what interrupted writes left behind; return the number of files."""
        leftovers = list(self.root.rglob(f"*{PARTIAL_SUFFIX}"))
        for path in leftovers:
            path.unlink(missing_ok=True)
        return len(leftovers)

    def _note(self, path: Path) -> None:
        self._written.add(path)

    def _folders_above(self, path: Path) -> list[Path]:
        """Return the folders from the store's root down to the one that holds the file."""
        inside = path.relative_to(self.root).parts[:-1]
        return [self.root.joinpath(*inside[:i]) for i in range(len(inside) + 1)]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the place, not the memory of what was written."""
        return {**self.__dict__, "_written": set(), "_changed_folders": set()}


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # an empty chunk was removed again
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
