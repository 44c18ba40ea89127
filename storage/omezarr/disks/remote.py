"""An object store (S3 and whatever else fsspec reaches) as a place for an OME-Zarr."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast

import fsspec
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore

from storage.errors import StorageError


class RemoteStore(FsspecStore):
    """zarr's store for fsspec, with what a growing OME-Zarr needs besides.

    An object that was put is safe and whole, so there is nothing to flush and nothing to sweep. Credentials and
    endpoints come from where the protocol's own tools take them (for S3: environment and profile), never from a URL.
    """

    url: str
    files: Any

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the store at a URL.

        Raises
        ------
        StorageError
            When the protocol is not known or its package is not installed.
        """
        protocol = url.partition("://")[0]
        try:
            with _as_os_error(url):
                store = cast("Self", cls.from_url(url, storage_options={"use_listings_cache": False}))
                store.files, store.path = fsspec.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise StorageError(
                f"{url} cannot be used ({error}): install nusetd[remote] for s3://, or the package for {protocol}://."
            ) from error
        store.url = url
        return store

    def with_read_only(self, read_only: bool = False) -> Self:
        """Return the same store, which may or may not be written to."""
        other = cast("Self", super().with_read_only(read_only))
        other.url, other.files = self.url, self.files
        return other

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read an object, or a part of it."""
        with _as_os_error(self.url):
            return await super().get(key, prototype, byte_range)

    async def set(self, key: str, value: Buffer, byte_range: tuple[int, int] | None = None) -> None:
        """Put an object."""
        with _as_os_error(self.url):
            await super().set(key, value, byte_range)

    async def delete(self, key: str) -> None:
        """Remove an object; that it is not there is no error."""
        with _as_os_error(self.url):
            await super().delete(key)

    def flush(self) -> None:
        """Do nothing: what was put is safe."""

    def sweep(self, folder: str = "") -> int:
        """Do nothing: an object appears whole or not at all."""
        return 0

    def has(self, key: str) -> bool:
        """Say whether there is an object."""
        with _as_os_error(self.url):
            return bool(self.files.exists(f"{self.path}/{key}"))

    def seal(self, folders: Sequence[str], mark: str) -> None:
        """List `folders`, all of which have been put, in the object `mark`."""
        self.put_text(mark, "\n".join(folders))

    def text(self, key: str) -> str | None:
        """Return an object's text, or None when there is no such object."""
        with _as_os_error(self.url):
            try:
                return str(self.files.cat_file(f"{self.path}/{key}").decode())
            except FileNotFoundError:
                return None

    def about(self, key: str) -> tuple[int, str] | None:
        """Return an object's size in bytes and a text that changes with its content; None when there is none."""
        with _as_os_error(self.url):
            try:
                found = self.files.info(f"{self.path}/{key}")
            except FileNotFoundError:
                return None
        if found["type"] != "file":
            return None
        return int(found["size"]), str(found.get("ETag") or found.get("mtime") or found.get("created") or "")

    def part(self, key: str, first: int, end: int) -> bytes:
        """Return the bytes of an object from `first` to before `end`."""
        with _as_os_error(self.url):
            return bytes(self.files.cat_file(f"{self.path}/{key}", start=first, end=end))

    def put_text(self, key: str, text: str) -> None:
        """Put an object."""
        with _as_os_error(self.url):
            self.files.pipe_file(f"{self.path}/{key}", text.encode())

    def unmark(self, mark: str) -> None:
        """Remove the object `mark`."""
        with _as_os_error(self.url):
            self.files.rm_file(f"{self.path}/{mark}")

    def holds(self, folder: str) -> bool:
        """Say whether there is any object under a folder."""
        with _as_os_error(self.url):
            return bool(self.files.exists(f"{self.path}/{folder}"))

    def take_over(self, folders: Sequence[str], sealed: RemoteStore) -> None:
        """Put what `sealed` holds under `folders` in the place of what is here, object by object."""
        with _as_os_error(self.url):
            for folder in folders:
                new = set(sealed.under(folder))
                for name in sorted(new):
                    self.files.copy(f"{sealed.path}/{folder}/{name}", f"{self.path}/{folder}/{name}")
                for name in sorted(set(self.under(folder)) - new):
                    self.files.rm_file(f"{self.path}/{folder}/{name}")

    def under(self, folder: str) -> list[str]:
        """Return the names of the objects under a folder, relative to it."""
        start = f"{self.path}/{folder}"
        return [path[len(start) + 1 :] for path in self.files.find(start)]

    def remove(self, but: str = "") -> None:
        """Remove all of it, and first the marks that say that it is whole; what lies under `but` stays."""
        with _as_os_error(self.url):
            for path in sorted(self.files.find(self.path), key=lambda path: path.count("/")):
                if not (but and path.startswith(f"{self.path}/{but}/")):
                    self.files.rm_file(path)


@contextmanager
def _as_os_error(url: str) -> Iterator[None]:
    """Turn what the clients of object stores raise (no connection, no credentials) into the system's kind of error."""
    try:
        yield
    except (OSError, ImportError, ValueError, TypeError, KeyError):
        raise
    except Exception as error:
        raise OSError(errno.EIO, f"{url} does not answer: {' '.join(str(error).split())}") from error
