"""The walk along the pages of a TIFF: every layout, what it remembers, and when that is forgotten."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.stored import pixels

from storage.readers.tiff import chain
from storage.readers.tiff.chain import BrokenChainError, is_whole, runs_of_pixels, walk, walked

PLANES = pixels(1, 1, 3)[0, 0]
PAGE_BYTES = PLANES[0].nbytes


def pages(path: Path, count: int = 3, **options: object) -> Path:
    """A TIFF with a page for each plane."""
    with tifffile.TiffWriter(path, **options) as writer:  # type: ignore[arg-type]
        for plane in PLANES[:count]:
            writer.write(plane, contiguous=False, metadata=None)
    return path


def old(path: Path, seconds: float = 60.0) -> Path:
    """Left alone for a while."""
    past = time.time() - seconds
    os.utime(path, (past, past))
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_every_layout_is_walked_to_its_end(tmp_path: Path, order: str, big: bool) -> None:
    path = pages(tmp_path / "a.tif", byteorder=order, bigtiff=big)
    found = walk(path)
    assert (found.fault, found.pages) == (None, 3)
    assert (found.page_bytes, found.page_pixels) == (PAGE_BYTES, 20 * 24)
    assert found.file_bytes == path.stat().st_size
    with tifffile.TiffFile(path) as tif:
        assert found.data_offset == tif.pages[0].dataoffsets[0]  # type: ignore[union-attr]
        assert list(walked(path).offsets) == [page.offset for page in tif.pages]


@pytest.mark.parametrize("big", [False, True])
def test_a_file_that_ends_anywhere_is_not_whole(tmp_path: Path, big: bool) -> None:
    content = pages(tmp_path / "a.tif", bigtiff=big).read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        spans = [(page.offset, page.dataoffsets[0]) for page in tif.pages]  # type: ignore[union-attr]
    for size in {
        cut for offset, data in spans for cut in (offset, offset + 1, offset + 9, data, data + PAGE_BYTES - 1)
    }:
        path = tmp_path / f"{size}.tif"
        path.write_bytes(content[:size])
        assert walk(path).fault is not None, size
        assert not is_whole(path)


def test_reduced_copies_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(PLANES[0], metadata=None)
        writer.write(PLANES[0, ::2, ::2], subfiletype=1, metadata=None)
    assert walk(tmp_path / "a.tif").pages == 1
    assert len(walked(tmp_path / "a.tif").offsets) == 2


def test_what_was_at_rest_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old(pages(tmp_path / "a.tif"))
    first = walked(path)
    monkeypatch.setattr(chain, "_page", lambda *given: pytest.fail("it was read again"))
    assert walked(path) is first


def test_what_was_written_just_now_may_change_without_a_trace_and_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes within the grain of the clock have one time of change."""
    path = pages(tmp_path / "a.tif")
    walked(path)
    status = path.stat()
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        second, last = (tif.pages[i].offset for i in (1, 2))
    content[last] = 0  # no tag is left in its index
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = walked(path)
    assert found.chain.fault is not None
    assert list(found.offsets)[1:] == [second]


def test_notes_live_as_long_as_the_file_only_grows(tmp_path: Path) -> None:
    path = old(pages(tmp_path / "a.tif", 2))
    walked(path).notes["seen"] = True
    with tifffile.TiffWriter(path, append="force") as writer:
        writer.write(PLANES[2], contiguous=False, metadata=None)
    grown = walked(path)
    assert grown.notes == {"seen": True}
    assert grown.chain.pages == len(grown.offsets) == 3
    other = pages(tmp_path / "b.tif", 3)
    os.replace(other, path)
    assert walked(path).notes == {}
    assert walked(path).chain.pages == 3


@pytest.mark.parametrize("shorter", [True, False])
def test_another_image_in_the_same_file_is_walked_anew(tmp_path: Path, shorter: bool) -> None:
    path = old(pages(tmp_path / "a.tif", 2))
    walked(path).notes["seen"] = True
    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
        for plane in PLANES[: 1 if shorter else 3]:
            writer.write(plane[:, :20] if shorter else np.tile(plane, (2, 1)), contiguous=False, metadata=None)
    path.write_bytes((tmp_path / "b.tif").read_bytes())
    found = walked(path)
    assert found.notes == {}
    assert found.chain == walk(tmp_path / "b.tif")


def test_pixels_of_a_page_are_told_in_as_few_runs_as_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANES[0], rowsperstrip=5, metadata=None)
    walk_of_it = walked(path)
    assert walk_of_it.form is not None
    ((start, size),) = runs_of_pixels(path, walk_of_it.form, walk_of_it.offsets[0])
    assert (start, size) == (walk_of_it.chain.data_offset, PAGE_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        assert file.read(size) == PLANES[0].tobytes()
    tiled = tmp_path / "tiled.tif"
    tifffile.imwrite(tiled, np.zeros((64, 64), np.uint8), tile=(16, 16), compression="zlib", metadata=None)
    form = walked(tiled).form
    assert form is not None
    with tifffile.TiffFile(tiled) as tif:
        page = tif.pages[0]
        expected = list(zip(page.dataoffsets, page.databytecounts, strict=True))  # type: ignore[union-attr]
    runs = runs_of_pixels(tiled, form, walked(tiled).offsets[0])
    assert sum(size for _, size in runs) == sum(size for _, size in expected)
    covered = {byte for start, size in runs for byte in range(start, start + size)}
    assert covered == {byte for start, size in expected for byte in range(start, start + size)}


def test_what_cannot_be_opened_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path / "absent.tif")
    (tmp_path / "folder.tif").mkdir()
    assert not is_whole(tmp_path / "folder.tif")
    assert is_whole(pages(tmp_path / "a.tif"))


def test_only_so_many_walks_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_WALKS_KEPT", 2)
    first, second, third = (old(pages(tmp_path / f"{i}.tif", 1)) for i in range(3))
    kept = walked(first)
    walked(second)
    assert walked(first) is kept
    walked(third)
    assert walked(first) is kept, "the one that was asked for longest ago goes"
    assert set(chain._walks) == {first, third}


def rewritten(path: Path, tag: int, code: int | None = None, value: int | None = None, page: int = -1) -> Path:
    """Give a tag of a page of a classic little-endian TIFF another code or value."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        start = list(tif.pages)[page].offset + 2
    count = struct.unpack_from("<H", content, start - 2)[0]
    entry = next(i for i in range(count) if struct.unpack_from("<H", content, start + 12 * i)[0] == tag)
    if code is not None:
        struct.pack_into("<H", content, start + 12 * entry, code)
    if value is not None:
        struct.pack_into("<I", content, start + 12 * entry + 8, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("tag", [273, 279, 256, 257])
def test_a_page_whose_pixels_are_not_told_yet_has_none(tmp_path: Path, tag: int) -> None:
    """Without a place, a count, rows or columns: its writer has not come so far."""
    path = rewritten(pages(tmp_path / "a.tif"), tag, code=65000)
    found = walked(path)
    assert found.chain.fault == "a page has no pixels yet (page 3)"
    assert (found.chain.pages, len(found.offsets)) == (2, 2)


@pytest.mark.parametrize(("tag", "value"), [(273, 0), (279, 0)])
def test_a_page_whose_pixels_are_nowhere_yet_has_none(tmp_path: Path, tag: int, value: int) -> None:
    """Place 0 is the header, and of no bytes nothing is there."""
    path = rewritten(pages(tmp_path / "a.tif"), tag, value=value)
    assert walk(path).fault == "a page has no pixels yet (page 3)"


@pytest.mark.parametrize("less", [0, 1])
def test_an_uncompressed_page_has_as_many_bytes_as_pixels(tmp_path: Path, less: int) -> None:
    path = rewritten(pages(tmp_path / "a.tif"), 279, value=PAGE_BYTES - less)
    expected = None if not less else f"a page of {PAGE_BYTES} bytes has only {PAGE_BYTES - 1} of them (page 3)"
    assert walk(path).fault == expected


@pytest.mark.parametrize("beyond", [0, 1])
def test_pixels_end_where_the_file_does_or_before(tmp_path: Path, beyond: int) -> None:
    path = pages(tmp_path / "a.tif")
    size = path.stat().st_size
    rewritten(path, 273, value=size - PAGE_BYTES + beyond)
    said = f"it breaks off: pixels up to byte {size + 1} are missing, it has {size} (page 3)"
    assert walk(path).fault == (said if beyond else None)


@pytest.mark.parametrize("page", [0, 1])
def test_a_page_that_was_written_over_while_its_file_grew_is_walked_anew(tmp_path: Path, page: int) -> None:
    """The first and the last one tell whether the file is the same: by all of their index, to its last tag."""
    path = old(pages(tmp_path / "a.tif", 2))
    walked(path).notes["seen"] = True
    rewritten(path, 305, code=65001, page=page)  # the last of its tags: the writer's name
    with tifffile.TiffWriter(path, append="force") as writer:
        writer.write(PLANES[2], contiguous=False, metadata=None)
    found = walked(path)
    assert found.notes == {}
    assert found.chain.pages == len(found.offsets) == 3


def test_the_chain_may_not_run_in_a_circle(tmp_path: Path) -> None:
    path = pages(tmp_path / "a.tif")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[2].offset
    count = struct.unpack_from("<H", content, last)[0]
    struct.pack_into("<I", content, last + 2 + 12 * count, first)
    path.write_bytes(content)
    assert walk(path).fault == "its chain of pages runs in a circle after page 3"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty (0 bytes)"),
        (b"II", "it is no TIFF, whatever its name says (it begins with b'II')"),
        (b"II*\0" + bytes(4), "it has no page yet"),
        (b"XX*\0abcdefgh", "it is no TIFF, whatever its name says (it begins with b'XX*\\x00abcd')"),
        (b"MM*\0efghij", "it is no TIFF, whatever its name says (it begins with b'MM*\\x00efgh')"),
        (b"II*\0\x08", "it breaks off inside its index"),
        (b"II+\0\x08\0\0\0" + bytes(4), "it breaks off inside its index"),
    ],
)
def test_what_has_no_page_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    found = walk(path)
    assert (found.fault, found.pages, found.file_bytes) == (said, 0, len(content))


def by_hand(path: Path, count: int, pixel: int, lsm: int = 0) -> Path:
    """Pages of 4 x 4 pixels, all of which lie right behind the header, in front of the indices.

    With `lsm`, so many bytes say what an LSM is.
    """
    tags = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 4, 1, 8), (259, 4, 1, 1), (273, 4, 1, 8), (277, 4, 1, 1)]
    tags += [(279, 4, 1, 16), *([(34412, 1, lsm, 24)] if lsm else [])]
    content = struct.pack("<2sHI", b"II", 42, 24 + lsm) + bytes([pixel]) * 16 + b"L" * lsm
    for page in range(count):
        content += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        content += struct.pack("<I", len(content) + 4 if page < count - 1 else 0)
    path.write_bytes(content)
    return path


def test_pixels_that_are_written_over_leave_the_pages_where_they_are(tmp_path: Path) -> None:
    """They are another content, which fingerprints tell; a walk along many pages does not begin anew for them."""
    path = old(by_hand(tmp_path / "a.tif", 2, 1))
    assert walked(path).chain.pages == 2
    walked(path).notes["seen"] = True
    grown = walked(by_hand(path, 3, 2))
    assert (grown.chain.fault, grown.chain.pages, grown.notes) == (None, 3, {"seen": True})


def test_pixels_of_a_page_that_was_cut_are_nowhere(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "a.tif", 2, 1)
    found = walked(path)
    assert found.form is not None
    assert runs_of_pixels(path, found.form, found.offsets[1]) == [(8, 16)]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BrokenChainError):
        runs_of_pixels(path, found.form, found.offsets[1])


@pytest.mark.parametrize("left", [0, 1, 2, 3, 50, 78, 85, 86, 89])
def test_an_index_that_is_cut_anywhere_is_not_whole(tmp_path: Path, left: int) -> None:
    """Also where what is left of it, of 90 bytes, could be read as the end of the chain."""
    path = by_hand(tmp_path / "a.tif", 2, 1)
    path.write_bytes(path.read_bytes()[: left - 90])
    said = "it breaks off inside the index of a page" if left > 1 else "it breaks off: the index of a page lies behind"
    assert (walk(path).fault or "").startswith(said)


def test_a_page_that_says_less_of_its_pixels_than_it_did_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    """It was whole when it was walked, and is being written over: another content."""
    path = by_hand(tmp_path / "a.tif", 1, 1)
    found = walked(path)
    assert found.form is not None
    content = bytearray(path.read_bytes())
    count = content.rindex(struct.pack("<HHI", 279, 4, 1))
    struct.pack_into("<II", content, count + 4, 2, 8)  # two counts, which lie where the pixels do
    path.write_bytes(content)
    assert runs_of_pixels(path, found.form, found.offsets[0]) == [(8, 0x01010101)]


@pytest.mark.parametrize("count", [30, 512, 700])
def test_of_what_an_lsm_says_as_much_is_read_as_is_looked_at(tmp_path: Path, count: int) -> None:
    assert walk(by_hand(tmp_path / "a.lsm", 1, 1, count)).lsm == b"L" * min(count, 512)


@pytest.mark.parametrize(("size", "said"), [(2, None), (1, "a page of 2 bytes has only 1 of them (page 1)")])
def test_pixels_of_a_page_that_does_not_tell_are_of_one_bit(tmp_path: Path, size: int, said: str | None) -> None:
    path = rewritten(rewritten(by_hand(tmp_path / "a.tif", 1, 1), 258, code=65000), 279, value=size)
    assert walk(path).fault == said
