"""The structure of a Leica LIF: a description (XML) first, then a memory block for each image.

The library opens a file that was cut short with the full declared shape, so the blocks are looked for here. Source:
Leica, "LAS AF file formats".
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path

from storage.readers.bounded import BoundedFile, BrokenFileError

_CHUNK, _TEXT = 0x70, 0x2A
_DESCRIPTION, _TIME = "./Data/Image/ImageDescription", "4"
_MOST_RUNS = 100_000


@dataclass(frozen=True)
class LifImage:
    """One image of the description.

    Attributes
    ----------
    name : str
    element : its XML
    needed : int
        Bytes that its dimensions span.
    offset : int
        Where its memory block begins.
    block : str
        The id of its memory block.
    is_lifetimes : bool
        A counter of single photons wrote it: it has arrival times, and no planes.
    """

    name: str
    element: ElementTree.Element
    needed: int
    offset: int = 0
    block: str = ""
    is_lifetimes: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of X, Y, Z and T, as far as it has them."""
        letters = {"1": "X", "2": "Y", "3": "Z", "4": "T"}
        numbers = ((letters.get(d.get("DimID", "")), int(d.attrib["NumberOfElements"])) for d in self._axes())
        return {letter: number for letter, number in numbers if letter is not None}

    @property
    def channels(self) -> int:
        """How many there are."""
        return len(self.element.findall(f"{_DESCRIPTION}/Channels/ChannelDescription"))

    @property
    def stamps(self) -> int:
        """How many planes have a time stamp; 0 where nothing is said of times."""
        listed = self.element.find("./Data/Image/TimeStampList")
        if listed is None:
            return 0
        return len((listed.text or "").split()) or len(listed.findall("./TimeStamp"))

    def runs(self, t: int) -> list[tuple[int, int]]:
        """Return (offset, bytes) of what belongs to a time point: one run, or several where time is not slowest."""
        steps = [(d.get("DimID"), int(d.attrib["NumberOfElements"]), int(d.attrib["BytesInc"])) for d in self._axes()]
        times, step = next(((n, step) for letter, n, step in steps if letter == _TIME), (1, self.needed))
        starts = [self.offset + t * step]
        for letter, number, slower in steps:
            if letter != _TIME and slower > step and number * len(starts) <= _MOST_RUNS:
                starts = [start + n * slower for start in starts for n in range(number)]
        channels = [int(c.attrib["BytesInc"]) for c in self.element.findall(f"{_DESCRIPTION}/Channels/*")]
        if max(channels, default=0) >= step * times:
            starts = [start + channel for start in starts for channel in channels]
        end = self.offset + self.needed
        return [(start, min(step, end - start)) for start in sorted(starts) if start < end]

    def _axes(self) -> list[ElementTree.Element]:
        return self.element.findall(f"{_DESCRIPTION}/Dimensions/DimensionDescription")


def read(path: Path) -> tuple[LifImage, ...]:
    """Return the images of a LIF, and see that the memory block of each is inside the file and large enough.

    Raises
    ------
    BrokenFileError
        When something is not there, or it is no LIF.
    """
    with BoundedFile(path) as file:
        if file.size == 0:
            raise BrokenFileError("it is empty (0 bytes)")
        if file.at(0, min(4, file.size), "its header") != _CHUNK.to_bytes(4, "little"):
            raise BrokenFileError("it is no LIF, whatever its name says")
        _, text, length = file.unpack("<IBI", 4, "its header")
        if text != _TEXT:
            raise BrokenFileError("its header is damaged")
        root = _parsed(file.metadata(13, 2 * length, "its description"))
        blocks = _blocks(file, 13 + 2 * length, root.get("Version") == "1")
    images = []
    for image in _images(root):
        if image.is_lifetimes:
            images.append(image)
            continue
        if image.block not in blocks:
            raise BrokenFileError(f"it breaks off: the pixels of {image.name} are missing")
        offset, size = blocks[image.block]
        if size < image.needed:
            raise BrokenFileError(f"{image.name} should have {image.needed} bytes and has {size}")
        images.append(replace(image, offset=offset))
    if not images:
        raise BrokenFileError("it describes no image")
    return tuple(images)


def _blocks(file: BoundedFile, where: int, old: bool) -> dict[str, tuple[int, int]]:
    """Return (offset, bytes) of the memory blocks by their ids."""
    found: dict[str, tuple[int, int]] = {}
    code = "<IIBIBI" if old else "<IIBQBI"
    head = 18 if old else 22
    while where < file.size:
        chunk, _, first, size, second, length = file.unpack(code, where, "a memory block")
        if (chunk, first, second) != (_CHUNK, _TEXT, _TEXT):
            raise BrokenFileError(f"there is no memory block at byte {where}")
        name = file.metadata(where + head, 2 * length, "the name of a memory block").decode("utf-16-le", "replace")
        where += head + 2 * length + size
        if where > file.size:
            raise BrokenFileError(f"it breaks off: pixels up to byte {where} are missing, it has {file.size}")
        found[name] = (where - size, size)
    return found


def _parsed(data: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(data.decode("utf-16-le"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BrokenFileError(f"its description is damaged ({error})") from error


def _images(root: ElementTree.Element, path: str = "") -> list[LifImage]:
    """Return the images below an element, named with the folders that they lie in."""
    found: list[LifImage] = []
    for element in root.findall("./Element") + root.findall("./Children/Element"):
        name = f"{path}{element.get('Name') or 'Image'}"
        if element.find("./Data/Image/ImageDescription") is not None:
            found.append(LifImage(name, element, _needed(element, name), block=block_of(element)))
        elif element.find("./Data/SingleMoleculeDetection[@IsImage='true']") is not None:
            found.append(LifImage(name, element, 0, is_lifetimes=True))
        # The outermost element is the project; its name says nothing that the file's does not.
        found += _images(element, f"{name}/" if root.tag != "LMSDataContainerHeader" else "")
    return found


def block_of(element: ElementTree.Element) -> str:
    """Return the id of the memory block of an image by its XML."""
    memory = element.find("./Memory")
    return memory.get("MemoryBlockID", "") if memory is not None else ""


def _needed(element: ElementTree.Element, name: str) -> int:
    description = element.find(_DESCRIPTION)
    assert description is not None  # it is what makes this an image
    try:
        last = sum(
            (int(d.attrib["NumberOfElements"]) - 1) * int(d.attrib["BytesInc"])
            for d in description.findall("./Dimensions/DimensionDescription")
        )
        channels = description.findall("./Channels/ChannelDescription")
        last += max(int(c.attrib["BytesInc"]) + (int(c.attrib["Resolution"]) + 7) // 8 for c in channels)
    except (KeyError, ValueError) as error:
        raise BrokenFileError(f"the description of {name} is damaged ({error})") from error
    return last
