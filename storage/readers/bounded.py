"""Reading a file by the offsets that it states, never beyond its end and never more than is sane.

A damaged or half-written file states offsets and lengths that are not there. Whatever it says, reading it here ends.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

# No microscope's description of an image is longer; a damaged length may claim any number.
LARGEST_METADATA = 1 << 28


class BrokenFileError(Exception):
    """Internal: the file lacks what its structure says must be there; the text completes "x is not a whole ...: ".

    What the text quotes from the file may be anything: it stays on one line, and sends a terminal no commands.
    """

    def __init__(self, text: str) -> None:
        super().__init__("".join(letter if letter.isprintable() else "?" for letter in text))


class BoundedFile:
    """A file opened for reading at stated places.

    Attributes
    ----------
    size : int
        Bytes in the file when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self.size = self._file.seek(0, 2)

    def at(self, offset: int, length: int, what: str) -> bytes:
        """Return `length` bytes from `offset` on.

        Raises
        ------
        BrokenFileError
            When they are not all inside the file.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            raise BrokenFileError(f"it breaks off: {what} should end at byte {offset + length} of {self.size}")
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) < length:  # it was cut while it was read
            raise BrokenFileError(f"it breaks off inside {what}")
        return data

    def metadata(self, offset: int, length: int, what: str) -> bytes:
        """Return a description, which is never longer than `LARGEST_METADATA`."""
        if length > LARGEST_METADATA:
            raise BrokenFileError(f"{what} claims {length} bytes")
        return self.at(offset, length, what)

    def unpack(self, code: str, offset: int, what: str) -> tuple[Any, ...]:
        """Return the values of a `struct` format at `offset`."""
        return struct.unpack(code, self.at(offset, struct.calcsize(code), what))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
