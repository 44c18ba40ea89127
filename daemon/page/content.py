"""What a request is answered with: a file on this computer, or an object that lies at a URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from storage.omezarr.disks.remote import RemoteStore

_KINDS = {".json": "application/json", ".zattrs": "application/json", ".zarray": "application/json",
          ".zgroup": "application/json", ".xml": "application/xml", ".html": "text/html; charset=utf-8",
          ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm"}  # fmt: skip


class Content(Protocol):
    """Bytes that can be read in parts.

    Attributes
    ----------
    kind : str
        Its media type.
    size : int
        Bytes.
    tag : str
        Changes with the content.
    """

    kind: str
    size: int
    tag: str

    def read(self, first: int, count: int) -> bytes:
        """Return up to `count` bytes from `first` on."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class FileContent:
    """A file, opened.

    Raises
    ------
    FileNotFoundError
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.kind = kind_of(path.name)
        self.size = self._file.seek(0, 2)
        self.tag = f"{path.stat().st_mtime_ns:x}-{self.size:x}"

    def read(self, first: int, count: int) -> bytes:
        """Return up to `count` bytes from `first` on."""
        self._file.seek(first)
        return self._file.read(count)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ObjectContent:
    """An object of an object store, which is asked for each part: with the credentials of who serves, not the viewer's.

    Raises
    ------
    FileNotFoundError
    """

    def __init__(self, store: RemoteStore, key: str) -> None:
        found = store.about(key)
        if found is None:
            raise FileNotFoundError(key)
        self._store, self._key = store, key
        self.kind = kind_of(key.rpartition("/")[2])
        self.size, tag = found
        self.tag = f"{tag.strip(chr(34))}-{self.size:x}"

    def read(self, first: int, count: int) -> bytes:
        """Return up to `count` bytes from `first` on."""
        return self._store.part(self._key, first, min(first + count, self.size))

    def close(self) -> None:
        """Nothing is open."""


def kind_of(name: str) -> str:
    """Return the media type of a file by its name."""
    return _KINDS.get(Path(name).suffix or name, "application/octet-stream")
