"""A Leica LIF, written from arrays (T, C, Z, Y, X): a description and a memory block for each image."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_FILETIME_2026 = 134_000_000_000_000_000


def lif(folder: Path, array: np.ndarray) -> Path:
    return project(folder / "embryo.lif", {"Series001": array})


def project(
    path: Path,
    images: dict[str, np.ndarray],
    stamps: int | None = None,
    renamed: Mapping[str, Mapping[int, int]] | None = None,
) -> Path:
    """Planes are stored by time, slice, channel.

    `stamps` is how many planes have a time stamp (all). `renamed` gives dimensions of an image another number, such as
    {4: 5}: what was time is the wavelength.
    """
    elements, blocks = "", b""
    for i, (name, array) in enumerate(images.items()):
        data = np.ascontiguousarray(np.moveaxis(array, 1, 2)).tobytes()
        elements += _element(name, array, f"MemBlock_{i}", len(data), stamps, (renamed or {}).get(name, {}))
        head = struct.pack("<IIBQBI", 0x70, 0, 0x2A, len(data), 0x2A, len(f"MemBlock_{i}"))
        blocks += head + f"MemBlock_{i}".encode("utf-16-le") + data
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="embryo"><Data><Experiment/></Data><Memory Size="0" '
        f'MemoryBlockID=""/><Children>{elements}</Children></Element></LMSDataContainerHeader>'
    )
    text = xml.encode("utf-16-le")
    path.write_bytes(struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(xml)) + text + blocks)
    return path


def with_lifetimes(path: Path, name: str) -> Path:
    """Put before the images of a project what a counter of single photons writes, without its block of pixels."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 9)
    xml, blocks = data[13 : 13 + 2 * length].decode("utf-16-le"), data[13 + 2 * length :]
    counted = (
        f'<Element Name="{name}"><Data><SingleMoleculeDetection IsImage="true"><Dataset><RawData><Dimensions/>'
        '</RawData></Dataset></SingleMoleculeDetection></Data><Memory Size="0" MemoryBlockID="MemBlock_99"/></Element>'
    )
    xml = xml.replace("<Children>", f"<Children>{counted}", 1)
    text = xml.encode("utf-16-le")
    path.write_bytes(struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(xml)) + text + blocks)
    return path


def _element(
    name: str, array: np.ndarray, block: str, size: int, stamped: int | None, renamed: Mapping[int, int]
) -> str:
    t, c, z, y, x = array.shape
    item = array.dtype.itemsize
    plane = y * x * item
    numbers = {n: renamed.get(n, n) for n in range(1, 5)}
    lengths = [(1, x, 0.25e-6 * (x - 1), "m", item), (2, y, 0.5e-6 * (y - 1), "m", x * item)]
    lengths += [(3, z, 2e-6 * (z - 1), "m", plane * c), (4, t, 60.0 * (t - 1), "s", plane * c * z)]
    dimensions = "".join(
        f'<DimensionDescription DimID="{numbers[number]}" NumberOfElements="{n}" Origin="0" Length="{length}" '
        f'Unit="{unit}" BytesInc="{step}" BitInc="0"/>'
        for number, n, length, unit, step in lengths
        if n > 1 or number < 3
    )
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * item}" NameOfMeasuredQuantity="" Min="0" '
        f'Max="255" Unit="" LUTName="Gray" IsLUTInverted="0" BytesInc="{i * plane}" BitInc="0">'
        f"<ChannelProperty><Key>DyeName</Key><Value>dye {i}</Value></ChannelProperty></ChannelDescription>"
        for i in range(c)
    )
    moments = [_FILETIME_2026 + 600_000_000 * i for i in range(t) for _ in range(c * z)][:stamped]
    stamps = " ".join(f"{moment:x}" for moment in moments)
    return (
        f'<Element Name="{name}"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription>"
        f'<TimeStampList NumberOfTimeStamps="{len(moments)}">{stamps}</TimeStampList></Image></Data>'
        f'<Memory Size="{size}" MemoryBlockID="{block}"/><Children/></Element>'
    )
