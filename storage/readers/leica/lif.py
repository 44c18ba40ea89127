"""Leica LIF, through liffile. Each image of the project is an acquisition; tiles of a mosaic are acquisitions too."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nuset_engine.arrays import Pixels, PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion
from storage.readers.fingerprint import Extent
from storage.readers.image import ExtentSource, Image, acquisitions, first_line
from storage.readers.leica import structure
from storage.readers.leica.structure import LifImage
from storage.readers.length_units import micrometres

if TYPE_CHECKING:
    import liffile

MomentsN = NDArray[np.datetime64]  # (N,)

_PLACE = "TCZYXS"


class LifSource(ExtentSource["liffile.LifFile"]):
    """Planes of one image of a project, at one place along its further dimensions."""

    def __init__(
        self, path: Path, index: int, said: LifImage, sizes: Mapping[str, int], fixed: Mapping[str, int]
    ) -> None:
        super().__init__(path, (path,))
        self._index = index
        self._said = said
        self._sizes = dict(sizes)
        self._fixed = dict(fixed)

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the time point is in the image's memory block."""
        return [[Extent(str(self._path), *run)] for run in self._said.runs(t)]

    def _open(self) -> liffile.LifFile:
        return _opened(self._path)

    def _read(self, handle: liffile.LifFile, t: int, c: int, z: int) -> PlaneYX:
        import liffile

        channel, sample = divmod(c, self._sizes.get("S", 1))
        where = {"T": t, "C": channel, "Z": z, **self._fixed}
        image = handle.images[self._index]
        if not isinstance(image, liffile.LifImage):
            raise TypeError("it holds no grey values")
        wanted: dict[str, Any] = {letter: n for letter, n in where.items() if letter in self._sizes}
        frame: Pixels = image.frame(**wanted)
        if {"Y", "X"} - set(self._sizes) or frame.shape[:2] != (self._sizes["Y"], self._sizes["X"]):
            raise ValueError(f"its planes are {frame.shape} of {self._sizes}, not rows and columns")
        return frame[..., sample] if "S" in self._sizes else frame


def probe(path: Path) -> Completion:
    """Return whether a LIF is whole: the memory block of each image that it describes is there."""
    try:
        images = structure.read(path)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole LIF: {error}.")
    return Completion("complete", f"{path} is whole, with {len(images)} images.")


def open_lif(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of a LIF.

    Raises
    ------
    UnreadableInputError
        When it is none, or is damaged.
    """
    del axes  # a LIF names its axes
    try:
        described = structure.read(path)
        with _opened(path) as file:
            if len(file.images) != len(described):
                raise BrokenFileError(f"{len(file.images)} of its {len(described)} images can be read")
            found = [
                one
                for i, (image, said) in enumerate(zip(file.images, described, strict=True))
                for one in _acquisitions_of(path, i, image, said)
            ]
    except (OSError, BrokenFileError) as error:
        raise UnreadableInputError(f"{path} cannot be read as a LIF ({first_line(error)}): export it again.") from error
    return acquisitions(path, "lif", found, (path,))


def _opened(path: Path) -> liffile.LifFile:
    import liffile

    try:
        return liffile.LifFile(path)
    except OSError:
        raise
    except Exception as error:  # a damaged description makes the library raise whatever its parsing stumbles over
        raise BrokenFileError(f"its description is damaged ({first_line(error)})") from error


def _acquisitions_of(
    path: Path, index: int, image: liffile.LifImageABC, said: LifImage
) -> list[tuple[Image, LifSource]]:
    """Return an acquisition for each place along dimensions beyond time, channel, z, y and x."""
    try:
        sizes = {str(letter): int(size) for letter, size in image.sizes.items()}
        dtype = np.dtype(image.dtype)
        stamps = image.timestamps
    except Exception as error:  # as in `_opened`: the library reads these late
        raise BrokenFileError(f"the description of {said.name} is damaged ({first_line(error)})") from error
    further = {letter: size for letter, size in sizes.items() if letter not in _PLACE}
    if math.prod(further.values()) > 10_000:
        raise BrokenFileError(f"{said.name} claims the sizes {sizes}")
    found = []
    for place in product(*(range(size) for size in further.values())):
        fixed = dict(zip(further, place, strict=True))
        name = " ".join([said.name, *(f"{letter}{n}" for letter, n in fixed.items())])
        found.append((_image(name, sizes, dtype, stamps, said), LifSource(path, index, said, sizes, fixed)))
    return found


def _image(name: str, sizes: Mapping[str, int], dtype: np.dtype, stamps: MomentsN | None, said: LifImage) -> Image:
    size = {letter: sizes.get(letter, 1) for letter in _PLACE}
    lengths = _lengths(said.element)
    started, seconds = _times(stamps, size["T"])
    return Image(
        shape=(size["T"], size["C"] * size["S"], size["Z"], size["Y"], size["X"]),
        dtype=dtype,
        voxel_um=(lengths.get("Z"), lengths.get("Y"), lengths.get("X")),
        channel_names=_channel_names(said.element),
        interval_s=_interval(said.element),
        time_stamps_s=seconds,
        started_at=started,
        name=name,
        samples=size["S"],
    )


def _dimensions(element: ElementTree.Element) -> list[tuple[str, int, float, str]]:
    """Return (letter, size, length, unit) of the dimensions of an image."""
    letters = {"1": "X", "2": "Y", "3": "Z", "4": "T"}
    found = []
    for one in element.findall("./Data/Image/ImageDescription/Dimensions/DimensionDescription"):
        try:
            number, length = int(one.get("NumberOfElements", "")), float(one.get("Length", ""))
        except ValueError:
            continue
        found.append((letters.get(one.get("DimID", ""), "?"), number, length, one.get("Unit", "")))
    return found


def _lengths(element: ElementTree.Element) -> dict[str, float | None]:
    """Return the distance of neighbours along x, y and z: the length reaches from the first to the last."""
    return {
        letter: micrometres(abs(length) / (number - 1), unit or "m")
        for letter, number, length, unit in _dimensions(element)
        if letter in "XYZ" and number > 1
    }


def _interval(element: ElementTree.Element) -> float | None:
    """Return the seconds between time points, where the time axis has a length."""
    for letter, number, length, unit in _dimensions(element):
        if letter == "T" and number > 1 and length > 0 and unit in ("s", ""):
            return float(f"{length / (number - 1):.9g}")
    return None


def _channel_names(element: ElementTree.Element) -> tuple[str, ...]:
    """Return the dye of each channel, else the name of its colour table."""
    channels = element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    names = []
    for channel in channels:
        said = {p.findtext("Key"): p.findtext("Value") for p in channel.findall("./ChannelProperty")}
        names.append(said.get("DyeName") or channel.get("LUTName") or "")
    return tuple(names)


def _times(stamps: MomentsN | None, size_t: int) -> tuple[str | None, tuple[float, ...]]:
    """Return when it began (UTC) and the seconds from then to each time point; there is a stamp for every plane."""
    if stamps is None or not len(stamps):
        return None, ()
    started = f"{np.datetime64(stamps[0], 's')}Z"
    if len(stamps) % size_t:
        return started, ()
    first = stamps[:: len(stamps) // size_t][:size_t]
    elapsed = (first - first[0]) / np.timedelta64(1, "s")
    return started, tuple(float(round(value, 3)) for value in elapsed)
