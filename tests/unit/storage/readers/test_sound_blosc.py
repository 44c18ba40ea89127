"""Damaged Blosc chunks are an error, in both versions of OME-Zarr, and never the end of the process."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from cases.stored import pixels
from numcodecs import Blosc
from zarr.codecs import BloscCodec

from storage.errors import StorageError
from storage.readers import open_acquisitions
from storage.readers.zarr_images.sound_blosc import fault_of

CODECS = [("lz4", 1), ("zstd", 2), ("zlib", 0), ("blosclz", 1)]
DAMAGE = """
import random, sys
import numpy as np
from numcodecs import Blosc
from storage.readers.zarr_images.sound_blosc import fault_of
chance, values = random.Random(1), np.random.default_rng(1).integers(0, 50, 30_000).astype("u2")
names = ("lz4", "zstd", "zlib", "blosclz")
chunks = [Blosc(name, 5, shuffle).encode(values) for name in names for shuffle in (0, 1, 2)]
refused = 0
for _ in range(4000):
    chunk = bytearray(chance.choice(chunks))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(chance.choice((16, 64, len(chunk))))
        chunk[place : place + chance.choice((1, 4))] = chance.randbytes(chance.choice((0, 1, 4)))
    if fault_of(bytes(chunk)) is not None:
        refused += 1
        continue
    try:
        Blosc().decode(bytes(chunk))
    except (RuntimeError, ValueError, MemoryError):
        pass
print(refused)
"""


@pytest.mark.parametrize(("name", "shuffle"), CODECS)
@pytest.mark.parametrize("values", [np.zeros(0, "u2"), np.arange(5, dtype="u2"), np.arange(400_000) % 7, None])
def test_whole_chunks_are_sound(name: str, shuffle: int, values: np.ndarray | None) -> None:
    noise = np.frombuffer(random.Random(2).randbytes(70_000), np.uint8)
    assert fault_of(Blosc(name, 5, shuffle).encode(noise if values is None else values)) is None


def test_what_passes_can_be_decompressed_without_harm() -> None:
    done = subprocess.run([sys.executable, "-c", DAMAGE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 1000 < int(done.stdout) < 4000


@pytest.mark.parametrize("version", [2, 3])
def test_a_store_with_a_chunk_whose_header_lies_is_one_sentence(tmp_path: Path, version: int) -> None:
    path = store(tmp_path, version)
    (image,) = open_acquisitions(path)
    with image:
        np.testing.assert_array_equal(image.plane(0, 0, 1), PIXELS[0, 0, 1])
    chunks = [one for one in path.rglob("*") if one.is_file() and one.name[0].isdigit()]
    assert len(chunks) == 2
    for chunk in chunks:
        content = chunk.read_bytes()
        chunk.write_bytes(content[:12] + b"\xf0\xff\xff\x7f" + content[16:])
    with image, pytest.raises(StorageError, match="damaged Blosc chunk, its header does not fit its size"):
        image.plane(0, 0, 1)


def chunk_of(content: int, block: int, starts: tuple[int, ...], size: int) -> bytes:
    """A chunk of `size` bytes with this header and table."""
    header = struct.pack("<4B3I", 2, 1, 0, 2, content, block, size) + struct.pack(f"<{len(starts)}I", *starts)
    return header.ljust(size, b"\0")[:size]


@pytest.mark.parametrize(
    ("content", "block", "starts", "size", "sound"),
    [
        (20, 10, (24, 32), 40, True),
        (20, 10, (24, 36), 40, True),  # the last place at which the length of a block can stand
        (20, 10, (24, 37), 40, False),
        (20, 10, (24, 40), 40, False),
        (20, 10, (23, 32), 40, False),  # inside the table
        (20, 20, (20,), 24, True),
        (20, 20, (21,), 24, False),
        (20, 21, (20,), 40, False),  # a block larger than all of it
        (20, 0, (20,), 40, False),
        (21, 10, (28, 28, 28), 40, True),
        (21, 10, (24, 24), 24, False),  # three blocks, and room for two
        (0, 0, (), 16, True),
    ],
)
def test_blocks_must_begin_behind_the_table_and_before_the_end(
    content: int, block: int, starts: tuple[int, ...], size: int, sound: bool
) -> None:
    assert (fault_of(chunk_of(content, block, starts, size)) is None) is sound


def test_a_chunk_that_is_stored_as_it_is_has_exactly_its_content() -> None:
    for size, sound in ((35, False), (36, True), (37, False)):
        chunk = struct.pack("<4B3I", 2, 1, 2, 1, 20, 20, size).ljust(size, b"\0")
        assert (fault_of(chunk) is None) is sound
    assert fault_of(struct.pack("<4B3I", 2, 1, 0, 0, 0, 0, 16)) is not None, "items without a size"
    assert fault_of(b"\2\1\0\2") is not None


PIXELS = pixels(2, 1, 2, 40, 50)


def store(folder: Path, version: int) -> Path:
    """An OME-Zarr with Blosc chunks."""
    path = folder / "embryo.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=version)  # type: ignore[arg-type]
    axes = [
        {"name": letter, "type": kind}
        for letter, kind in zip("tczyx", ["time", "channel", *["space"] * 3], strict=True)
    ]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 2.0, 0.5, 0.5]}]
    told = {"multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]}
    group.attrs.update(told if version == 2 else {"ome": {"version": "0.5", **told}})
    codec = Blosc("lz4") if version == 2 else BloscCodec(cname="lz4", typesize=2)
    array = group.create_array("0", shape=PIXELS.shape, dtype=PIXELS.dtype, chunks=(1, 1, 2, 40, 50), compressors=codec)
    array[:] = PIXELS
    return path


def by_hand(content: int, block: int, *starts: int, body: int = 4, flags: int = 0) -> bytes:
    """A chunk of a header, a table of where its blocks start, and bytes behind it."""
    size = 16 + 4 * len(starts) + body
    return (
        struct.pack("<BBBBIII", 2, 1, flags, 1, content, block, size)
        + struct.pack(f"<{len(starts)}I", *starts)
        + bytes(body)
    )


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        (by_hand(0, 0, body=0), None),
        (by_hand(1, 1, body=0), "its table of blocks is longer than itself"),
        (by_hand(1, 1, 20), None),
        (by_hand(1, 0, 20), "its header gives an impossible size of blocks"),
        (by_hand(1, 2, 20), "its header gives an impossible size of blocks"),
        (by_hand(10, 4, 28, 28, 28), None),
        (by_hand(10, 4, 28, 27, 28), "its table of blocks points outside"),
        (by_hand(10, 4, 28, 28, 29), "its table of blocks points outside"),
        (by_hand(10, 4, 28, 28, body=0), "its table of blocks is longer than itself"),
        (by_hand(4, 4, flags=2), None),
        (by_hand(5, 4, flags=2), "its header does not fit its content"),
        (by_hand(1, 1, 20)[:-1], "its header does not fit its size"),
        (b"", "it is shorter than its header"),
    ],
)
def test_each_fault_of_a_header_is_told(chunk: bytes, said: str | None) -> None:
    assert fault_of(chunk) == said
