"""Images that people drop on the page: straight to disk, within limits, under names of ours."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from starlette.concurrency import run_in_threadpool

from daemon.errors import DaemonError
from daemon.jobs.job import JobState
from daemon.jobs.job_folders import IMAGES, JobFolders
from storage.files.whole_file import whole
from storage.readers.names import ND_SUFFIXES, OIF_SUFFIXES, SUFFIXES, ZARR_SUFFIXES, suffix

SEVERAL_FILES = (*ZARR_SUFFIXES, *OIF_SUFFIXES, *ND_SUFFIXES)
"""Endings of images that consist of several files, or of a folder."""

_NAMES = "names.json"
_BLOCK = 2**20
_FREE = 2 * 2**30  # of a disk that are left alone: the experiment writes there too


class UploadRefusedError(DaemonError):
    """A file is not taken."""


@dataclass(frozen=True)
class UploadLimits:
    """How much is taken.

    Attributes
    ----------
    megabytes : int
        Of all files together that are kept.
    files : int
        In one job.
    """

    megabytes: int = 4000
    files: int = 200


@dataclass(frozen=True)
class Received:
    """A file that is whole, but not yet where images are."""

    path: Path
    partial: Path
    name: str


class Uploads:
    """Takes files for jobs that were not started yet.

    Parameters
    ----------
    folders : JobFolders
    limits : UploadLimits
    """

    def __init__(self, folders: JobFolders, limits: UploadLimits) -> None:
        self._folders, self._limits = folders, limits
        self._lock = Lock()
        self._coming: set[Path] = set()

    async def receive(self, number: str, name: str, length: int | None, content: AsyncIterator[bytes]) -> Received:
        """Write a file as it comes, under a name that nobody looks at yet.

        Raises
        ------
        UploadRefusedError
            When it is no image that one file holds, or more than there is room for.
        """
        path = await run_in_threadpool(self._begin, number, name, length)
        partial = path.with_name(f".{path.name}.part")
        try:
            await self._write(partial, content)
        except BaseException:  # refused, or the visitor has gone
            self._coming.discard(path)
            partial.unlink(missing_ok=True)
            raise
        return Received(path, partial, name)

    def finish(self, received: Received) -> str:
        """Let a file that is whole be there, and keep in mind what it is called; a sentence about it."""
        file = received.path.parent.parent / _NAMES
        with self._lock:
            names = names_of(file.parent)
            names[received.path.name] = _plain(received.name)
            with whole(file) as unfinished:
                unfinished.write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
            received.partial.replace(received.path)
            self._coming.discard(received.path)
        return f"{_plain(received.name)} is here."

    def _begin(self, job: str, name: str, length: int | None) -> Path:
        """Where a file will lie."""
        folder = self._folders.folder(job) / IMAGES
        if self._folders.reported(job).state != JobState.DRAFT.value:
            raise UploadRefusedError("The job was started already: order another one for more images.")
        ending = suffix(Path(_plain(name)))
        if ending is None or ending in SEVERAL_FILES:
            raise UploadRefusedError(
                f"{name[:100]} is no image that one file holds ({', '.join(_endings())}): put it into a folder of the "
                "server, and name that."
            )
        if length is not None:
            self._room_for(length)
        with self._lock:
            taken = {path.name.partition(".")[0] for path in (*uploaded(folder.parent), *self._coming)}
            if len(taken) >= self._limits.files:
                raise UploadRefusedError(
                    f"At most {self._limits.files} images are taken at once (upload_files in [page]): order the rest "
                    "afterwards, or name a folder of the server."
                )
            number = next(i for i in range(1, len(taken) + 2) if f"{i:04}" not in taken)
            path = folder / f"{number:04}{ending}"
            self._coming.add(path)
        return path

    async def _write(self, partial: Path, content: AsyncIterator[bytes]) -> None:
        held = bytearray()
        with partial.open("wb") as file:
            async for part in content:
                held += part
                if len(held) >= _BLOCK:
                    await run_in_threadpool(self._append, file.fileno(), held)
                    held = bytearray()
            await run_in_threadpool(self._append, file.fileno(), held)
            await run_in_threadpool(os.fsync, file.fileno())  # an order may be kept beyond a power cut

    def _append(self, file: int, block: bytearray) -> None:
        self._room_for(len(block))
        view = memoryview(block)
        while view:
            view = view[os.write(file, view) :]

    def _room_for(self, more: int) -> None:
        """Refuse what would be too much."""
        most = self._limits.megabytes * 10**6
        there = self._folders.uploaded_bytes()
        if there + more > most:
            raise UploadRefusedError(
                f"That is more than the {self._limits.megabytes} MB that are kept of uploads ({there / 1e6:.0f} MB are "
                "there; upload_mb in [page]): remove old jobs, or name a folder of the server."
            )
        free = shutil.disk_usage(self._folders.root).free
        if free - more < _FREE:
            raise UploadRefusedError(
                f"Only {free / 1e9:.1f} GB are free where uploads go, and the experiment may need them: make room, or "
                "name a folder of the server."
            )


def names_of(folder: Path) -> dict[str, str]:
    """What people call the files that they uploaded for the job in this folder."""
    try:
        found = json.loads((folder / _NAMES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()}


def uploaded(folder: Path) -> list[Path]:
    """The files themselves, in the order in which they came."""
    return sorted(path for path in (folder / IMAGES).iterdir() if not path.name.startswith("."))


def _endings() -> list[str]:
    return [ending for ending in SUFFIXES if ending not in SEVERAL_FILES]


def _plain(name: str) -> str:
    """The last part of a name, whatever separates parts where it comes from."""
    return name.replace("\\", "/").rpartition("/")[2][:255]
