"""What OME-XML declares, compared with the pages that are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import ome_file

from storage.acquisition import Acquisition
from storage.errors import UnsupportedInputError
from storage.readers import open_acquisitions, probe


def planes(count: int) -> np.ndarray:
    """An array (T, C, Z, Y, X) of slices that hold their own number."""
    numbers = 10 * (1 + np.arange(count, dtype=np.uint16))
    return np.broadcast_to(numbers.reshape(1, 1, count, 1, 1), (1, 1, count, 16, 24)).copy()


def opened(path: Path) -> Acquisition:
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    return found


def values(image: Acquisition) -> list[int]:
    with image:
        return [
            int(image.plane(t, c, z)[0, 0])
            for t in image.time_points
            for c in range(image.size_c)
            for z in range(image.size_z)
        ]


def refusal(path: Path) -> str:
    """The sentence with which a file is refused; it is whole, and so nothing is waited for."""
    assert probe(path).state == "complete"
    with pytest.raises(UnsupportedInputError) as caught:
        open_acquisitions(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_channels_without_page_numbers_are_not_slices(tmp_path: Path) -> None:
    text = ome_file.document(planes(6), "XYCZT", '<Channel Name="DAPI" SamplesPerPixel="1"/>', sizes={"C": 2, "Z": 3})
    found = opened(ome_file.write(tmp_path / "a.ome.tif", planes(6)[0, 0], text))
    assert (found.size_t, found.size_c, found.size_z) == (1, 2, 3)
    assert values(found) == [10, 30, 50, 20, 40, 60]
    assert found.channel_names == ("DAPI", "channel 1")
    assert found.doubts == ()


@pytest.mark.parametrize("inside", ["", "<TiffData/>", '<TiffData IFD="0" PlaneCount="3"/>'])
def test_surplus_pages_are_said(tmp_path: Path, inside: str) -> None:
    text = ome_file.document(planes(6), "XYZCT", inside, sizes={"Z": 3})
    path = ome_file.write(tmp_path / "a.ome.tif", planes(6)[0, 0], text)
    found = opened(path)
    assert values(found) == [10, 20, 30]
    assert found.doubts == (f"{path} has 6 pages, but its OME-XML speaks of 3: the others are left out.",)


def test_wrong_page_numbers_are_said(tmp_path: Path) -> None:
    inside = ome_file.tiff_data([(0, 0, z) for z in range(4)], shift=1)
    found = opened(
        ome_file.write(tmp_path / "a.ome.tif", planes(4)[0, 0], ome_file.document(planes(4), "XYZCT", inside))
    )
    assert values(found) == [10, 20, 30, 40]
    assert "pages are taken in their order" in found.doubts[0]


def test_wrong_page_numbers_of_surplus_pages_are_refused(tmp_path: Path) -> None:
    inside = ome_file.tiff_data([(0, 0, z) for z in range(3)], shift=4)
    text = ome_file.document(planes(6), "XYZCT", inside, sizes={"Z": 3})
    path = ome_file.write(tmp_path / "a.ome.tif", planes(6)[0, 0], text)
    assert "declares 3 planes, but has 6 pages" in refusal(path)


@pytest.mark.parametrize("sizes", [{"Y": 17}, {"X": 12}])
def test_planes_of_another_size_are_another_image(tmp_path: Path, sizes: dict) -> None:
    path = ome_file.write(tmp_path / "a.ome.tif", planes(3)[0, 0], ome_file.document(planes(3), "XYZCT", "", sizes))
    assert "its pages have 16 x 24" in refusal(path)


def test_a_time_point_of_which_a_plane_is_named_by_nobody_is_not_there(tmp_path: Path) -> None:
    inside = ome_file.tiff_data([(0, 0, 0), (0, 0, 1), (2, 0, 0), (2, 0, 1), (1, 0, 1)])
    text = ome_file.document(planes(6), "XYZCT", inside, sizes={"T": 3, "Z": 2})
    path = ome_file.write(tmp_path / "a.ome.tif", planes(5)[0, 0], text)
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0, 2))
    (found,) = open_acquisitions(path)
    assert found.time_points == (0, 2)
    assert values(found) == [10, 20, 30, 40]


def test_times_of_planes_give_the_interval(tmp_path: Path) -> None:
    stamps = "".join(f'<Plane TheT="{t}" TheC="0" TheZ="0" DeltaT="{0.5 * t}" DeltaTUnit="min"/>' for t in range(4))
    text = ome_file.document(planes(4), "XYZTC", f"<TiffData/>{stamps}", sizes={"T": 4, "Z": 1})
    found = opened(ome_file.write(tmp_path / "a.ome.tif", planes(4)[0, 0], text))
    assert (found.frame_interval_s, found.origins.frame_interval) == (30.0, "measured")
    assert found.time_stamps_s == (0.0, 30.0, 60.0, 90.0)


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1"])
@pytest.mark.parametrize("written", ["utf-8", "latin-1"])
def test_the_encoding_of_a_description_hides_no_unit(tmp_path: Path, encoding: str, written: str) -> None:
    text = ome_file.document(planes(3), "XYZCT", unit="µm", encoding=encoding).encode(written)
    found = opened(ome_file.write(tmp_path / "a.ome.tif", planes(3)[0, 0], text))
    assert found.voxel_size_um == (2.0, 0.5, 0.25)


@pytest.mark.parametrize(("axis", "kind"), [("T", "lifetime"), ("C", "lifetime"), ("Z", "angle"), ("Z", "phase")])
def test_axes_behind_axes_are_refused(tmp_path: Path, axis: str, kind: str) -> None:
    text = ome_file.document(planes(4), "XYZCT").replace(
        "</OME>",
        f'<StructuredAnnotations><ModuloAlong{axis} Type="{kind}" Start="0" End="1"/></StructuredAnnotations></OME>',
    )
    path = ome_file.write(tmp_path / "a.ome.tif", planes(4)[0, 0], text)
    assert f"its axis {axis} runs over {kind} as well" in refusal(path)


def _set(folder: Path, names: list[str], uuids: bool = True) -> list[Path]:
    """A file for each time point of two slices, each of which describes all; written under other names."""
    array, paths = planes(2 * len(names)), []
    data = "".join(
        ome_file.tiff_data(
            [(t, 0, 0), (t, 0, 1)],
            uuid=f'<UUID FileName="former_{t}.ome.tif">{f"urn:uuid:{t}" if uuids else ""}</UUID>',
        )
        for t in range(len(names))
    )
    for t, name in enumerate(names):
        text = ome_file.document(array, "XYZCT", data, sizes={"T": len(names), "Z": 2}, own=f"urn:uuid:{t}")
        paths.append(ome_file.write(folder / name, array[0, 0, 2 * t : 2 * t + 2], text))
    return paths


def test_a_renamed_set_is_a_series_by_its_names(tmp_path: Path) -> None:
    _set(tmp_path, ["day_t0.ome.tif", "day_t1.ome.tif", "day_t2.ome.tif"])
    (found,) = open_acquisitions(tmp_path)
    assert (found.reader, found.time_points, found.size_z) == ("tiff-sequence", (0, 1, 2), 2)
    assert values(found) == [10, 20, 30, 40, 50, 60]


def test_of_a_renamed_set_each_file_gives_its_own_planes(tmp_path: Path) -> None:
    paths = _set(tmp_path, ["left.ome.tif", "right.ome.tif"])
    for path, expected in zip(paths, [[10, 20], [30, 40]], strict=True):
        found = opened(path)
        assert (found.size_t, found.size_z) == (1, 2)
        assert values(found) == expected
        assert "was renamed" in found.doubts[0]


def test_a_renamed_file_that_does_not_know_itself_is_refused(tmp_path: Path) -> None:
    path, _ = _set(tmp_path, ["left.ome.tif", "right.ome.tif"], uuids=False)
    assert "does not say which of them it was" in refusal(path)


def test_a_companion_beside_a_file_describes_it(tmp_path: Path) -> None:
    array, binary = (
        planes(6),
        '<OME UUID="urn:uuid:1"><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:2"/></OME>',
    )
    path = ome_file.write(tmp_path / "a.ome.tif", array[0, 0], binary)
    verdict = probe(path)
    assert (verdict.state, verdict.others) == ("incomplete", (tmp_path / "a.companion.ome",)), "it may still come"
    assert "its description is in a.companion.ome, which is not beside it" in verdict.reason
    places = [(0, c, z) for z in range(3) for c in range(2)]
    data = ome_file.tiff_data(places, uuid='<UUID FileName="a.ome.tif">urn:uuid:1</UUID>')
    text = ome_file.document(array, "XYCZT", data, sizes={"C": 2, "Z": 3})
    (tmp_path / "a.companion.ome").write_text(text, encoding="utf-8")
    assert values(opened(path)) == [10, 30, 50, 20, 40, 60]
    found = opened(tmp_path / "a.companion.ome")
    assert (found.source_path, values(found)) == (path, [10, 30, 50, 20, 40, 60])


def test_a_reduced_page_is_no_image(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((4, 6), np.uint16), subfiletype=1, metadata=None)
        for plane in planes(3)[0, 0]:
            writer.write(plane, metadata=None, contiguous=False)
    found = opened(tmp_path / "a.tif")
    assert (found.name, found.size_z) == ("a", 3)
    assert values(found) == [10, 20, 30]
