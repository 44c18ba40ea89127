"""PNG and JPEG: kinds of pictures, previews beside images, and files that claim what they do not hold."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from cases.stored import pixels

from storage.errors import StorageError
from storage.readers import discover, open_acquisitions, owner, probe

GREY = np.add.outer(np.arange(16), 3 * np.arange(20)).astype(np.uint8)


def saved(path: Path, mode: str, **options: object) -> Path:
    """A picture of one of Pillow's modes, written by it, and by our reader read."""
    image = pytest.importorskip("PIL.Image")
    sixteen = image.fromarray(GREY.astype(np.uint16) * 256)
    picture = sixteen if mode == "I;16" else image.fromarray(GREY).convert(mode)
    picture.save(path, **options)
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(path: Path, width: int, height: int, pixels: bytes = b"") -> Path:
    """A PNG that says it has so many pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels or bytes(1000), 9))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("I;16", 1), ("LA", 1), ("P", 1), ("RGB", 3), ("RGBA", 3)])
def test_kinds_of_png(tmp_path: Path, mode: str, channels: int) -> None:
    """Opacity is no channel, and a table of greys is grey."""
    with open_acquisitions(saved(tmp_path / "a.png", mode))[0] as found:
        assert found.size_c == channels
        expected = GREY.astype(np.uint16) * 256 if mode == "I;16" else GREY
        for c in range(channels):
            np.testing.assert_array_equal(found.plane(0, c, 0), expected)


def test_a_table_of_colours_is_three_channels(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.fromarray(GREY).convert("P")
    picture.putpalette([value for i in range(256) for value in (i, 0, 255 - i)])
    picture.save(tmp_path / "a.png")
    with open_acquisitions(tmp_path / "a.png")[0] as found:
        assert found.channel_names == ("red", "green", "blue")
        np.testing.assert_array_equal(found.plane(0, 2, 0), 255 - GREY)


def test_a_mask_of_two_values_is_refused_at_once(tmp_path: Path) -> None:
    path = saved(tmp_path / "mask.png", "1")
    assert probe(path).state == "complete"  # there is nothing to wait for
    with pytest.raises(StorageError, match="mask of two values"):
        open_acquisitions(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30}])
def test_kinds_of_jpeg(tmp_path: Path, options: dict[str, object]) -> None:
    for mode, channels in (("L", 1), ("RGB", 3)):
        path = saved(tmp_path / f"{mode}.jpg", mode, **options)
        assert probe(path).state == "complete"
        with open_acquisitions(path)[0] as found:
            assert (found.reader, found.size_c) == ("jpeg", channels)
            assert np.abs(found.plane(0, 0, 0).astype(int) - GREY).max() < 25


def test_a_jpeg_in_colours_of_print_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", "CMYK")
    with pytest.raises(StorageError, match="4 samples of 8 bits"):
        open_acquisitions(path)


def test_a_picture_that_was_cut_or_changed_is_not_whole(tmp_path: Path) -> None:
    noise = pixels(1, 1, 1, 64, 64)[0, 0, 0].astype(np.uint8)
    for path, content in (
        (tmp_path / "a.png", imagecodecs.png_encode(noise)), (tmp_path / "a.jpg", imagecodecs.jpeg_encode(noise)),
    ):  # fmt: skip
        for end in (0, 3, 20, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:end])
            assert probe(path).state == "incomplete", (path, end)
        path.write_bytes(content)
        assert probe(path).state == "complete"
    damaged = bytearray((tmp_path / "a.png").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(damaged)
    assert "not those that were written" in probe(tmp_path / "a.png").reason


@pytest.mark.parametrize(("width", "height"), [(1 << 20, 1 << 20), (40_000, 40_000), (0, 5), (5000, 5000)])
def test_a_small_file_that_claims_many_pixels_is_refused(tmp_path: Path, width: int, height: int) -> None:
    path = claiming(tmp_path / "bomb.png", width, height)
    tracemalloc.start()
    assert probe(path).state == "incomplete"
    with pytest.raises(StorageError, match="claims"):
        open_acquisitions(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6


def test_zeros_that_are_all_there_are_refused_where_they_would_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "zeros.png"
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(40_001)) for _ in range(2000)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body * 20) + chunk(b"IEND", b""))
    assert "MiB that can only be decoded at once" in probe(path).reason


def test_a_preview_beside_an_image_is_not_another_image(tmp_path: Path) -> None:
    for name in ("a.tif", "b.ome.tif"):
        tifffile.imwrite(tmp_path / name, GREY)
    for name in ("a.png", "b.jpg", "c.png"):
        saved(tmp_path / name, "L")
    assert [path.name for path in discover(tmp_path)] == ["a.tif", "b.ome.tif", "c.png"]
    assert owner(tmp_path / "a.png") == tmp_path / "a.tif"
    assert discover(tmp_path / "a.png") == [tmp_path / "a.png"]  # who names it, means it


def test_members_of_a_series_are_of_one_size(tmp_path: Path) -> None:
    for t in range(3):
        (tmp_path / f"a_t{t}.png").write_bytes(imagecodecs.png_encode(GREY[: 16 - (t == 2)]))
    (found,) = open_acquisitions(tmp_path)
    with found:
        assert (found.reader, found.size_t) == ("png-sequence", 3)
        found.plane(1, 0, 0)
        with pytest.raises(StorageError, match="the others of its series"):
            found.plane(2, 0, 0)
