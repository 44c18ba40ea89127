"""A folder store for zarr that can promise that what was written survives a power cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from storage.naming import PARTIAL_SUFFIX
from storage.omezarr.disks.exchange import replace_folder, write_manifest

_METADATA = frozenset({".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json"})


class DurableStore(LocalStore):
    """zarr's own folder store, with three differences.

    It remembers what was written until `flush` has brought it to the disk: zarr replaces files atomically, but leaves
    them in the system's memory. Metadata, without which the rest cannot be read, is on the disk before its new version
    takes the place of the old one: a power cut leaves one of both, never an empty file. And it makes files without hard
    links, which many shares and memory cards refuse: with one writer there is no race to lose.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._written: set[Path] = set()
        self._changed_folders: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        """Write a file, and remember it; metadata safely at once."""
        if _is_metadata(key):
            self._put(self.root / key, value.to_bytes())
        else:
            await super().set(key, value)
            self._note(self.root / key)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write a file, and remember it; metadata safely at once."""
        if _is_metadata(key):
            self._put(self.root / key, value.to_bytes())
        else:
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

    def sweep(self, folder: str = "") -> int:
        """Remove what interrupted writes left behind, in a folder or everywhere; return the number of files."""
        leftovers = list((self.root / folder).rglob(f"*{PARTIAL_SUFFIX}"))
        for path in leftovers:
            path.unlink(missing_ok=True)
        return len(leftovers)

    def seal(self, folders: Sequence[str], mark: str) -> None:
        """Make `folders` ready to replace others, bring all to the disk, and only then list them in the file `mark`."""
        self._written |= {write_manifest(self.root / folder) for folder in folders}
        self.flush()
        self.put_text(mark, "\n".join(folders))
        self.flush()

    def text(self, key: str) -> str | None:
        """Return a file's text, or None when there is no such file."""
        path = self.root / key
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def put_text(self, key: str, text: str) -> None:
        """Write a file whole, safely."""
        self._put(self.root / key, text.encode())

    def unmark(self, mark: str) -> None:
        """Remove the file `mark`."""
        (self.root / mark).unlink(missing_ok=True)

    def has(self, key: str) -> bool:
        """Say whether there is a file."""
        return (self.root / key).exists()

    def holds(self, folder: str) -> bool:
        """Say whether there is a folder."""
        return (self.root / folder).exists()

    def take_over(self, folders: Sequence[str], sealed: DurableStore) -> None:
        """Put the folders that `sealed` holds in the place of those here, each in one step where the disk can."""
        for folder in folders:
            replace_folder(sealed.root / folder, self.root / folder)
            self._changed_folders |= {*self._folders_above(self.root / folder), self.root / folder}
        self.flush()

    def remove(self) -> None:
        """Remove all of it, and first the marks that say that it is whole."""
        for path in self.root.glob("*"):
            if path.is_file():
                path.unlink()
        shutil.rmtree(self.root, ignore_errors=True)

    def _put(self, path: Path, content: bytes) -> None:
        """Write beside, bring to the disk, put in place, and bring that to the disk, too."""
        beside = path.with_name(path.name + PARTIAL_SUFFIX)
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._changed_folders.update(self._folders_above(path)[:-1])  # new ones are on the disk with `flush`
        try:
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        _sync(path.parent)

    def _note(self, path: Path) -> None:
        self._written.add(path)

    def _folders_above(self, path: Path) -> list[Path]:
        """Return the folders from the store's root down to the one that holds the file."""
        inside = path.relative_to(self.root).parts[:-1]
        return [self.root.joinpath(*inside[:i]) for i in range(len(inside) + 1)]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the place, not the memory of what was written."""
        return {**self.__dict__, "_written": set(), "_changed_folders": set()}


def _is_metadata(key: str) -> bool:
    return key.rpartition("/")[2] in _METADATA


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # an empty chunk was removed again
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
