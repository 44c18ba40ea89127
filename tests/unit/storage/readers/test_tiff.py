"""TIFF: what its metadata say, what is whole, what is refused, and how a file is told from a changed one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import images
from cases.stored import pixels

from storage.errors import IncompleteInputError, StorageError, UnreadableInputError
from storage.readers import open_acquisitions, probe
from storage.readers.axes import arranged
from storage.readers.image import channel_names
from storage.readers.length_units import micrometres, seconds
from storage.readers.tiff.chain import walk

DIALECTS = [images.ome_tiff, images.ome_tiff_compressed, images.imagej_tiff, images.tiff_with_axes]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (90.6, "nm", 0.0906), (2, "micron", 2.0), (0.001, "mm", 1.0), (1, "\\u00B5m", 1.0), (3, "µm", 3.0),
        (1, "pixel", None), (1, None, None), (0, "um", None), (-1, "um", 1.0), ("nan", "um", None), ("x", "um", None),
        (float("inf"), "um", None), (None, "um", None), (1, "reference frame", None),
    ],
)  # fmt: skip
def test_lengths_in_micrometres(value: object, unit: object, expected: float | None) -> None:
    assert micrometres(value, unit) == expected


def test_times_in_seconds() -> None:
    assert (seconds(2, "min"), seconds(250, "ms"), seconds(0, "s"), seconds(1, "frame")) == (120.0, 0.25, None, None)


def imagej(path: Path, **metadata: object) -> Path:
    tifffile.imwrite(path, pixels()[0, 0], imagej=True, resolution=(4, 2), metadata={"axes": "ZYX", **metadata})
    return path


@pytest.mark.parametrize(
    ("metadata", "voxel"),
    [
        ({"spacing": 2.0, "unit": "um"}, (2.0, 0.5, 0.25)),
        ({"spacing": 0.002, "unit": "mm"}, (2.0, 500.0, 250.0)),
        ({"spacing": 2.0, "unit": "pixel"}, None),
        ({"spacing": 2.0}, None),  # no unit: the numbers mean nothing
        ({"unit": "um"}, None),  # no slice distance, and a stack needs one
    ],
)
def test_imagej_voxel_sizes(tmp_path: Path, metadata: dict, voxel: tuple | None) -> None:
    (found,) = open_acquisitions(imagej(tmp_path / "a.tif", **metadata))
    assert found.voxel_size_um == voxel
    assert found.voxel_source == ("metadata" if voxel else "none")


def test_a_single_plane_needs_no_slice_distance(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels()[0, 0, 0], imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    (found,) = open_acquisitions(tmp_path / "a.tif")
    assert found.voxel_size_um == (0.5, 0.5, 0.25)


def test_print_resolution_is_no_voxel_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels()[0, 0, 0], resolution=(1, 1), resolutionunit="CENTIMETER")
    (found,) = open_acquisitions(tmp_path / "a.tif")
    assert (found.voxel_size_um, found.voxel_source) == (None, "none")


def test_colour_samples_are_channels(tmp_path: Path) -> None:
    colours = pixels(1, 1, 1, 20, 24, "uint8")[0, 0]
    colours = np.stack([colours, colours + 1, colours + 2], axis=-1)[0]
    for name, options in {"i.tif": {}, "s.tif": {"planarconfig": "separate"}}.items():
        data = colours if not options else np.moveaxis(colours, -1, 0)
        tifffile.imwrite(tmp_path / name, data, photometric="rgb", **options)
        (found,) = open_acquisitions(tmp_path / name)
        with found:
            assert found.channel_names == ("red", "green", "blue")
            for c in range(3):
                np.testing.assert_array_equal(found.plane(0, c, 0), colours[..., c])


def test_several_scenes_become_several_acquisitions(tmp_path: Path) -> None:
    first, second = pixels(1, 1, 3, 20, 24)[0, 0], pixels(1, 1, 2, 30, 24)[0, 0]
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        writer.write(first, metadata={"axes": "ZYX", "Name": "left"})
        writer.write(second, metadata={"axes": "ZYX", "Name": "right"})
    found = open_acquisitions(tmp_path / "a.ome.tif")
    assert [(one.name, one.source_path.name, one.size_y) for one in found] == [
        ("a_left", "a.ome.tif#0", 20),
        ("a_right", "a.ome.tif#1", 30),
    ]
    np.testing.assert_array_equal(found[1].plane(0, 0, 1), second[1])
    for one in found:
        one.close()


def test_an_ome_tiff_in_several_files_is_one_image_when_all_are_there(tmp_path: Path) -> None:
    array = pixels(3, 2, 4)
    path = images.ome_tiff_files(tmp_path, array)
    last = tmp_path / "embryo-2.ome.tif"
    found = open_acquisitions(tmp_path)
    assert {one.source_path for one in found} == {path}  # whichever file leads to it
    for one in found:
        with one:
            assert one.voxel_size_um == (2.0, 0.5, 0.25)
            np.testing.assert_array_equal(one.plane(2, 1, 3), array[2, 1, 3])
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2])
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0, 1))
    assert "embryo-2.ome.tif is not whole" in verdict.reason
    assert probe(last) == replace(verdict, others=tuple(sorted({path, *verdict.others} - {last})))
    last.unlink()
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0, 1))
    assert "embryo-2.ome.tif is not there" in verdict.reason


def test_a_pyramid_is_one_image(tmp_path: Path) -> None:
    full = pixels(1, 1, 3, 40, 48)[0, 0]
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        writer.write(full, subifds=1, metadata={"axes": "ZYX"})
        writer.write(full[:, ::2, ::2], subfiletype=1)
    (found,) = open_acquisitions(tmp_path / "a.ome.tif")
    assert (found.size_z, found.size_y) == (3, 40)


def test_channels_are_found_by_name_or_number(tmp_path: Path) -> None:
    (found,) = open_acquisitions(images.ome_tiff(tmp_path, pixels(c=2)))
    assert [found.channel(c) for c in (None, 1, "0", "DYE 1")] == [0, 1, 0, 1]
    with pytest.raises(StorageError, match=r"no channel 'DAPI'.*0 \(dye 0\), 1 \(dye 1\)"):
        found.channel("DAPI")
    with pytest.raises(StorageError, match="no channel 2"):
        found.channel(2)


def test_every_channel_has_a_name_of_its_own() -> None:
    assert channel_names((), 2, 1) == ("channel 0", "channel 1")
    assert channel_names(("DAPI", "DAPI", ""), 3, 1) == ("DAPI (0)", "DAPI (1)", "channel 2")
    assert channel_names(("a",), 3, 3) == ("a red", "a green", "a blue")


def test_unnamed_pages_are_slices_unless_told_otherwise(tmp_path: Path) -> None:
    path = images.plain_tiff(tmp_path, pixels(1, 1, 5))
    assert open_acquisitions(path)[0].size_z == 5
    (told,) = open_acquisitions(path, axes="TYX")
    assert (told.size_t, told.size_z) == (5, 1)
    with pytest.raises(UnreadableInputError, match="3 dimensions"):
        open_acquisitions(path, axes="TZYX")


def test_dimensions_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UnreadableInputError, match="which are not"):
        arranged("HZTYX", (2, 3, 4, 5, 6), 24, None, "a.tif")


def test_planes_beyond_4_gb_need_no_page_of_their_own(tmp_path: Path) -> None:
    """One page, then all planes in a row: how ImageJ writes what is too large for a chain of pages."""
    stack = pixels(1, 1, 6)[0, 0]
    tifffile.imwrite(tmp_path / "a.tif", stack, truncate=True)
    assert walk(tmp_path / "a.tif").pages == 1
    (found,) = open_acquisitions(tmp_path / "a.tif")
    with found:
        np.testing.assert_array_equal(found.plane(0, 0, 5), stack[5])
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(data[: len(data) - stack[0].nbytes])
    assert probe(tmp_path / "cut.tif").state == "incomplete"


@pytest.mark.parametrize("write", DIALECTS)
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_cut_file_is_never_complete(tmp_path: Path, write: images.Writer, tenths: int) -> None:
    path = write(tmp_path, pixels(c=2))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * tenths // 10])
    assert probe(path).state == "incomplete"
    with pytest.raises(IncompleteInputError, match="not a whole TIFF"):
        open_acquisitions(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"Dear reader, I am a letter.", "it is no TIFF, whatever its name says"),
        (b"II", "it is no TIFF"),
        (b"II*\0", "it breaks off"),
        (b"II*\0\0\0\0\0", "it has no page yet"),
        (b"II*\0\xff\xff\xff\x7f", "the index of a page lies behind its end"),
        (b"MM\0*\0\0\0\x08\0\0", "it breaks off"),
        (b"\x89PNG\r\n\x1a\n", "it is no TIFF"),
    ],
)
def test_what_is_no_tiff_is_one_clear_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    verdict = probe(path)
    assert verdict.state == "incomplete"
    assert says in verdict.reason
    assert verdict.reason.count("\n") == 0
    with pytest.raises(IncompleteInputError) as caught:
        open_acquisitions(path)
    assert str(path) in str(caught.value)


def with_tag(path: Path, page: int, tag: int, value: int) -> Path:
    """Overwrite the number in a tag of a page."""
    with tifffile.TiffFile(path) as tif:
        found = tif.pages[page].tags[tag]  # type: ignore[union-attr]
        where, size = found.valueoffset, {3: 2, 4: 4}[int(found.dtype)]
    with path.open("r+b") as file:
        file.seek(where)
        file.write(value.to_bytes(size, "little"))
    return path


@pytest.mark.parametrize("page", [0, 2])
@pytest.mark.parametrize("missing", [1, 100])
def test_an_uncompressed_page_that_is_short_of_bytes_is_not_whole(tmp_path: Path, page: int, missing: int) -> None:
    """The chain ends properly and every byte that it speaks of is there, but they are fewer than the pixels need."""
    path = images.plain_tiff(tmp_path, pixels(1, 1, 3))
    assert (walk(path).fault, walk(path).pages) == (None, 3)
    short = walk(with_tag(path, page, 279, 20 * 24 * 2 - missing))
    assert short.fault == f"a page of 960 bytes has only {960 - missing} of them (page {page + 1})"
    assert short.pages == page
    with pytest.raises(IncompleteInputError, match="has only"):
        open_acquisitions(path)


def test_a_compressed_page_may_be_shorter_than_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((20, 24), np.uint16), compression="zlib")
    assert walk(path).fault is None


def test_a_chain_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    path = images.plain_tiff(tmp_path, pixels(1, 1, 3))
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[2].offset
    with path.open("r+b") as file:
        file.seek(last)
        count = int.from_bytes(file.read(2), "little")
        file.seek(last + 2 + 12 * count)
        file.write(first.to_bytes(4, "little"))
    assert "circle" in probe(path).reason


def test_an_ome_tiff_of_which_planes_are_missing_is_growing(tmp_path: Path) -> None:
    full = tmp_path / "full.ome.tif"
    tifffile.imwrite(full, pixels(4, 1, 3)[:, 0], ome=True, metadata={"axes": "TZYX"})
    with tifffile.TiffFile(full) as tif:
        text = tif.ome_metadata
    path = tmp_path / "part.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in pixels(4, 1, 3)[:3, 0].reshape(-1, 20, 24)[:8]:
            writer.write(plane, description=text, contiguous=False, metadata=None)
            text = None
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0, 1))
    (found,) = open_acquisitions(path)
    with found:
        assert found.time_points == (0, 1)
        np.testing.assert_array_equal(found.plane(1, 0, 2), pixels(4, 1, 3)[1, 0, 2])
        with pytest.raises(StorageError, match="no time point 2: 0-1 are there"):
            found.plane(2, 0, 0)


def test_damaged_ome_xml_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels()[0, 0, 0], description="<OME xmlns='x'><Image></OME>", metadata=None)
    assert "OME-XML is damaged" in probe(path).reason


def test_appending_time_points_changes_no_old_fingerprint(tmp_path: Path) -> None:
    array = pixels(4, 2)
    with open_acquisitions(images.ome_tiff(tmp_path, array[:3]))[0] as found:
        before = [found.fingerprint(t) for t in range(3)]
    with open_acquisitions(images.ome_tiff(tmp_path, array))[0] as found:
        after = [found.fingerprint(t) for t in range(4)]
    assert after[:3] == before
    assert len(set(after)) == 4


def test_a_file_that_was_replaced_while_open_is_one_sentence(tmp_path: Path) -> None:
    path = images.ome_tiff_compressed(tmp_path, pixels(c=2, y=100, x=100))
    (found,) = open_acquisitions(path)
    with found:
        found.plane(0, 0, 0)
        os.truncate(path, 2000)
        with pytest.raises(StorageError, match="damaged or was replaced"):
            found.plane(2, 1, found.size_z - 1)


def test_a_member_of_another_size_is_named(tmp_path: Path) -> None:
    images.tiff_series(tmp_path, pixels(3))
    tifffile.imwrite(tmp_path / "embryo_t001.tif", pixels(y=30)[0, 0], imagej=True, metadata={"axes": "ZYX"})
    (found,) = open_acquisitions(tmp_path)
    with found:
        found.plane(0, 0, 0)
        with pytest.raises(StorageError, match=r"embryo_t001\.tif has the size"):
            found.plane(1, 0, 0)
        found.plane(2, 0, 0)


def test_a_series_counts_from_its_first_number(tmp_path: Path) -> None:
    images.tiff_series(tmp_path, pixels(4))
    (tmp_path / "embryo_t000.tif").unlink()
    (tmp_path / "embryo_t002.tif").unlink()
    (found,) = open_acquisitions(tmp_path)
    assert (found.first_number, found.time_points, found.size_t) == (1, (0, 2), 3)
    assert found.source_path == tmp_path / "embryo_t*.tif"
    found.close()


def test_files_with_several_time_points_are_no_series(tmp_path: Path) -> None:
    for i in (1, 2):
        tifffile.imwrite(tmp_path / f"pos_t{i}.tif", pixels(3)[:, 0, 0], imagej=True, metadata={"axes": "TYX"})
    found = open_acquisitions(tmp_path)
    assert [(one.name, one.size_t) for one in found] == [("pos_t1", 3), ("pos_t2", 3)]


@pytest.mark.parametrize("name", ["notes.txt", "noending"])
def test_an_ending_that_nobody_reads_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(UnreadableInputError, match="no ending that a reader knows"):
        open_acquisitions(tmp_path / name)
    assert probe(tmp_path / name).state == "incomplete"


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="does not exist"):
        open_acquisitions(tmp_path / "absent.tif")


@pytest.mark.parametrize("size", [(1, 2), (0, 1, 1), (1, -1, 1), (1, 1, float("nan"))])
def test_a_voxel_size_that_is_none_is_refused(tmp_path: Path, size: tuple) -> None:
    path = images.plain_tiff(tmp_path, pixels(1))
    with pytest.raises(StorageError, match="not three positive numbers"):
        open_acquisitions(path, voxel_size_um=size)


def test_a_folder_is_searched_without_what_is_not_meant(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    images.plain_tiff(tmp_path / "deep" / "er", pixels(1))
    images.ome_zarr_04(tmp_path / "deep", pixels(1))
    for name in (".hidden.tif", "half.tif.part", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = open_acquisitions(tmp_path)
    assert [(one.reader, one.name) for one in found] == [("ome-zarr", "embryo"), ("tiff", "embryo")]


REAL = Path(os.environ.get("NUSETD_DATA", Path(__file__).parents[5] / "shared" / "data"))


@pytest.mark.skipif(not (REAL / "volumes").is_dir(), reason=f"no real data in {REAL}")
def test_the_real_embryo_has_its_voxel_size() -> None:
    (found,) = open_acquisitions(REAL / "volumes" / "mouse_embryo_8cell.tif")
    assert (found.size_z, found.size_y, found.size_x) == (51, 120, 122)
    assert found.voxel_size_um == pytest.approx((1.75, 0.8, 0.8))
    assert found.voxel_source == "metadata"


@pytest.mark.skipif(not (REAL / "dsb2018_fluorescence").is_dir(), reason=f"no real data in {REAL}")
def test_a_folder_of_real_images_is_one_acquisition_each() -> None:
    folder = REAL / "dsb2018_fluorescence" / "images"
    found = open_acquisitions(sorted(folder.glob("0*.tif")))
    assert len(found) == len(list(folder.glob("0*.tif"))) > 10
    assert all((one.size_t, one.size_z, one.voxel_source) == (1, 1, "none") for one in found)


@pytest.mark.parametrize("contiguous", [True, False])
def test_pages_written_one_by_one_are_one_stack(tmp_path: Path, contiguous: bool) -> None:
    with tifffile.TiffWriter(tmp_path / "loop.tif") as file:
        for z in range(5):
            file.write(np.full((16, 24), z, np.uint16), contiguous=contiguous)
    (acquisition,) = open_acquisitions(tmp_path / "loop.tif")
    with acquisition:
        assert (acquisition.size_t, acquisition.size_c, acquisition.size_z) == (1, 1, 5)
        assert [int(acquisition.plane(0, 0, z).max()) for z in range(5)] == [0, 1, 2, 3, 4]


def test_pages_of_different_shapes_are_different_images(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as file:
        for edge in (16, 24):
            file.write(np.full((edge, edge), edge, np.uint16), contiguous=False)
    acquisitions = open_acquisitions(tmp_path / "mixed.tif")
    assert [(a.size_y, int(a.plane(0, 0, 0).max())) for a in acquisitions] == [(16, 16), (24, 24)]
    assert len({a.name for a in acquisitions}) == 2
    for acquisition in acquisitions:
        acquisition.close()
