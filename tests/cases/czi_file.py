"""A minimal Zeiss CZI, written from an array (T, C, Z, Y, X): header, subblocks, metadata, directory, time stamps."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

UNCOMPRESSED, ZSTD, ZSTD_WITH_HEADER = 0, 5, 6
PIXEL_TYPES = {"uint8": 0, "uint16": 1, "float32": 2}


@dataclass(frozen=True)
class Tile:
    """One subblock: pixels (Y, X) or (Y, X, 3) and its start in each dimension."""

    pixels: np.ndarray
    starts: dict[str, int]


def czi(folder: Path, array: np.ndarray, compression: int = UNCOMPRESSED) -> Path:
    """One scene, planes 60 s apart."""
    path = folder / "embryo.czi"
    tiles = [Tile(array[t, c, z], {"T": t, "C": c, "Z": z}) for t, c, z in np.ndindex(array.shape[:3])]
    return write(path, tiles, metadata(array.shape), [60.0 * t for t in range(len(array))], compression)


def czi_zstd(folder: Path, array: np.ndarray) -> Path:
    return czi(folder, array, ZSTD)


def czi_zstd_shuffled(folder: Path, array: np.ndarray) -> Path:
    return czi(folder, array, ZSTD_WITH_HEADER)


def metadata(shape: tuple[int, ...], scenes: tuple[str, ...] = ()) -> str:
    """The XML that readers look at."""
    t, c, z = shape[:3]
    names = "".join(f'<Channel Id="Channel:{i}" Name="dye {i}"/>' for i in range(c))
    lengths = {"X": 0.25e-6, "Y": 0.5e-6, "Z": 2e-6}
    distances = "".join(f'<Distance Id="{axis}"><Value>{value}</Value></Distance>' for axis, value in lengths.items())
    listed = "".join(f'<Scene Index="{i}" Name="{name}"/>' for i, name in enumerate(scenes))
    return (
        f"<ImageDocument><Metadata><Information><Image><SizeT>{t}</SizeT><SizeC>{c}</SizeC><SizeZ>{z}</SizeZ>"
        f"<AcquisitionDateAndTime>2026-01-02T03:04:05Z</AcquisitionDateAndTime>"
        f"<Dimensions><Channels>{names}</Channels><S><Scenes>{listed}</Scenes></S></Dimensions></Image></Information>"
        f"<Scaling><Items>{distances}</Items></Scaling></Metadata></ImageDocument>"
    )


def write(
    path: Path, tiles: list[Tile], xml: str, stamps: list[float], compression: int = UNCOMPRESSED, part: int = 0
) -> Path:
    """Write subblocks, then what a writer writes last."""
    body, entries = bytearray(), []
    start = 32 + 512  # the header's segment
    for tile in tiles:
        entry = _entry(tile, start + len(body), compression)
        entries.append(entry)
        pixels = _encoded(tile.pixels, compression)
        block = struct.pack("<iiq", 0, 0, len(pixels)) + entry
        body += _segment(b"ZISRAWSUBBLOCK", block.ljust(16 + 240, b"\0") + pixels)
    at_metadata = start + len(body)
    body += _segment(b"ZISRAWMETADATA", struct.pack("<ii", len(xml.encode()), 0).ljust(256, b"\0") + xml.encode())
    at_stamps = start + len(body)
    data = struct.pack(f"<ii{len(stamps)}d", 8 + 8 * len(stamps), len(stamps), *stamps)
    body += _segment(b"ZISRAWATTACH", struct.pack("<i", len(data)).ljust(256, b"\0") + data)
    at_list = start + len(body)
    attachment = struct.pack("<2s10xqi16s8s80s", b"A1", at_stamps, 0, b"", b"CZTIMS", b"TimeStamps")
    body += _segment(b"ZISRAWATTDIR", struct.pack("<i", 1).ljust(256, b"\0") + attachment)
    at_directory = start + len(body)
    body += _segment(b"ZISRAWDIRECTORY", struct.pack("<i", len(entries)).ljust(128, b"\0") + b"".join(entries))
    header = struct.pack("<iiii32siqqiq", 1, 0, 0, 0, b"", part, at_directory, at_metadata, 0, at_list)
    path.write_bytes(_segment(b"ZISRAWFILE", header.ljust(512, b"\0")) + bytes(body))
    return path


def _segment(name: bytes, data: bytes) -> bytes:
    return struct.pack("<16sqq", name, len(data), len(data)) + data


def _entry(tile: Tile, position: int, compression: int) -> bytes:
    samples = tile.pixels.shape[2] if tile.pixels.ndim == 3 else 1
    kind = 3 if samples == 3 else PIXEL_TYPES[tile.pixels.dtype.name]
    y, x = tile.pixels.shape[:2]
    dimensions = list(_dimensions(tile.starts, {"X": x, "Y": y}))
    head = struct.pack("<2siqiiB5xi", b"DV", kind, position, 0, compression, 0, len(dimensions))
    return head + b"".join(dimensions)


def _dimensions(starts: dict[str, int], sizes: dict[str, int]) -> Iterator[bytes]:
    for letter in ("X", "Y", *sorted(set(starts) - set("XY"))):
        size = sizes.get(letter, 1)
        yield struct.pack("<4siifi", letter.encode(), starts.get(letter, 0), size, 0.0, size)


def _encoded(pixels: np.ndarray, compression: int) -> bytes:
    encode: Callable[[bytes], bytes] = imagecodecs.zstd_encode
    raw = (pixels[..., ::-1] if pixels.ndim == 3 else pixels).tobytes()  # colours are stored as blue, green, red
    if compression == ZSTD:
        return bytes(encode(raw))
    if compression == ZSTD_WITH_HEADER:
        halves = np.frombuffer(raw, np.uint8).reshape(-1, pixels.dtype.itemsize).T.tobytes()
        return bytes([3, 1, 1]) + bytes(encode(halves))
    return raw
