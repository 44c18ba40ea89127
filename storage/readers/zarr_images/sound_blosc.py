"""Blosc that refuses damaged chunks: the library behind it trusts their header, and reads past their end.

A chunk is a header of 16 bytes (version, version of the codec, flags, size of an item, then as uint32 the size of the
content, of a block and of the chunk), and unless it is stored as it is, a table of where each block begins:
https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst
"""

from __future__ import annotations

import struct
from functools import cache, cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

_HEADER = struct.Struct("<4B3I")
_STORED = 0x2  # flag of a chunk that holds its content as it is


def fault_of(chunk: bytes | memoryview) -> str | None:
    """Return what is wrong with the header or the table of a chunk, None when it may be decompressed."""
    if len(chunk) < _HEADER.size:
        return "it is shorter than its header"
    _, _, flags, item, content, block, size = _HEADER.unpack_from(chunk)
    if size != len(chunk) or item == 0:
        return "its header does not fit its size"
    if flags & _STORED:
        return None if size == content + _HEADER.size else "its header does not fit its content"
    if content == 0:
        return None
    if not 0 < block <= content:
        return "its header gives an impossible size of blocks"
    blocks = -(-content // block)
    first = _HEADER.size + 4 * blocks
    if first > size:
        return "its table of blocks is longer than itself"
    starts = struct.unpack_from(f"<{blocks}I", chunk, _HEADER.size)
    return None if first <= min(starts) and max(starts) <= size - 4 else "its table of blocks points outside"


@cache
def guard() -> None:
    """Have zarr decompress with care in this process, in both versions of its format; once is enough."""
    import zarr
    from numcodecs import Blosc
    from numcodecs import registry as of_format_2
    from zarr import registry as of_format_3
    from zarr.codecs import BloscCodec

    class SoundBlosc(Blosc):
        def decode(self, buf: Buffer, out: Buffer | None = None) -> Buffer:
            fault = fault_of(memoryview(buf).cast("B"))
            if fault is not None:
                raise ValueError(f"damaged Blosc chunk, {fault}")
            decoded: Buffer = super().decode(buf, out)
            return decoded

    class SoundBloscCodec(BloscCodec):
        @cached_property
        def _blosc_codec(self) -> Blosc:
            plain = super()._blosc_codec
            return SoundBlosc(plain.cname, plain.clevel, plain.shuffle, plain.blocksize)

    of_format_2.register_codec(SoundBlosc, "blosc")
    of_format_3.register_codec("blosc", SoundBloscCodec, qualname="nusetd.SoundBloscCodec")
    zarr.config.set({"codecs.blosc": "nusetd.SoundBloscCodec"})
