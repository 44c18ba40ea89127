"""Leica LIF, through liffile. Each image of the project is an acquisition; tiles of a mosaic are acquisitions too."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nuset_engine.arrays import Pixels, PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError, UnsupportedInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion
from storage.readers.fingerprint import Extent
from storage.readers.image import ExtentSource, Image, acquisitions, first_line
from storage.readers.leica import stopped, structure
from storage.readers.leica.structure import LifImage
from storage.readers.length_units import micrometres
from storage.readers.xml_text import printable

if TYPE_CHECKING:
    import liffile

MomentsN = NDArray[np.datetime64]  # (N,)

_PLACE = "TCZYXS"
_LIFETIMES = "{} holds lifetimes, not grey values; export its intensities as an image"
_SPECTRAL = "λΛ"  # wavelengths of emission and of excitation: channels


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
        for letter in _SPECTRAL:
            where["C"], where[letter] = divmod(where["C"], self._sizes.get(letter, 1))
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
        images = [image for image in structure.read(path) if not image.is_lifetimes]
        taken = [stopped.time_points(path, image) for image in images]
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole LIF: {error}.")
    times = images[0].sizes.get("T", 1) if images else 1
    if len(images) == 1 and len(taken[0]) < times:  # of several, each has its own, and the others are not waited for
        reason = f"{path} holds {len(taken[0])} of the {times} time points that it declares: it was stopped early."
        return Completion("growing", reason, taken[0], len(taken[0]), times)
    return Completion("complete", f"{path} is whole, with {len(images)} images.")


def open_lif(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of a LIF.

    Raises
    ------
    UnreadableInputError
        When it is none, or is damaged.
    UnsupportedInputError
        When none of its images is of a kind that is read here.
    """
    del axes  # a LIF names its axes
    try:
        described = structure.read(path)
        with _opened(path) as file:
            by_block = {structure.block_of(one.xml_element): (i, one) for i, one in enumerate(file.images)}
            found, counts, left_out = [], [], []
            for said in described:
                if said.is_lifetimes:
                    left_out.append(_LIFETIMES.format(printable(said.name)))
                    continue
                if said.block not in by_block:
                    raise BrokenFileError(f"{said.name} is not among the images that can be read")
                i, image = by_block[said.block]
                sizes = _sizes(image, said)
                counts.append(math.prod(size for letter, size in sizes.items() if letter not in _PLACE))
                try:
                    found.append(_acquisitions_of(path, i, image, said, sizes))
                except UnsupportedInputError as error:
                    left_out.append(str(error))
                    found.append([])
    except (OSError, BrokenFileError) as error:
        raise UnreadableInputError(f"{path} cannot be read as a LIF ({first_line(error)}): export it again.") from error
    if left_out and not any(found):
        raise UnsupportedInputError(f"{path} is not read here: {left_out[0]}.")
    if sum(map(len, found)) not in (1, sum(counts)) or left_out:
        found = _numbered(found, counts, tuple(f"has an image that is left out: {reason}" for reason in left_out))
    return acquisitions(path, "lif", [one for of_one in found for one in of_one], (path,))


def _numbered(
    found: Sequence[Sequence[tuple[Image, LifSource]]], counts: Sequence[int], remarks: tuple[str, ...]
) -> list[list[tuple[Image, LifSource]]]:
    """Let images keep the numbers by which they are known, whatever is left out or put together before them.

    The first one gets the remarks. `counts` are the places of each image along its further dimensions.
    """
    numbered: list[list[tuple[Image, LifSource]]] = []
    start = 0
    for of_one, count in zip(found, counts, strict=True):
        numbered.append([])
        for n, (image, source) in enumerate(of_one, start):
            numbered[-1].append((replace(image, number=n, remarks=remarks), source))
            remarks = ()
        start += count
    return numbered


def _opened(path: Path) -> liffile.LifFile:
    import liffile

    try:
        return liffile.LifFile(path)
    except OSError:
        raise
    except Exception as error:  # a damaged description makes the library raise whatever its parsing stumbles over
        raise BrokenFileError(f"its description is damaged ({first_line(error)})") from error


def _sizes(image: liffile.LifImageABC, said: LifImage) -> dict[str, int]:
    """Return the sizes of an image by letter."""
    try:
        sizes = {str(letter): int(size) for letter, size in image.sizes.items()}
    except Exception as error:  # as in `_opened`: the library reads these late
        raise BrokenFileError(f"the description of {said.name} is damaged ({first_line(error)})") from error
    if math.prod(size for letter, size in sizes.items() if letter not in _PLACE) > 10_000:
        raise BrokenFileError(f"{said.name} claims the sizes {sizes}")
    return sizes


def _acquisitions_of(
    path: Path, index: int, image: liffile.LifImageABC, said: LifImage, sizes: Mapping[str, int]
) -> list[tuple[Image, LifSource]]:
    """Return an acquisition for each place along dimensions beyond time, channel, wavelength, z, y and x."""
    scanned = [letter for letter in sizes if letter in "TZYX"]  # the fastest last
    if scanned[-2:] != ["Y", "X"]:
        scan = "".join(letter.lower() for letter in reversed(scanned)) or "point"
        raise UnsupportedInputError(
            f"{printable(said.name)} is a scan of {scan}, without whole planes; take or export it as planes of x and y"
        )
    if "H" in sizes:
        raise UnsupportedInputError(_LIFETIMES.format(printable(said.name)))
    try:
        dtype, stamps = np.dtype(image.dtype), image.timestamps
    except Exception as error:
        raise BrokenFileError(f"the description of {said.name} is damaged ({first_line(error)})") from error
    further = {letter: size for letter, size in sizes.items() if letter not in _PLACE + _SPECTRAL}
    found = []
    for place in product(*(range(size) for size in further.values())):
        fixed = dict(zip(further, place, strict=True))
        name = " ".join([said.name, *(f"{letter}{n}" for letter, n in fixed.items())])
        image_said = replace(_image(name, sizes, dtype, stamps, said), time_points=stopped.time_points(path, said))
        found.append((image_said, LifSource(path, index, said, sizes, fixed)))
    return found


def _image(name: str, sizes: Mapping[str, int], dtype: np.dtype, stamps: MomentsN | None, said: LifImage) -> Image:
    size = {letter: sizes.get(letter, 1) for letter in _PLACE}
    wavelengths = math.prod(sizes.get(letter, 1) for letter in _SPECTRAL)
    lengths = _lengths(said.element)
    started, seconds = _times(stamps, size["T"])
    return Image(
        shape=(size["T"], size["C"] * wavelengths * size["S"], size["Z"], size["Y"], size["X"]),
        dtype=dtype,
        voxel_um=(lengths.get("Z"), lengths.get("Y"), lengths.get("X")),
        channel_names=_channel_names(said.element) if wavelengths == 1 else (),
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
