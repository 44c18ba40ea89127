"""GIF, one frame at a time.

Pillow writes a movie only when it has all of its frames. Here each frame is encoded by it as a picture of its own, and
its image data are strung together, with one table of colours for all.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from nuset_engine.arrays import PictureYX3

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]
_GREYS = 128
_TRAILER = b"\x3b"
_FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"


class GifWriter:
    """A GIF that plays again and again.

    Parameters
    ----------
    path : Path
    fps : float
        Frames per second, which GIF knows to a hundredth of a second.
    colours : sequence of (red, green, blue)
        What is drawn besides grey.
    """

    def __init__(self, path: Path, fps: float, colours: Sequence[Colour]) -> None:
        self._file = path.open("wb")
        delay = max(round(100 / fps), 2)  # browsers take less for a mistake
        self._control = b"\x21\xf9\x04\x04" + delay.to_bytes(2, "little") + b"\x00\x00"
        self._table = _table(colours)
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._file.write(_TRAILER)

    def add(self, frame: PictureYX3) -> None:
        """Append a frame, (Y, X, 3) uint8."""
        from PIL import Image

        buffer = io.BytesIO()
        indexed = Image.fromarray(frame).quantize(palette=self._table, dither=Image.Dither.NONE)
        indexed.save(buffer, format="GIF", optimize=False)  # which else would leave unused colours out of the table
        head, data = _parts(buffer.getvalue())
        if not self._begun:
            self._file.write(b"GIF89a" + head + _FOR_EVER)
            self._begun = True
        self._file.write(self._control + data)


def _table(colours: Sequence[Colour]) -> Image:
    """A picture whose table of colours are greys, and the given ones from dark to light."""
    from PIL import Image

    greys = [(v, v, v) for v in np.linspace(0, 255, _GREYS).round().astype(int).tolist()]
    shades = [tuple(round(part * share) for part in one) for share in (1.0, 0.75, 0.5, 0.25) for one in colours]
    kept = (greys + shades)[:256]
    table = Image.new("P", (1, 1))
    table.putpalette([part for one in kept + [(0, 0, 0)] * (256 - len(kept)) for part in one])
    return table


def _parts(picture: bytes) -> tuple[bytes, bytes]:
    """What comes before all frames, without the signature, and the frame, of a GIF that holds one."""
    start = 13 + (3 << ((picture[10] & 7) + 1) if picture[10] & 0x80 else 0)
    at = start
    while picture[at] == 0x21:  # extensions: a label, then blocks until an empty one
        at = _after_blocks(picture, at + 2)
    end = at + 10 + (3 << ((picture[at + 9] & 7) + 1) if picture[at + 9] & 0x80 else 0)
    return picture[6:start], picture[at : _after_blocks(picture, end + 1)]


def _after_blocks(picture: bytes, at: int) -> int:
    while picture[at]:
        at += picture[at] + 1
    return at + 1
