"""What jobs made, for browsers: single files, and all of them as one archive that is made while it is sent."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from daemon.jobs.job_folders import RESULTS
from daemon.jobs.prediction import LABELS, REPORT
from daemon.jobs.training_order import NEW, PRESENT

KINDS = {".png": "image/png", ".csv": "text/csv; charset=utf-8", ".tif": "image/tiff", ".json": "application/json"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_BLOCK = 2**20
_PLACES = (f"{RESULTS}/{LABELS}", f"{RESULTS}/{REPORT}", f"{RESULTS}/{NEW}", f"{RESULTS}/{PRESENT}", RESULTS)


@dataclass(frozen=True)
class ResultFile:
    """A file that a job made.

    Attributes
    ----------
    path : Path
    place : str
        The last part of its folder's name.
    name : str
        What it is called for people: after the image that it is of, as they called it, in letters that no system and
        no shell takes amiss.
    """

    path: Path
    place: str
    name: str


def result_files(folder: Path, names: dict[str, str]) -> Iterator[ResultFile]:
    """All files that a job made, but for those that are being written."""
    stems = {Path(key).stem: value for key, value in names.items()}
    for place in _PLACES:
        here = folder / place
        for path in sorted(here.iterdir()) if here.is_dir() else []:
            if path.is_file() and path.suffix in (*KINDS, ".npz") and not path.name.startswith("."):
                stem, _, rest = path.name.partition(".")
                said = f"{stem}_{Path(stems[stem]).stem}.{rest}" if stem in stems else path.name
                yield ResultFile(path, here.name, _UNSAFE.sub("_", said)[-150:])


def archive(files: list[ResultFile]) -> Iterator[bytes]:
    """The blocks of a ZIP archive; images and weights are compressed already, so nothing is compressed again."""
    sink = _Sink()
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED, allowZip64=True) as made:
        for one in files:
            entry = zipfile.ZipInfo.from_file(one.path, f"{one.place}/{one.name}")
            with one.path.open("rb") as source, made.open(entry, "w", force_zip64=True) as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    yield from sink.given()
    yield from sink.given()


class _Sink:
    """Takes what is written to it until it is asked for; it cannot be gone back in."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._held.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def given(self) -> Iterator[bytes]:
        held, self._held = self._held, []
        yield from held
