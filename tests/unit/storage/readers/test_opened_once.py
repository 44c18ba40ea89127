"""A source is walked once: what is looked at for one more time point does not grow with those before it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from cases import czi_file, images, mmstack_file, ndtiff_file, olympus_file
from cases.stored import pixels, row_of

from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.readers import open_acquisitions, probe, reopen
from storage.readers.micromanager import mmstack, ndtiff
from storage.readers.tiff import chain
from storage.readers.tiff.chain import is_whole
from storage.readers.zarr_images import omezarr
from storage.readers.zeiss import structure


def old(path: Path) -> Path:
    """A file that was written a while ago."""
    past = time.time() - 60
    os.utime(path, (past, past))
    return path


@pytest.fixture
def pages_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The offsets of the pages whose index was read."""
    read: list[int] = []
    original = chain._page

    def noted(file, size, layout, offset):  # type: ignore[no-untyped-def]
        read.append(offset)
        return original(file, size, layout, offset)

    monkeypatch.setattr(chain, "_page", noted)
    return read


@pytest.mark.parametrize("write", [images.ome_tiff, images.ome_tiff_compressed, images.tiff_with_axes])
def test_a_tiff_is_walked_once(tmp_path: Path, write: images.Writer, pages_read: list[int]) -> None:
    array = pixels(20, 1, 5)
    path = old(write(tmp_path, array))
    assert probe(path).state == "complete"
    first = len(pages_read)
    assert first == 100
    for t in range(20):
        (found,) = open_acquisitions(path)
        np.testing.assert_array_equal(found.plane(t, 0, 3), array[t, 0, 3])
        found.fingerprint(t)
    assert len(pages_read) == first + 100, "its own planes for each fingerprint, and nothing else"
    found.close()


def test_a_vendor_file_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[Path] = []
    original = structure.read
    monkeypatch.setattr(structure, "read", lambda path: walks.append(path) or original(path))
    path = old(czi_file.czi(tmp_path, pixels(4, 1, 3)))
    for t in range(4):
        assert probe(path).state == "complete"
        (found,) = open_acquisitions(path)
        found.plane(t, 0, 0)
    found.close()
    assert len(walks) == 2, "to see whether it is whole, and to open it"


@pytest.mark.parametrize("write", [olympus_file.oif, images.tiff_planes])
def test_of_an_image_with_a_file_for_each_plane_only_those_of_the_time_point_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: images.Writer
) -> None:
    array = pixels(6, 2, 3)
    path = write(tmp_path, array)
    (found,) = open_acquisitions(path)
    row = row_of(found)
    for folder in (tmp_path, *tmp_path.iterdir()):
        old(folder)
    reopen(row, 0)
    looked: list[Path] = []
    original = chain._ends
    monkeypatch.setattr(chain, "_ends", lambda path, *state: looked.append(path) or original(path, *state))
    for t in range(6):
        looked.clear()
        again = reopen(row, t)
        assert len(looked) == 2 * 3
        np.testing.assert_array_equal(again.plane(t, 1, 2), array[t, 1, 2])
        again.fingerprint(t)
    again.close()
    cut = looked[-1]
    cut.write_bytes(cut.read_bytes()[:50])
    assert not is_whole(cut)
    with pytest.raises(StorageError):
        reopen(row, 5).plane(5, 1, 2)


def test_of_an_image_with_a_file_for_each_time_point_only_that_of_the_time_point_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = pixels(6, 2, 3)
    path = images.ome_tiff_files(tmp_path, array)
    files = [old(file) for file in sorted(tmp_path.iterdir())]
    (found,) = open_acquisitions(path)
    row = row_of(found)
    asked: list[Path] = []
    original = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **how: (asked.append(self), original(self, **how))[1])
    for t in range(6):
        asked.clear()
        again = reopen(row, t)
        assert set(asked) <= {path, files[t], tmp_path}
        np.testing.assert_array_equal(again.plane(t, 1, 2), array[t, 1, 2])
    before = again.fingerprint(3)
    other = tmp_path / "other"
    other.mkdir()
    array[3] += 1
    images.ome_tiff_files(other, array)
    os.replace(other / files[3].name, files[3])
    again = reopen(row, 3)
    assert again.fingerprint(3) != before
    np.testing.assert_array_equal(again.plane(3, 1, 2), array[3, 1, 2])
    files[4].write_bytes(files[4].read_bytes()[:300])
    with pytest.raises(StorageError):
        reopen(row, 4)
    files[5].unlink()
    with pytest.raises(StorageError):
        reopen(row, 5)
    again.close()


@pytest.mark.parametrize("write", [images.ome_zarr_04, images.ome_zarr_05])
def test_a_whole_ome_zarr_is_opened_once_and_its_pixels_are_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: images.Writer
) -> None:
    array = pixels(4, 1, 3)
    path = write(tmp_path, array)
    for one in (path, *path.rglob("*")):
        old(one)
    (found,) = open_acquisitions(path)
    row, opened_groups = row_of(found), list[Path]()
    original = omezarr._group
    monkeypatch.setattr(omezarr, "_group", lambda path, inside: opened_groups.append(path) or original(path, inside))
    for t in range(4):
        np.testing.assert_array_equal(reopen(row, t).plane(t, 0, 2), array[t, 0, 2])
    assert not opened_groups
    before = reopen(row, 3).fingerprint(3)
    zarr.open_group(path, mode="r+")["0"][3] = 7  # type: ignore[index]
    again = reopen(row, 3)
    assert again.fingerprint(3) != before
    assert (again.plane(3, 0, 2) == 7).all()
    document = path / ("zarr.json" if write is images.ome_zarr_05 else ".zattrs")
    document.write_text("{}")
    with pytest.raises(StorageError):
        reopen(row, 3)


class Growing:
    """An OME-TIFF that declares its planes at once, and gets them one after the other."""

    def __init__(self, path: Path, array: np.ndarray) -> None:
        self.path, self._planes, self._written = path, array[:, 0].reshape(-1, *array.shape[-2:]), 0
        whole = path.with_name("whole.ome.tif")
        tifffile.imwrite(whole, array[:, 0], ome=True, metadata={"axes": "TZYX"})
        with tifffile.TiffFile(whole) as tif:
            self._text = tif.ome_metadata
        whole.unlink()

    def write(self, count: int) -> None:
        with tifffile.TiffWriter(self.path, append="force" if self._written else False) as writer:
            for plane in self._planes[self._written : self._written + count]:
                writer.write(plane, description=self._text, contiguous=False, metadata=None)
                self._text = None
        self._written += count


def opened(path: Path) -> Acquisition:
    (found,) = open_acquisitions(path)
    return found


def test_the_walk_goes_on_where_the_file_has_grown(tmp_path: Path, pages_read: list[int]) -> None:
    array = pixels(20, 1, 3)
    file = Growing(tmp_path / "a.ome.tif", array)
    file.write(30)
    assert probe(file.path).time_points_ready == tuple(range(10))
    opened(file.path)
    for t in range(10, 20):
        file.write(3)
        pages_read.clear()
        verdict = probe(file.path)
        found = opened(file.path)
        assert found.time_points[-1] == t
        np.testing.assert_array_equal(found.plane(t, 0, 2), array[t, 0, 2])
        assert len(set(pages_read)) <= 5, "the first, the last, and those that came"
    found.close()
    assert verdict.state == "complete"


def test_an_index_is_read_on_where_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = pixels(4, 1, 3)
    path = ndtiff_file.dataset(tmp_path / "run", array)
    whole = path.read_bytes()
    entries = ndtiff.read_index(path)
    sizes = [len(json.dumps(dict(one.axes))) for one in entries]
    read: list[int] = []
    original = ndtiff._entry
    monkeypatch.setattr(ndtiff, "_entry", lambda *parts: read.append(1) or original(*parts))
    other = tmp_path / "growing.index"
    first = len(whole) // len(entries) * 6
    assert len(whole) % len(entries) == 0, "all entries are as long as each other"
    assert len(set(sizes)) == 1
    for end in (first, first + first // 2, len(whole)):
        other.write_bytes(whole[:end])
        read.clear()
        assert ndtiff.read_index(other) == entries[: end * len(entries) // len(whole)]
    assert len(read) == 3, "those that came last"
    other.write_bytes(whole[: len(whole) // 2])
    assert ndtiff.read_index(other) == entries[: len(entries) // 2], "a shorter one is another one"


def test_metadata_of_planes_that_were_there_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ndtiff_file.dataset(tmp_path / "run", pixels(30, 1, 2))
    (found,) = ndtiff.open_ndtiff(path)
    assert len(found.time_stamps_s) == 30
    walks: list[object] = []
    sizes = ndtiff._Position.sizes.fget
    monkeypatch.setattr(ndtiff._Position, "sizes", property(lambda self: walks.append(self) or sizes(self)))
    read: list[object] = []
    original = ndtiff._metadata
    monkeypatch.setattr(ndtiff, "_metadata", lambda stacks, entry: read.append(entry) or original(stacks, entry))
    (again,) = ndtiff.open_ndtiff(path)
    assert again.time_stamps_s == found.time_stamps_s
    assert len(walks) < 10, "over all planes, whatever the number of time points"
    assert len(read) <= 2, "of the first two slices, whose distance is asked"


def test_another_file_at_the_path_is_walked_from_its_start(tmp_path: Path) -> None:
    first, second = pixels(4, 1, 3), pixels(6, 1, 3) + 7
    path = old(images.ome_tiff(tmp_path, first))
    with opened(path) as found:
        np.testing.assert_array_equal(found.plane(3, 0, 1), first[3, 0, 1])
    images.ome_tiff(tmp_path, second)
    with opened(path) as found:
        assert found.size_t == 6
        np.testing.assert_array_equal(found.plane(3, 0, 1), second[3, 0, 1])
    other = tmp_path / "other"
    other.mkdir()
    os.replace(images.ome_tiff(other, first), path)
    with opened(path) as found:
        assert found.size_t == 4
        np.testing.assert_array_equal(found.plane(3, 0, 1), first[3, 0, 1])


def test_pages_in_an_order_of_their_own_are_never_taken_for_later_ones(tmp_path: Path) -> None:
    """OME-XML that says of each page which plane it is: what grows is arranged anew."""
    array = pixels(3, 1, 2)
    order = [(t, z) for z in range(2) for t in range(3)]  # the pages: time is fastest, though z is declared to be
    data = "".join(f'<TiffData IFD="{i}" FirstT="{t}" FirstZ="{z}" PlaneCount="1"/>' for i, (t, z) in enumerate(order))
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeT="3" SizeC="1" SizeZ="2" SizeY="20" '
        f'SizeX="24"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
    )
    path = tmp_path / "a.ome.tif"
    for i, (t, z) in enumerate(order):
        with tifffile.TiffWriter(path, append="force" if i else False) as writer:
            writer.write(array[t, 0, z], description=None if i else text, contiguous=False, metadata=None)
        probe(path)
        if i >= 4:
            opened_now = open_acquisitions(path)
            opened_now[0].close()
    with opened(path) as found:
        for t, z in order:
            np.testing.assert_array_equal(found.plane(t, 0, z), array[t, 0, z])


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("separator", ["/", "."])
def test_time_points_of_an_ome_zarr_that_are_not_written_are_not_there(
    tmp_path: Path, zarr_format: int, separator: str
) -> None:
    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    axes = [{"name": letter, "type": "time" if letter == "t" else "space"} for letter in "tzyx"]
    scale = [{"type": "scale", "scale": [1.0, 2.0, 0.5, 0.5]}]
    said = {"multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]}
    group.attrs.update(said if zarr_format == 2 else {"ome": {"version": "0.5", **said}})
    encoding = {"name": "v2" if zarr_format == 2 else "default", "separator": separator}
    stored = group.create_array(
        "0", shape=(4, 3, 8, 8), chunks=(1, 1, 8, 8), dtype="uint16", fill_value=0, chunk_key_encoding=encoding
    )  # type: ignore[arg-type]
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", ())
    stored[0] = 1
    stored[1, 0] = 2  # the second is being written
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0,))
    assert "2 of the 4 time points" in verdict.reason
    first = opened(path).fingerprint(0)
    stored[1] = 2
    stored[2, 1] = 3  # the other slices are blank, and so never written
    assert probe(path).time_points_ready == (0, 1)
    stored[3] = 4
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready, verdict.doubtful) == ("growing", (0, 1, 3), (2,))
    assert verdict.is_all_there
    found = opened(path)
    assert found.fingerprint(0) == first
    assert len({found.fingerprint(t) for t in range(4)}) == 4


@pytest.fixture
def mmstack_pages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offsets of the pages of MMStacks whose index was read."""
    read: list[int] = []
    original = mmstack._page

    def noted(file, number, offset):  # type: ignore[no-untyped-def]
        read.append(offset)
        return original(file, number, offset)

    monkeypatch.setattr(mmstack, "_page", noted)
    return read


def test_an_mmstack_is_walked_on_where_it_has_grown(tmp_path: Path, mmstack_pages: list[int]) -> None:
    array, path = pixels(6, 1, 4), tmp_path / "a_MMStack.ome.tif"
    for t in range(1, 6):
        mmstack_file.stack(path, array[None, :t], closed=False, planned_t=6)
        mmstack_pages.clear()
        assert probe(path).time_points_ready == tuple(range(t))
        assert len(set(mmstack_pages)) <= 4 + 3, "the first, the last, those that came, and where the next will be"
        mmstack_pages.clear()
        found = opened(path)
        assert len(set(mmstack_pages)) <= 3
        np.testing.assert_array_equal(found.plane(t - 1, 0, 3), array[t - 1, 0, 3])
        found.close()
    mmstack_file.stack(path, array[None], planned_t=6)
    assert probe(path).state == "complete"
    found = opened(path)
    np.testing.assert_array_equal(found.plane(5, 0, 3), array[5, 0, 3])
    found.close()


def test_another_mmstack_at_the_same_place_is_walked_anew(tmp_path: Path) -> None:
    """One with other planes, and one that was begun again with the same."""
    array, path = pixels(4, 1, 2), tmp_path / "a_MMStack.ome.tif"
    mmstack_file.stack(path, array[None, :3], closed=False, planned_t=4)
    assert probe(path).time_points_ready == (0, 1, 2)
    mmstack_file.stack(path, array[None, :2], closed=False, planned_t=4)
    assert probe(path).time_points_ready == (0, 1)
    mmstack_file.stack(path, array[None, :3, :, :, :10], closed=False, planned_t=4)
    found = opened(path)
    assert (found.time_points, found.size_y) == ((0, 1, 2), 10)
    np.testing.assert_array_equal(found.plane(2, 0, 1), array[2, 0, 1, :10])
    found.close()


def test_a_plane_of_an_mmstack_has_its_place_when_its_metadata_have_come(tmp_path: Path) -> None:
    """They come behind its pixels; a place that was guessed without them is not kept."""
    array, path = pixels(2, 1, 3), tmp_path / "a_MMStack.ome.tif"
    mmstack_file.stack(path, array[None], closed=False)
    whole = path.read_bytes()
    start = whole.rindex(b'{"ChannelIndex"')
    path.write_bytes(whole[:start] + bytes(len(whole) - start))
    assert probe(path).time_points_ready == (0,)
    path.write_bytes(whole)
    assert probe(path).time_points_ready == (0, 1)
