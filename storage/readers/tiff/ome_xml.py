"""The part of OME-XML that matters here: axes, sizes, voxel size, interval, channels, planes per file."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass

from storage.readers.length_units import micrometres, seconds


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` element.

    `voxel_um` holds (z, y, x), each None where the file does not say. `order` is OME's dimension order, fastest axis
    first, such as ``XYCZT``. `samples` are those of one plane (3 for RGB). `in_order` says that the pages of
    the one file follow each other as the planes do.
    """

    name: str
    order: str
    size_t: int
    size_c: int
    size_z: int
    samples: int
    voxel_um: tuple[float | None, float | None, float | None]
    interval_s: float | None
    channel_names: tuple[str, ...]
    planes_by_file: dict[str, int]
    in_order: bool = False

    @property
    def planes(self) -> int:
        """Number of planes in all files."""
        return self.size_t * self.size_z * max(1, self.size_c // self.samples)


def is_ome(description: str) -> bool:
    """Say whether a TIFF's description is OME-XML."""
    return description.rstrip().endswith("OME>") or "<OME " in description[:2000]


def parse(text: str) -> tuple[OmeImage, ...]:
    """Return the images of an OME-XML document.

    Raises
    ------
    ValueError
        When it cannot be parsed or has no image.
    """
    try:
        root = ElementTree.fromstring(text.encode("utf-8"))
        images = tuple(_image(element, i) for i, element in enumerate(_children(root, "Image")))
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"its OME-XML is damaged ({error})") from error
    if not images:
        raise ValueError("its OME-XML describes no image")
    return images


def _image(element: ElementTree.Element, index: int) -> OmeImage:
    pixels = next(_children(element, "Pixels"), None)
    if pixels is None:
        raise ValueError("an image has no pixels")
    channels = list(_children(pixels, "Channel"))
    samples = max([int(c.get("SamplesPerPixel", 1)) for c in channels], default=1)
    voxel = tuple(
        micrometres(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"
    )
    return OmeImage(
        name=element.get("Name") or f"Image {index}",
        order=pixels.attrib["DimensionOrder"],
        size_t=int(pixels.attrib["SizeT"]),
        size_c=int(pixels.attrib["SizeC"]),
        size_z=int(pixels.attrib["SizeZ"]),
        samples=samples,
        voxel_um=(voxel[0], voxel[1], voxel[2]),
        interval_s=seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")),
        channel_names=tuple(c.get("Name") or "" for c in channels),
        planes_by_file=_planes_by_file(pixels),
        in_order=_in_order(pixels, samples),
    )


def _in_order(pixels: ElementTree.Element, samples: int) -> bool:
    """Say whether whatever is said of single pages puts plane after plane into page after page, without any file."""
    order = [letter for letter in pixels.attrib["DimensionOrder"] if letter in "TCZ"]
    sizes = {"T": int(pixels.attrib["SizeT"]), "Z": int(pixels.attrib["SizeZ"])}
    sizes["C"] = max(1, int(pixels.attrib["SizeC"]) // samples)
    shifts = set()
    for data in _children(pixels, "TiffData"):
        plane, step = 0, 1
        for letter in order:
            plane, step = plane + step * int(data.get(f"First{letter}", 0)), step * sizes[letter]
        shifts.add(int(data.get("IFD", 0)) - plane)
        if any(True for _ in _children(data, "UUID")):
            return False
    return len(shifts) <= 1


def _planes_by_file(pixels: ElementTree.Element) -> dict[str, int]:
    """Return how many planes each named file holds; empty when no file is named (all are in this one)."""
    planes: dict[str, int] = {}
    for data in _children(pixels, "TiffData"):
        for uuid in _children(data, "UUID"):
            name = uuid.get("FileName")
            if name:
                planes[name] = planes.get(name, 0) + int(data.get("PlaneCount", 1))
    return planes


def _children(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Give the children of one name, whatever version of the schema their namespace says."""
    return (child for child in element if child.tag.rpartition("}")[2] == name)
