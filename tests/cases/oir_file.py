"""An Olympus OIR, written from an array (T, C, Z, Y, X): blocks, and an index at the end; one file or several."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_METADATA, _FRAME, _NAME, _PIXELS = 0, 1, 3, 4
_LSM = "http://www.olympus.co.jp/hpf/model/lsmimage"


def oir(folder: Path, array: np.ndarray) -> Path:
    return image(folder / "embryo.oir", array)


def oir_in_parts(folder: Path, array: np.ndarray) -> Path:
    return image(folder / "embryo.oir", array, parts=len(array))


def image(path: Path, array: np.ndarray, parts: int = 1, declared_t: int | None = None) -> Path:
    """Write the time points into `parts` files, of which the first describes all."""
    for number, times in enumerate(np.array_split(np.arange(len(array)), parts)):
        blocks = [] if number else [(_METADATA, _lsm(array, declared_t or len(array)))]
        for t in times:
            for z in range(array.shape[2]):
                blocks.append((_FRAME, _frame(array, int(t), z)))
                for c in range(array.shape[1]):
                    blocks += _plane(array[t, c, z], f"z{z + 1:03d}t{t + 1:03d}_0_1_{_channel(c)}_0")
        name = path if number == 0 else path.with_name(f"{path.stem}_{number:05d}")
        name.write_bytes(_file(blocks))
    return path


def _channel(c: int) -> str:
    return f"0000000{c}-aaaa-bbbb-cccc-000000000000"


def _plane(pixels: np.ndarray, name: str) -> list[tuple[int, bytes]]:
    """A name, and the pixels in two pieces."""
    data, half = pixels.tobytes(), pixels.nbytes // 2 // pixels.itemsize * pixels.itemsize
    found = []
    for i, piece in enumerate((data[:half], data[half:])):
        own = f"{name[:-1]}{i}".encode()
        found += [(_NAME, struct.pack("<III", 0, 0, len(own)) + own), (_PIXELS, piece)]
    return found


def _frame(array: np.ndarray, t: int, z: int) -> bytes:
    y, x = array.shape[3:]
    depth = array.dtype.itemsize
    return (
        f'<?xml version="1.0"?><frame xmlns="x"><width>{x}</width><height>{y}</height><depth>{depth}</depth>'
        f"<bitCounts>12</bitCounts><colorType>Gray</colorType>"
        f"<axisValue><axisType>TIMELAPSE</axisType><position>{60000.0 * t}</position></axisValue>"
        f"<axisValue><axisType>ZSTACK</axisType><position>{2.0 * z}</position></axisValue></frame>"
    ).encode()


def _lsm(array: np.ndarray, declared_t: int) -> bytes:
    channels = "".join(
        f'<channel id="{_channel(c)}" order="{c + 1}"><name>dye {c}</name></channel>' for c in range(array.shape[1])
    )
    axes = "".join(
        f'<axis enable="true"><axis>{kind}</axis><startPosition>0</startPosition><step>{step}</step>'
        f"<maxSize>{size}</maxSize></axis>"
        for kind, step, size in (("ZSTACK", 2.0, array.shape[2]), ("TIMELAPSE", 60000.0, declared_t))
    )
    return (
        f'<?xml version="1.0"?><lsmimage:imageProperties xmlns:lsmimage="{_LSM}">{channels}{axes}'
        f"<length><x>0.25</x><y>0.5</y></length></lsmimage:imageProperties>"
    ).encode()


def _file(blocks: list[tuple[int, bytes]]) -> bytes:
    data, places = bytearray(96), []
    for kind, content in blocks:
        places.append(len(data))
        data += struct.pack("<II", len(content), kind) + content
    index = len(data)
    data += struct.pack(f"<I{len(places)}Q", 0xFFFFFFFF, *places)
    data[:48] = struct.pack("<16s16xQQ", b"OLYMPUSRAWFORMAT", len(data), index)
    return bytes(data)
