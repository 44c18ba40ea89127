"""One file per time point: each with the channels and slices of its moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.readers.fingerprint import fingerprint, of_files
from storage.readers.formats import open_file
from storage.readers.names import AcquisitionKey, first_number
from storage.readers.parts import companions
from storage.readers.series import likeness
from storage.readers.series.likeness import REMEDY

SUFFIX = "-sequence"


class SequenceSource:
    """Planes of a series of files, of which one is open at a time."""

    def __init__(self, files: Mapping[int, Path], axes: str | None, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._files = dict(files)
        self._axes = axes
        self._shape = shape
        self._dtype = dtype
        self._open: tuple[int, Acquisition] | None = None

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        return self._member(t).source.plane(0, c, z)

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the file of time point t."""
        return of_files((self._files[t], *companions(self._files[t])))

    def former_fingerprint(self, t: int) -> str:
        """Return what versions before said of the file of time point t."""
        return fingerprint((self._files[t], *companions(self._files[t])))

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when pickled."""
        return {**self.__dict__, "_open": None}

    def _member(self, t: int) -> Acquisition:
        if self._open is None or self._open[0] != t:
            self.close()
            member = open_file(self._files[t], self._axes)[0]
            if shape_of(member) != self._shape or member.dtype != self._dtype:
                raise StorageError(
                    f"{self._files[t]} has the size (T, C, Z, Y, X) {shape_of(member)} {member.dtype}, "
                    f"the others of its series {self._shape} {self._dtype}: "
                    "export it again, move it out of the series, or switch series off with --pattern none."
                )
            self._open = (t, member)
        return self._open[1]


def open_sequence(key: AcquisitionKey, members: Mapping[int, Path], axes: str | None = None) -> list[Acquisition]:
    """Return the acquisition that a series of files makes up.

    Parameters
    ----------
    key : AcquisitionKey
    members : mapping of the number in the name to the file; those that are ready
    axes : str or None
        Letters of the dimensions of each file, for files that do not name them.

    Files that hold several time points each are no series, nor are files of different sizes: each is then an
    acquisition of its own.
    """
    numbers = sorted(members)
    first = open_file(members[numbers[0]], axes)
    if len(first) > 1 or first[0].size_t > 1:
        found = list(first)
        for number in numbers[1:]:
            if not any(members[number] in one.files for one in found):  # else one image in several files
                found += open_file(members[number], axes)
        return found
    looked_at = likeness.looked_at(key, members, lambda path: open_file(path, axes))
    if likeness.are_strangers(key, members, looked_at):
        remark = likeness.strangers(key.path)
        alone = [one for number in numbers for one in open_file(members[number], axes)]
        return [replace(one, remarks=(*one.remarks, remark)) for one in alone]
    start = first_number(key, numbers)
    files = {number - start: members[number] for number in numbers}
    series = _assembled(key, files, start, first[0], axes)
    return [replace(series, remarks=(*series.remarks, *likeness.doubts(key.path, looked_at)))]


def undated(series: Path) -> str:
    """What is said of a series of which nothing but the names of its files tells that it is one."""
    return (
        f"{series} is taken for time points of one series because its files are numbered, and nothing in them says "
        f"when they were recorded: {REMEDY}."
    )


def is_sequence(reader: str) -> bool:
    """Say whether an acquisition with this reader's name is one file per time point."""
    return reader.endswith(SUFFIX)


def open_member(key: AcquisitionKey, t: int, file: Path, start: int, axes: str | None = None) -> Acquisition:
    """Return the acquisition of a series with one time point only: that of `file`, the number `start` being t = 0."""
    return _assembled(key, {t: file}, start, open_file(file, axes)[0], axes)


def _assembled(
    key: AcquisitionKey, files: Mapping[int, Path], start: int, like: Acquisition, axes: str | None
) -> Acquisition:
    return replace(
        like,
        name=key.name,
        source_path=key.path,
        files=tuple(files.values()),
        reader=_name_of(like.reader),
        size_t=max(files) + 1,
        time_points=tuple(files),
        first_number=start,
        origins=replace(like.origins, time="names"),
        time_stamps_s=(),
        source=SequenceSource(files, axes, shape_of(like), like.dtype),
    )


def _name_of(reader: str) -> str:
    dialects = ("ome-tiff", "imagej-tiff", "tiff", "lsm", "micromanager")
    return ("tiff" if reader in dialects else reader) + SUFFIX


def shape_of(acquisition: Acquisition) -> tuple[int, int, int, int, int]:
    """Return the sizes T, C, Z, Y, X."""
    sizes = acquisition
    return (sizes.size_t, sizes.size_c, sizes.size_z, sizes.size_y, sizes.size_x)
