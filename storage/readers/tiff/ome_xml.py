"""The part of OME-XML that matters here: axes, sizes, voxel size, times, channels, and where the planes are."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass

from storage.errors import UnsupportedInputError
from storage.readers.length_units import micrometres, place_um, seconds
from storage.readers.xml_text import printable

_ORDERS = {"XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"}
_MODULO = ("ModuloAlongT", "ModuloAlongC", "ModuloAlongZ")
_SPECTRAL = "lambda"  # along channels, it makes more of them


@dataclass(frozen=True)
class TiffData:
    """One ``TiffData`` element: which pages hold the planes from `first` on, in the image's dimension order.

    Attributes
    ----------
    first : (t, c, z); channels count planes, samples of a pixel aside
    ifd : int or None
        Number of the first page.
    count : int or None
        Planes.
    file, uuid : str
        Which file it speaks of; empty for this one.
    """

    first: tuple[int, int, int]
    ifd: int | None
    count: int | None
    file: str = ""
    uuid: str = ""


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` element.

    `voxel_um` holds (z, y, x), each None where the file does not say. `order` is OME's dimension order, fastest axis
    first, such as ``XYCZT``. `samples` are those of one plane (3 for RGB). `stamps_s` are the times of the time points
    by the planes' ``DeltaT``, empty where one has none. `stage_um` is where the stage stood, (y, x), for the first
    plane that says it. `own` is the name that the document gives to its own file.
    """

    name: str
    order: str
    size_t: int
    size_c: int
    size_z: int
    size_y: int
    size_x: int
    samples: int
    voxel_um: tuple[float | None, float | None, float | None]
    interval_s: float | None
    stamps_s: tuple[float, ...]
    channel_names: tuple[str, ...]
    data: tuple[TiffData, ...]
    own: str = ""
    started_at: str | None = None
    stage_um: tuple[float, float] | None = None

    @property
    def planes(self) -> int:
        """Number of planes in all files."""
        return self.size_t * self.size_z * max(1, self.size_c // self.samples)

    @property
    def planes_by_file(self) -> dict[str, int]:
        """How many planes each named file holds; empty when no file is named (all are in this one)."""
        planes: dict[str, int] = {}
        for one in self.data:
            if one.file:
                planes[one.file] = planes.get(one.file, 0) + (1 if one.count is None else one.count)
        return planes


@dataclass(frozen=True)
class Companion:
    """What a file says whose description is in another one: the name of that, and of itself."""

    file: str
    own: str


def is_ome(description: str) -> bool:
    """Say whether a TIFF's description is OME-XML."""
    return description.rstrip().endswith("OME>") or "<OME " in description[:2000]


def companion(text: str) -> Companion | None:
    """Return where the description is, of a file that has only pixels (``BinaryOnly``); None for others.

    Raises
    ------
    ValueError
        When it cannot be parsed.
    """
    if "BinaryOnly" not in text:
        return None
    root = _parsed(text)
    found = next(_children(root, "BinaryOnly"), None)
    return None if found is None else Companion(found.get("MetadataFile", ""), root.get("UUID", ""))


def parse(text: str, own: str | None = None) -> tuple[OmeImage, ...]:
    """Return the images of an OME-XML document; `own` is what a file is called whose companion the document is.

    Raises
    ------
    ValueError
        When it cannot be parsed or has no image.
    UnsupportedInputError
        When it has axes that are not read here.
    """
    root = _parsed(text)
    _refuse_further_axes(root)
    try:
        called = root.get("UUID", "") if own is None else own
        images = tuple(_image(element, i, called) for i, element in enumerate(_children(root, "Image")))
    except (LookupError, ValueError) as error:
        raise ValueError(f"its OME-XML is damaged ({error})") from error
    if not images:
        raise ValueError("its OME-XML describes no image")
    return images


def _parsed(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # of a text, the declared encoding does not count any more
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"its OME-XML is damaged ({error})") from error


def _refuse_further_axes(root: ElementTree.Element) -> None:
    """Lifetimes, phases, angles: OME-XML keeps them within time, channels or slices, and says so far behind them."""
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        kind = (element.get("Type") or "unknown").lower()
        if name in _MODULO and not (kind == _SPECTRAL and name == "ModuloAlongC"):
            raise UnsupportedInputError(
                f"its axis {name[-1]} runs over {printable(kind)} as well: export each of them as an image of its own"
            )


def _image(element: ElementTree.Element, index: int, own: str) -> OmeImage:
    pixels = next(_children(element, "Pixels"), None)
    if pixels is None:
        raise ValueError("an image has no pixels")
    channels = list(_children(pixels, "Channel"))
    sizes = {letter: int(pixels.attrib[f"Size{letter}"]) for letter in "TCZYX"}
    order = pixels.attrib["DimensionOrder"]
    if order not in _ORDERS or min(sizes.values()) < 1:
        raise ValueError(f"its dimensions are {order} of {tuple(sizes.values())}")
    voxel = tuple(
        micrometres(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"
    )
    return OmeImage(
        name=element.get("Name") or f"Image {index}",
        order=order,
        size_t=sizes["T"],
        size_c=sizes["C"],
        size_z=sizes["Z"],
        size_y=sizes["Y"],
        size_x=sizes["X"],
        samples=max([int(c.get("SamplesPerPixel", 1)) for c in channels], default=1),
        voxel_um=(voxel[0], voxel[1], voxel[2]),
        interval_s=seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")),
        stamps_s=_stamps(pixels, sizes["T"]),
        channel_names=tuple(c.get("Name") or "" for c in channels),
        data=tuple(_tiff_data(data) for data in _children(pixels, "TiffData")),
        own=own,
        started_at=next((date.text for date in _children(element, "AcquisitionDate") if date.text), None),
        stage_um=_stage(pixels),
    )


def _stage(pixels: ElementTree.Element) -> tuple[float, float] | None:
    """Return where the stage stood for the first plane that says it; a "reference frame" is no length."""
    for plane in _children(pixels, "Plane"):
        found = [place_um(plane.get(f"Position{axis}"), plane.get(f"Position{axis}Unit", "µm")) for axis in "YX"]
        if found[0] is not None and found[1] is not None:
            return (found[0], found[1])
    return None


def _tiff_data(element: ElementTree.Element) -> TiffData:
    first = tuple(int(element.get(f"First{letter}", 0)) for letter in "TCZ")
    ifd, count = element.get("IFD"), element.get("PlaneCount")
    uuid = next(_children(element, "UUID"), None)
    return TiffData(
        (first[0], first[1], first[2]),
        None if ifd is None else int(ifd),
        None if count is None else int(count),
        "" if uuid is None else uuid.get("FileName", "").rpartition("\\")[2],  # programs on Windows write whole paths
        "" if uuid is None else (uuid.text or "").strip(),
    )


def _stamps(pixels: ElementTree.Element, size_t: int) -> tuple[float, ...]:
    """Return the seconds from the first time point to each, by the earliest plane of each that says its time."""
    earliest: dict[int, float] = {}
    for plane in _children(pixels, "Plane"):
        unit, t = plane.get("DeltaTUnit", "s"), int(plane.get("TheT", 0))
        # A moment may be 0, or before the clock was started; a unit of time may not.
        second = seconds(1, unit)
        if second is not None and plane.get("DeltaT") is not None:
            earliest[t] = min(float(plane.attrib["DeltaT"]) * second, earliest.get(t, float("inf")))
    if sorted(earliest) != list(range(size_t)):
        return ()
    return tuple(float(f"{earliest[t] - earliest[0]:.9g}") for t in range(size_t))


def _children(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Give the children of one name, whatever version of the schema their namespace says."""
    return (child for child in element if child.tag.rpartition("}")[2] == name)
