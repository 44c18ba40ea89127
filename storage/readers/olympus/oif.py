"""Olympus OIF (a settings file beside a folder of planes) and OIB (the same in one file), through oiffile.

Planes are told by their names (``s_C001Z002T003.tif``), sizes by the settings' axes: the order in which the library
itself puts axes differs between its versions.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import LARGEST_METADATA, BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.file_stamp import FileStamp, file_stamp
from storage.readers.fingerprint import VERSION, Extent, fingerprint, gone, of_content, of_files
from storage.readers.image import MOST_PLANES, HandleSource, Image, PlaneIndex, Voxel, acquisitions, first_line
from storage.readers.length_units import micrometres, seconds
from storage.readers.names import OIB_SUFFIXES, suffix
from storage.readers.names_in_folder import NamesInFolder
from storage.readers.olympus import ole2
from storage.readers.parts import OIF_FOLDER
from storage.readers.tiff.chain import is_whole
from storage.readers.whole_files import WholeFiles

_PLANE_NAME = re.compile(r"s_(?P<axes>([A-Z]\d+)+)\.tif\Z", re.IGNORECASE)


class _Place(NamedTuple):
    """What the name of a plane says, counted from 0."""

    t: int
    c: int
    wave: int
    z: int


@dataclass(frozen=True)
class _Settings:
    """What the settings file says, and the names of the planes that are there, by place (t, c, z)."""

    image: Image
    planes: Mapping[PlaneIndex, str]

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which every plane is there."""
        _, size_c, size_z, _, _ = self.image.shape
        there = Counter(t for t, _, _ in self.planes)
        return tuple(t for t in sorted(there) if there[t] == size_c * size_z)

    @property
    def declared(self) -> int:
        """Planes that should be there."""
        return math.prod(self.image.shape[:3])


class _Oib:
    """The files inside an OIB. The library's own class for them leaves the file open where the settings are damaged."""

    def __init__(self, path: Path) -> None:
        import oiffile

        ole2.check(path)
        self._compound = oiffile.CompoundFile(path)
        try:
            info = oiffile.SettingsFile(self._compound.open_file("OibInfo.txt"), "OibInfo.txt")["OibSaveInfo"]
            inside = {Path(stream).name: stream for stream in self._compound.files()}
            self._streams = {str(name): inside[key] for key, name in info.items() if str(key).startswith("Stream")}
            main = str(info[info["MainFileName"]])
            self.settings = oiffile.SettingsFile(self.open_file(main), main)
        except BaseException:
            self._compound.close()
            raise

    @property
    def names(self) -> Mapping[str, _Place]:
        """Of planes, with what they say."""
        return {name: told for name in self._streams if (told := _place_of(name)) is not None}

    def open_file(self, name: str) -> BinaryIO:
        return self._compound.open_file(self._streams[name])

    def extent(self, name: str) -> Extent:
        with self.open_file(name) as stream:
            return Extent(name, 0, stream.seek(0, 2))

    def read(self, file: str, offset: int, length: int) -> bytes:
        with self.open_file(file) as stream:
            stream.seek(offset)
            return stream.read(length)

    def close(self) -> None:
        self._compound.close()


class _Oif:
    """The files beside an OIF; planes that are not whole yet are left out."""

    def __init__(self, path: Path) -> None:
        import oiffile

        self._folder = _folder(path)
        if path.stat().st_size > LARGEST_METADATA:
            raise BrokenFileError("its settings are too long to be such")
        if not self._folder.is_dir():
            raise BrokenFileError(f"its folder {self._folder.name} is not there")
        self.settings = oiffile.SettingsFile(path)
        _check_end(path)

    @property
    def names(self) -> Mapping[str, _Place]:
        return _planes_in(self._folder).look()

    def open_file(self, name: str) -> BinaryIO:
        return (self._folder / name).open("rb")

    def close(self) -> None:
        """Nothing stays open."""


class _Planes:
    """The files of planes in a folder: each name is taken apart, and each file is looked into, once while it grows."""

    def __init__(self, folder: Path) -> None:
        self.files = NamesInFolder(folder, _place_of)
        self._whole = WholeFiles(is_whole)

    def look(self) -> Mapping[str, _Place]:
        """Return the names of those that are whole, with what they say."""
        files, told = self.files.now()
        whole = self._whole.among(list(files.values()))
        return told if len(whole) == len(files) else {file.name: told[file.name] for file in whole}


_planes_in = lru_cache(maxsize=8)(_Planes)


class OifSource(HandleSource[_Oib | _Oif]):
    """Planes, each a TIFF of its own."""

    def __init__(self, path: Path, planes: Mapping[PlaneIndex, str], shape: tuple[int, int]) -> None:
        super().__init__(path, (path,))
        self._planes = dict(planes)
        self._by_t: dict[int, list[PlaneIndex]] = {}
        self._shape = shape
        self._stamp: FileStamp | None = None  # of what is open

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the time point's planes, as they lie at the path now."""
        if suffix(self._path) not in OIB_SUFFIXES:
            return of_files(self.files_of(t))
        try:
            if self._stamp != file_stamp(self._path.stat()):
                self.close()
            container = self._opened()
            assert isinstance(container, _Oib)  # by its ending
            return of_content([[container.extent(name)] for name in self._of(t)], container)
        except OSError as error:
            raise gone(self._path, error) from error
        except (BrokenFileError, KeyError):
            return f"{VERSION}broken"  # it is not what was opened any more

    def former_fingerprint(self, t: int) -> str | None:
        """Return what versions before said: of a time point's planes where they are files, else of all together."""
        if suffix(self._path) in OIB_SUFFIXES:
            return super().former_fingerprint(t)
        return fingerprint(self.files_of(t))

    def files_of(self, t: int) -> list[Path]:
        """Return the files that the planes of a time point of an OIF are."""
        return [_folder(self._path) / Path(name).name for name in self._of(t)]

    def _of(self, t: int) -> list[str]:
        if not self._by_t:
            for place in self._planes:
                self._by_t.setdefault(place[0], []).append(place)
        return [self._planes[place] for place in sorted(self._by_t.get(t, ()))]

    def _open(self) -> _Oib | _Oif:
        self._stamp = file_stamp(self._path.stat())
        return _opened(self._path)

    def _read(self, handle: _Oib | _Oif, t: int, c: int, z: int) -> PlaneYX:
        import tifffile

        with handle.open_file(self._planes[t, c, z]) as file, tifffile.TiffFile(file) as tif:
            page = tif.pages[0]
            if page.shape != self._shape:
                raise ValueError(f"it has {page.shape} pixels instead of {self._shape}")
            return page.asarray()


def probe(path: Path) -> Completion:
    """Return whether an OIF or OIB is whole: container, settings, and as many planes as these declare."""
    try:
        settings = _read_settings(path)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except (BrokenFileError, UnreadableInputError) as error:
        reason = str(error) if str(path) in str(error) else f"{path} is not a whole Olympus image: {error}."
        return Completion("incomplete", reason)
    return of_planes(path, len(settings.planes), settings.declared, settings.image.time_points)


def open_oif(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the image of an OIF or OIB.

    Raises
    ------
    UnreadableInputError
        When it is none, or is damaged.
    """
    del axes  # the settings name the axes
    try:
        settings = _read_settings(path)
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(
            f"{path} cannot be read as an Olympus image ({first_line(error)}): export it again."
        ) from error
    image, single = settings.image, suffix(path) in OIB_SUFFIXES
    there = {} if single else _planes_in(_folder(path)).files.now()[0]
    files = (path, *(there[name] for name in settings.planes.values() if name in there))
    source = OifSource(path, settings.planes, image.shape[3:])
    return acquisitions(path, "oib" if single else "oif", [(image, source)], files)


def _folder(path: Path) -> Path:
    return path.with_name(path.name + OIF_FOLDER)


def _opened(path: Path) -> _Oib | _Oif:
    """Open the files of an image, after a look at what the library would follow or read without one."""
    try:
        return _Oib(path) if suffix(path) in OIB_SUFFIXES else _Oif(path)
    except (OSError, BrokenFileError):
        raise
    except Exception as error:  # damaged settings make the library raise whatever its parsing stumbles over
        raise BrokenFileError(f"its settings are damaged ({first_line(error)})") from error


def _read_settings(path: Path) -> _Settings:
    with closing(_opened(path)) as file:
        main, names, sizes = file.settings, file.names, dict[str, int]()
        try:
            order = str(main["Axis Parameter Common"]["AxisOrder"]).upper()
            for i in range(min(16, int(main["Axis Parameter Common"].get("AxisCount", 16)) + 8)):
                axis = main.get(f"Axis {i} Parameters Common", {})
                if axis.get("AxisCode") in list(order):
                    sizes[str(axis["AxisCode"])] = max(1, int(axis["MaxSize"]))
            return _settings(path, main, sizes, names)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BrokenFileError(f"its settings lack {first_line(error)}") from error


def _settings(path: Path, main: Mapping[str, Any], sizes: Mapping[str, int], names: Mapping[str, _Place]) -> _Settings:
    odd = [letter for letter, size in sizes.items() if letter not in "XYZTCL" and size > 1]
    if odd or not {"X", "Y"} <= set(sizes):
        raise UnreadableInputError(
            f"{path} has the axes {', '.join(sizes)}, which are not time, channel, z, y and x: export it as OME-TIFF."
        )
    if math.prod(sizes.get(letter, 1) for letter in "TCZL") > MOST_PLANES:
        raise BrokenFileError(f"its settings claim the sizes {dict(sizes)}")
    planes = _planes(names, sizes)
    reference = main["Reference Image Parameter"]
    depth = int(reference.get("ImageDepth", 2))
    shape = (sizes.get("T", 1), sizes.get("C", 1) * sizes.get("L", 1), sizes.get("Z", 1), sizes["Y"], sizes["X"])
    image = Image(
        shape=shape,
        dtype=np.dtype({1: np.uint8, 2: np.uint16}.get(depth, np.uint32)),
        voxel_um=_voxel(main, reference, shape[2]),
        channel_names=_channel_names(main, sizes.get("C", 1), sizes.get("L", 1)),
        interval_s=_step(main, "T", shape[0], seconds),
        started_at=str(main.get("Acquisition Parameters Common", {}).get("ImageCaputreDate") or "") or None,
    )
    settings = _Settings(image, planes)
    return replace(settings, image=replace(image, time_points=settings.time_points))


def _planes(names: Mapping[str, _Place], sizes: Mapping[str, int]) -> dict[PlaneIndex, str]:
    """Return the names of planes by place."""
    size_t, size_c, waves, size_z = (sizes.get(letter, 1) for letter in "TCLZ")
    return {
        (t, c * waves + wave, z): name
        for name, (t, c, wave, z) in names.items()
        if t < size_t and c < size_c and wave < waves and z < size_z  # else a reference image
    }


def _place_of(name: str) -> _Place | None:
    """Return what the name of a plane says, where numbers count from 1; None for one of something else."""
    told = _PLANE_NAME.search(name)
    if told is None:
        return None
    at = {letter.upper(): int(number) - 1 for letter, number in re.findall(r"([A-Za-z])(\d+)", told["axes"])}
    if min(at.values()) < 0 or any(number for letter, number in at.items() if letter not in "TCLZ"):
        return None  # a reference image, or one that the settings do not speak of
    return _Place(at.get("T", 0), at.get("C", 0), at.get("L", 0), at.get("Z", 0))


def _voxel(main: Mapping[str, Any], reference: Mapping[str, Any], size_z: int) -> Voxel:
    y_um = micrometres(reference.get("HeightConvertValue"), reference.get("HeightUnit"))
    x_um = micrometres(reference.get("WidthConvertValue"), reference.get("WidthUnit"))
    return (_step(main, "Z", size_z, micrometres), y_um, x_um)


def _step(
    main: Mapping[str, Any], letter: str, size: int, convert: Callable[[object, object], float | None]
) -> float | None:
    """Return the distance of neighbours along an axis: its interval, else its extent over the number of steps."""
    if size < 2:
        return None
    for i in range(16):
        axis = main.get(f"Axis {i} Parameters Common", {})
        if axis.get("AxisCode") == letter:
            extent = abs(float(axis.get("EndPosition", 0)) - float(axis.get("StartPosition", 0)))
            return convert(axis.get("Interval") or extent / (size - 1), axis.get("UnitName"))
    return None


def _channel_names(main: Mapping[str, Any], channels: int, lambdas: int) -> tuple[str, ...]:
    names = []
    for i in range(1, channels + 1):
        channel = main.get(f"Channel {i} Parameters") or {}
        dye = str(channel.get("DyeName") or "")
        name = dye if dye.casefold() not in ("", "none") else str(channel.get("CH Name") or "")
        names += [name if lambdas == 1 else f"{name} {j}".strip() for j in range(lambdas)]
    return tuple(names)


def _check_end(path: Path) -> None:
    """Refuse settings that break off within a line: a number cut in two is another number."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        end = file.read()
    if not end.rstrip(b"\0").endswith(b"\n"):
        raise BrokenFileError("its settings break off within a line")
