"""What the bytes of a PNG or JPEG say: size, kind of pixels, and whether the picture is whole."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.errors import UnsupportedInputError
from storage.readers.bounded import BoundedFile, BrokenFileError

PNG_SIGNATURE, JPEG_SIGNATURE = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
LARGEST_BYTES = 1 << 30
"""Of the pixels of a picture: small files may claim any size, and a picture can only be decoded as a whole."""
_LONGEST_RUN = 1032  # bytes that a byte of zlib's stands for, at most
_PIECE = 1 << 20

_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # of a PNG's types of colour
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # of a JPEG: baseline, extended, progressive
_OTHER_FRAMES = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END = 0xDA, 0xD9
# Within the coded pixels, 0xFF is followed by 0 or by a restart's number.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """What is said of the pixels.

    Attributes
    ----------
    height, width : int
    samples : int
        Stored for each pixel: grey, grey and opacity, three colours, or these and opacity.
    dtype : numpy dtype
    grey : bool
        Its colours come from a table that holds greys alone.
    """

    height: int
    width: int
    samples: int
    dtype: np.dtype
    grey: bool = False

    @property
    def channels(self) -> int:
        """Without opacity, which is no light that anybody measured."""
        return 1 if self.grey or self.samples < 3 else 3


def picture(path: Path) -> Picture:
    """Walk through a whole PNG or JPEG.

    Raises
    ------
    BrokenFileError
        When it is none, breaks off, or claims more than pictures have.
    UnsupportedInputError
        When it is of a kind that is not read here.
    OSError
    """
    with BoundedFile(path) as file:
        start = file.at(0, min(8, file.size), "its signature")
        try:
            if start == PNG_SIGNATURE:
                return _png(file)
            if start.startswith(JPEG_SIGNATURE):
                return _jpeg(file)
        except _OtherKindError as error:
            raise UnsupportedInputError(f"{path} {error}: export it as PNG or TIFF with 8 or 16 bits.") from error
    raise BrokenFileError("it begins like neither a PNG nor a JPEG")


class _OtherKindError(Exception):
    """Internal: the picture is whole, and not read here."""


def _png(file: BoundedFile) -> Picture:
    length, kind, width, height, bits, colour = file.unpack(">I4sIIBB", 8, "its header")
    if kind != b"IHDR" or length != 13 or colour not in _SAMPLES or bits not in (1, 2, 4, 8, 16):
        raise BrokenFileError("its header is none")
    if bits == 1 and colour == 0:
        raise _OtherKindError("is a mask of two values, not an image of light")
    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    place, coded, grey = 8, 0, False
    while True:
        length, kind = file.unpack(">I4s", place, "a chunk")
        if kind == b"PLTE":
            table = file.metadata(place + 8, length, "its table of colours")
            grey = colour == 3 and table[::3] == table[1::3] == table[2::3]
        _check_sum(file, place, length)
        coded += length if kind == b"IDAT" else 0
        place += 12 + length
        if kind == b"IEND":
            break
    found = Picture(height, width, _SAMPLES[colour], dtype, grey)
    said = height * (1 + (width * _BITS_OF[colour] * bits + 7) // 8)
    if said > coded * _LONGEST_RUN + _PIECE:
        raise BrokenFileError(f"it claims {width} x {height} pixels, which {coded} bytes cannot hold")
    return _checked(found)


_BITS_OF = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples in the file, where a table gives the colours one alone


def _check_sum(file: BoundedFile, place: int, length: int) -> None:
    """Compare a chunk's check sum, which is over its kind and its bytes."""
    file.at(place + 8 + length, 0, "a chunk")
    done, total = zlib.crc32(file.at(place + 4, 4, "a chunk")), place + 8
    while total < place + 8 + length:
        piece = file.at(total, min(_PIECE, place + 8 + length - total), "a chunk")
        done, total = zlib.crc32(piece, done), total + len(piece)
    if file.unpack(">I", place + 8 + length, "a chunk's check sum") != (done,):
        raise BrokenFileError(f"its bytes from {place} on are not those that were written")


def _jpeg(file: BoundedFile) -> Picture:
    place, found = 2, None
    while True:
        mark, code = file.unpack(">BB", place, "a segment")
        if mark != 0xFF:
            raise BrokenFileError(f"there is no segment at byte {place}")
        if code == 0xFF:  # fill
            place += 1
        elif code == _END:
            break
        elif code in _OTHER_FRAMES:
            raise _OtherKindError("is coded in a way that is not read here (lossless, hierarchical or arithmetic)")
        else:
            (length,) = file.unpack(">H", place + 2, "a segment")
            if code in _FRAMES:
                found = _frame(file, place)
            place += 2 + max(length, 2)
            if code == _START_OF_SCAN:
                place = _end_of_scan(file, place)
    if found is None:
        raise BrokenFileError("it has no pixels")
    return _checked(found)


def _frame(file: BoundedFile, place: int) -> Picture:
    bits, height, width, samples = file.unpack(">BHHB", place + 4, "its header")
    if bits != 8 or samples not in (1, 3):
        raise _OtherKindError(f"has {samples} samples of {bits} bits a pixel, which is not read here")
    return Picture(height, width, samples, np.dtype(np.uint8))


def _end_of_scan(file: BoundedFile, place: int) -> int:
    """Return where the segment behind coded pixels begins."""
    while True:
        piece = file.at(place, max(min(_PIECE, file.size - place), 2), "its pixels")
        found = _MARKER.search(piece)
        if found is not None:
            return place + found.start()
        place += len(piece) - 1  # a marker may lie across the end of the piece


def _checked(found: Picture) -> Picture:
    if min(found.height, found.width) < 1:
        raise BrokenFileError("it claims to have no pixels")
    size = found.height * found.width * found.samples * found.dtype.itemsize
    if size > LARGEST_BYTES:
        raise BrokenFileError(
            f"it claims {found.width} x {found.height} pixels, {size >> 20} MiB that can only be decoded at once"
        )
    return found
