"""Zeiss CZI. Scenes, views and the like become acquisitions of their own; tiles of a mosaic are put together.

The structure is read here, with every offset checked, and the pixels are decoded by imagecodecs: the one library that
reads CZI in pure Python has another interface on each supported version of Python, and on 3.11 none for Zstandard.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuset_engine.arrays import ImageYXS, PlaneYX, ValuesN
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError, UnsupportedInputError
from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import Extent
from storage.readers.image import LARGEST_PLANE_PIXELS, ExtentSource, Image, PlaneIndex, Voxel, acquisitions
from storage.readers.length_units import micrometres, place_um, seconds
from storage.readers.zeiss import structure
from storage.readers.zeiss.structure import PIXEL_TYPES, Block, CziLayout

UNCOMPRESSED, JPEG, LZW, JPEG_XR, ZSTD, ZSTD_WITH_HEADER = 0, 1, 2, 4, 5, 6
_DIMENSIONS = "Information/Image/Dimensions"
# Names that programs give to channels by their numbers and tracks: Ch1, ChS1-T2, Channel:0, Dye1.
_NUMBERED = re.compile(r"(?i)(ch[a-z]?|channel|track|dye)?[ _:\-]*\d*([ _\-]*t\d+)?")
_BIG_PIXELS = 1 << 30  # a subblock of more bytes is no tile of a microscope

Scene = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Planes:
    """The subblocks of one scene by place (t, c, z, each from 0), and the sizes that they span."""

    blocks: Mapping[PlaneIndex, Sequence[Block]]
    sizes: tuple[int, int, int]
    origin: tuple[int, int]
    plane_shape: tuple[int, int]
    dtype: np.dtype
    samples: int

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which every plane is there."""
        return tuple(t for t in range(self.sizes[0]) if all(place in self.blocks for place in self.places(t)))

    def places(self, t: int) -> list[PlaneIndex]:
        """Return the places of a time point's planes."""
        return [(t, c, z) for c in range(self.sizes[1]) for z in range(self.sizes[2])]


class CziSource(ExtentSource[BoundedFile]):
    """Planes of one scene, put together of their tiles."""

    def __init__(self, path: Path, planes: _Planes) -> None:
        super().__init__(path, (path,))
        self._planes = planes

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the pixels of each plane's subblocks are."""
        found = []
        with BoundedFile(self._path) as file:
            for place in self._planes.places(t):
                blocks = sorted(self._planes.blocks[place], key=lambda one: (one.tile, one.y, one.x))
                found.append([Extent(str(self._path), *structure.place_of_pixels(file, block)) for block in blocks])
        return found

    def _open(self) -> BoundedFile:
        return BoundedFile(self._path)

    def _read(self, handle: BoundedFile, t: int, c: int, z: int) -> PlaneYX:
        planes = self._planes
        channel, sample = divmod(c, planes.samples)
        plane = np.zeros(planes.plane_shape, planes.dtype)
        for block in sorted(planes.blocks[t, channel, z], key=lambda one: one.tile):
            pixels = _decoded(handle, block)
            y, x = block.y - planes.origin[0], block.x - planes.origin[1]
            # Samples are stored as blue, green, red.
            plane[y : y + block.height, x : x + block.width] = pixels[..., planes.samples - 1 - sample]
        return plane


def probe(path: Path) -> Completion:
    """Return whether a CZI is whole: its directory is there, its subblocks are, and they are all that it declares."""
    try:
        layout = structure.read(path)
        scenes = _scenes(path, layout)
        declared = _declared(_root(layout.xml))
    except UnsupportedInputError as error:  # there is nothing to wait for
        return Completion("complete", str(error))
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except (BrokenFileError, UnreadableInputError) as error:
        reason = str(error) if str(path) in str(error) else f"{path} is not a whole CZI: {error}."
        return Completion("incomplete", reason)
    ready = sum(len(planes.blocks) for planes in scenes.values())
    expected = len(scenes) * declared if declared else ready
    expected = max(expected, sum(int(np.prod(planes.sizes)) for planes in scenes.values()))
    first = next(iter(scenes.values()))
    return of_planes(path, ready, expected, first.time_points)


def open_czi(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of a CZI, one per scene.

    Raises
    ------
    UnreadableInputError
        When it is no CZI, or is damaged.
    """
    del axes  # a CZI names its axes
    try:
        layout = structure.read(path)
        root = _root(layout.xml)
    except BrokenFileError as error:
        raise UnreadableInputError(f"{path} cannot be read as a CZI ({error}): export it again.") from error
    names = _scene_names(root)
    found = []
    for scene, planes in _scenes(path, layout).items():
        t, c, z = planes.sizes
        image = Image(
            shape=(t, c * planes.samples, z, *planes.plane_shape),
            dtype=planes.dtype,
            voxel_um=_voxel(root),
            channel_names=_channel_names(root),
            interval_s=_interval(root),
            time_stamps_s=layout.time_stamps_s,
            started_at=_text(root, "Information/Image/AcquisitionDateAndTime"),
            name=_name(scene, names),
            time_points=planes.time_points,
            samples=planes.samples,
            stage_um=_stage(root, scene),
        )
        found.append((image, CziSource(path, planes)))
    return acquisitions(path, "czi", found, (path,))


def _scenes(path: Path, layout: CziLayout) -> dict[Scene, _Planes]:
    phases = {dict(block.scene).get("H", 0) for block in layout.blocks}
    if len(phases) > 1:
        raise UnsupportedInputError(
            f"{path} holds {len(phases)} phases of each plane (raw Airyscan or structured illumination), which are not "
            "read here: process it in ZEN, and hand in the result."
        )
    by_scene: dict[Scene, list[Block]] = defaultdict(list)
    for block in layout.blocks:
        by_scene[block.scene].append(block)
    return {scene: _planes(path, by_scene[scene]) for scene in sorted(by_scene)}


def _planes(path: Path, blocks: Sequence[Block]) -> _Planes:
    types = {block.pixel_type for block in blocks}
    if len(types) > 1 or not types <= set(PIXEL_TYPES):
        raise UnreadableInputError(f"{path} mixes or has unusual types of pixels: export it as OME-TIFF.")
    dtype, samples = PIXEL_TYPES[types.pop()]
    first = tuple(min(block.place[i] for block in blocks) for i in range(3))
    sizes = tuple(max(block.place[i] for block in blocks) - first[i] + 1 for i in range(3))
    y, x = min(block.y for block in blocks), min(block.x for block in blocks)
    shape = (max(b.y + b.height for b in blocks) - y, max(b.x + b.width for b in blocks) - x)
    if shape[0] * shape[1] > LARGEST_PLANE_PIXELS or np.prod(sizes, dtype=float) > 100 * len(blocks) + 1000:
        raise UnreadableInputError(f"{path} claims {sizes} planes of {shape} pixels: it is damaged.")
    by_place: dict[PlaneIndex, list[Block]] = defaultdict(list)
    for block in blocks:
        t, c, z = (block.place[i] - first[i] for i in range(3))
        by_place[t, c, z].append(block)
    return _Planes(dict(by_place), (sizes[0], sizes[1], sizes[2]), (y, x), shape, np.dtype(dtype), samples)


def _decoded(file: BoundedFile, block: Block) -> ImageYXS:
    """Return the pixels of a subblock, (height, width, samples)."""
    import imagecodecs

    kind, samples = PIXEL_TYPES[block.pixel_type]
    dtype, shape = np.dtype(kind), (block.height, block.width, samples)
    expected = int(np.prod(shape)) * dtype.itemsize
    if expected > _BIG_PIXELS:
        raise ValueError(f"a tile claims {expected} bytes")
    data = structure.pixels_at(file, block)
    if block.compression == UNCOMPRESSED or len(data) == expected:
        return np.frombuffer(data, dtype, count=expected // dtype.itemsize).reshape(shape)
    if block.compression == LZW:
        return np.frombuffer(imagecodecs.lzw_decode(data, out=expected), dtype).reshape(shape)
    if block.compression == ZSTD:
        return np.frombuffer(imagecodecs.zstd_decode(data, out=expected), dtype).reshape(shape)
    if block.compression == ZSTD_WITH_HEADER:
        return _zstd_with_header(data, dtype, expected).reshape(shape)
    if block.compression in (JPEG, JPEG_XR):
        decode = imagecodecs.jpeg_decode if block.compression == JPEG else imagecodecs.jpegxr_decode
        out = np.empty(shape if samples > 1 else shape[:2], dtype)
        decoded = decode(data, out=out).reshape(shape)
        return decoded[..., ::-1] if samples > 1 else decoded  # these decoders give red first
    raise ValueError(f"compression {block.compression} is not read: export it as OME-TIFF")


def _zstd_with_header(data: bytes, dtype: np.dtype, expected: int) -> ValuesN:
    """A header of 1 or 3 bytes; its flag says that low and high bytes of 16 bit pixels lie apart."""
    import imagecodecs

    length = data[0]
    if length not in (1, 3):
        raise ValueError(f"a Zstandard header of {length} bytes")
    apart = length == 3 and data[1] == 1 and bool(data[2] & 1)
    raw = imagecodecs.zstd_decode(data[length:], out=expected)
    if not apart:
        return np.frombuffer(raw, dtype)
    halves = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(halves.T).reshape(-1).view(dtype)


def _root(xml: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml.rstrip("\0 \r\n").encode("utf-8"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BrokenFileError(f"its metadata is damaged ({error})") from error


def _all(root: ElementTree.Element, path: str) -> list[ElementTree.Element]:
    return root.findall(f"Metadata/{path}")


def _text(root: ElementTree.Element, path: str) -> str | None:
    return root.findtext(f"Metadata/{path}") or None


def _declared(root: ElementTree.Element) -> int:
    """Return the planes of a scene that the metadata speaks of; 0 where it says nothing."""
    sizes = [_text(root, f"Information/Image/Size{letter}") for letter in "TCZ"]
    if not any(sizes):
        return 0
    return int(np.prod([int(size) if size and size.isdecimal() else 1 for size in sizes], dtype=float))


def _voxel(root: ElementTree.Element) -> Voxel:
    said = {e.get("Id"): e.findtext("Value") for e in _all(root, "Scaling/Items/Distance")}
    z_um, y_um, x_um = (micrometres(said.get(letter), "m") for letter in "ZYX")
    return (z_um, y_um, x_um)


def _interval(root: ElementTree.Element) -> float | None:
    return seconds(_text(root, f"{_DIMENSIONS}/T/Positions/Interval/Increment"), "s")


def _channel_names(root: ElementTree.Element) -> tuple[str, ...]:
    """Return the names of channels; of their dyes, or those that they are shown by, where the names say nothing."""
    shown = {e.get("Id"): e for e in _all(root, "DisplaySetting/Channels/Channel")}
    names = []
    for channel in _all(root, f"{_DIMENSIONS}/Channels/Channel"):
        display = shown.get(channel.get("Id"))
        said = [channel.get("Name"), channel.findtext("Fluor"), channel.findtext("DyeName")]
        said += [] if display is None else [display.get("Name"), display.findtext("DyeName")]
        texts = [text.strip() for text in said if text and text.strip()]
        names.append(next((text for text in texts if not _NUMBERED.fullmatch(text)), texts[0] if texts else ""))
    return tuple(names)


def _stage(root: ElementTree.Element, scene: Scene) -> tuple[float, float] | None:
    """Return where the stage stood for a scene, (y, x), in the file's own coordinates."""
    number = str(dict(scene).get("S", 0))
    scenes = _all(root, f"{_DIMENSIONS}/S/Scenes/Scene")
    said = next((e.findtext("CenterPosition") or "" for e in scenes if e.get("Index", "0") == number), "")
    x, _, y = said.partition(",")
    places = (place_um(y, "um"), place_um(x, "um"))
    return None if places[0] is None or places[1] is None else (places[0], places[1])


def _scene_names(root: ElementTree.Element) -> dict[int, str]:
    scenes = [(e.get("Index", str(i)), e) for i, e in enumerate(_all(root, f"{_DIMENSIONS}/S/Scenes/Scene"))]
    return {int(index): e.get("Name") or "" for index, e in scenes if index.isdecimal()}


def _name(scene: Scene, names: Mapping[int, str]) -> str:
    """Return the scene's name, and the letter and number of what else tells it apart."""
    parts = [names.get(n) or f"S{n}" if letter == "S" else f"{letter}{n}" for letter, n in scene]
    return " ".join(parts)
