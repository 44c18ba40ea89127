"""Several scenes, positions and series in a file are several acquisitions; what is not there yet is said."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from cases import czi_file, images, leica_file, lsm_file, mmstack_file, ndtiff_file, nikon_file, oir_file, olympus_file
from cases.stored import pixels

from storage.acquisition import Acquisition
from storage.readers import companions, open_acquisitions, probe
from storage.readers.completion import Completion

ARRAY = pixels(3, 2, 4, 12, 16)
TWO = np.stack([ARRAY, ARRAY + 1])


def check(found: list[Acquisition], *arrays: np.ndarray) -> None:
    """Each acquisition holds its array, under a name and a source of its own."""
    assert len(found) == len({one.name for one in found}) == len({one.source_path for one in found}) == len(arrays)
    for one, array in zip(found, arrays, strict=True):
        with one:
            assert (one.size_t, one.size_c, one.size_z, one.size_y, one.size_x) == array.shape
            for place in [(0, 0, 0), (array.shape[0] - 1, array.shape[1] - 1, array.shape[2] - 1)]:
                np.testing.assert_array_equal(one.plane(*place), array[place])


def test_scenes_of_a_czi(tmp_path: Path) -> None:
    tiles = [
        czi_file.Tile(TWO[s, t, c, z], {"S": s, "T": t, "C": c, "Z": z, "X": 1000 * s, "Y": -5})
        for s, t, c, z in np.ndindex(TWO.shape[:4])
    ]
    xml = czi_file.metadata(ARRAY.shape, scenes=("left", "right"))
    found = open_acquisitions(czi_file.write(tmp_path / "a.czi", tiles, xml, []))
    check(found, *TWO)
    assert [one.name for one in found] == ["a_left", "a_right"]


def test_tiles_of_a_czi_are_put_together(tmp_path: Path) -> None:
    whole = pixels(1, 1, 1, 20, 30)[0, 0, 0]
    tiles = [
        czi_file.Tile(
            np.ascontiguousarray(whole[y : y + 10, x : x + 15]), {"T": 0, "C": 0, "Z": 0, "M": m, "X": x, "Y": y}
        )
        for m, (y, x) in enumerate([(0, 0), (0, 15), (10, 0), (10, 15)])
    ]
    check(
        open_acquisitions(czi_file.write(tmp_path / "a.czi", tiles, czi_file.metadata((1, 1, 1)), [])),
        whole[None, None, None],
    )


def test_colours_of_a_czi_are_channels(tmp_path: Path) -> None:
    colours = np.stack([pixels(1, 1, 1, 9, 7, "uint8")[0, 0, 0] + i for i in range(3)], axis=-1)
    tiles = [czi_file.Tile(colours, {"T": 0, "C": 0, "Z": 0})]
    (found,) = open_acquisitions(czi_file.write(tmp_path / "a.czi", tiles, czi_file.metadata((1, 1, 1)), []))
    with found:
        assert found.channel_names == ("dye 0 red", "dye 0 green", "dye 0 blue")
        for c in range(3):
            np.testing.assert_array_equal(found.plane(0, c, 0), colours[..., c])


def test_images_of_a_lif(tmp_path: Path) -> None:
    other = pixels(1, 1, 2, 9, 7)
    found = open_acquisitions(leica_file.project(tmp_path / "a.lif", {"one": ARRAY, "two": other}))
    check(found, ARRAY, other)
    assert [one.name for one in found] == ["a_one", "a_two"]


def test_positions_of_an_nd2(tmp_path: Path) -> None:
    found = open_acquisitions(nikon_file.experiment(tmp_path / "a.nd2", TWO))
    check(found, *TWO)
    assert [one.name for one in found] == ["a_well 0", "a_well 1"]


def test_positions_of_an_lsm(tmp_path: Path) -> None:
    check(open_acquisitions(lsm_file.positions(tmp_path / "a.lsm", TWO)), *TWO)


def test_positions_of_an_ndtiff(tmp_path: Path) -> None:
    check(open_acquisitions(ndtiff_file.dataset(tmp_path / "run", ARRAY, positions=2, per_file=7)), *TWO)


def test_positions_of_an_mmstack(tmp_path: Path) -> None:
    check(open_acquisitions(mmstack_file.stack(tmp_path / "a_MMStack.ome.tif", TWO, per_file=7)), *TWO)


def growing(path: Path, ready: tuple[int, ...]) -> Completion:
    """A verdict of growing; what is ready can be read."""
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", ready)
    assert verdict.planes_ready is not None
    assert verdict.planes_declared is None or verdict.planes_ready <= verdict.planes_declared
    (found,) = open_acquisitions(path)
    with found:
        assert found.time_points == ready
        for t in ready:
            np.testing.assert_array_equal(found.plane(t, 1, 3), ARRAY[t, 1, 3])
    return verdict


def test_an_ndtiff_that_is_still_written_is_growing(tmp_path: Path) -> None:
    path = ndtiff_file.dataset(tmp_path / "run", ARRAY, closed=False)
    assert "has not closed it" in growing(path, (0, 1, 2)).reason


def test_an_ndtiff_grows_without_new_fingerprints(tmp_path: Path) -> None:
    with open_acquisitions(ndtiff_file.dataset(tmp_path / "run", ARRAY[:2], closed=False))[0] as found:
        before = [found.fingerprint(t) for t in (0, 1)]
    with open_acquisitions(ndtiff_file.dataset(tmp_path / "run", ARRAY))[0] as found:
        assert [found.fingerprint(t) for t in (0, 1)] == before


def test_an_mmstack_that_is_still_written_is_growing(tmp_path: Path) -> None:
    path = mmstack_file.stack(tmp_path / "a_MMStack.ome.tif", ARRAY[None, :2], closed=False, planned_t=5)
    verdict = growing(path, (0, 1))
    assert (verdict.planes_ready, verdict.planes_declared) == (16, 40)


def test_an_oir_that_was_stopped_is_growing(tmp_path: Path) -> None:
    assert growing(oir_file.image(tmp_path / "a.oir", ARRAY, declared_t=9), (0, 1, 2)).planes_declared == 72


def test_an_oir_waits_for_its_continuations(tmp_path: Path) -> None:
    path = oir_file.image(tmp_path / "a.oir", ARRAY, parts=3)
    companions(path)[-1].unlink()
    growing(path, (0, 1))


def test_an_nd2_that_was_stopped_gives_no_zeros(tmp_path: Path) -> None:
    growing(nikon_file.experiment(tmp_path / "a.nd2", ARRAY[None], frames=9), (0, 1))


def test_an_oif_with_planes_missing_or_cut_is_growing(tmp_path: Path) -> None:
    path = olympus_file.oif(tmp_path, ARRAY)
    planes = companions(path)
    next(p for p in planes if "Z002T002" in p.name).unlink()
    last = next(p for p in planes if "Z003T003" in p.name)
    last.write_bytes(last.read_bytes()[:200])
    assert growing(path, (0,)).planes_ready == 22


def test_a_series_of_planes_is_ready_time_point_by_time_point(tmp_path: Path) -> None:
    path = images.tiff_planes(tmp_path, ARRAY)
    (tmp_path / "embryo_t02_z4_ch1.tif").unlink()
    growing(path, (0, 1))


@pytest.mark.parametrize(("write", "module"), [(czi_file.czi, "czifile"), (oir_file.oir, "oirfile")])
def test_another_reader_sees_the_same_in_what_these_tests_write(
    tmp_path: Path, write: images.Writer, module: str
) -> None:
    """Files made on the spot are worth only as much as they are like real ones."""
    library = pytest.importorskip(module)
    if not hasattr(library, "OirFile" if module == "oirfile" else "CziScenes"):
        pytest.skip(f"this {module} is too old")
    path = write(tmp_path, ARRAY)
    if module == "oirfile":
        with library.OirFile(path) as file:
            axes, array = "".join(file.dims), file.asarray()
    else:
        with library.CziFile(path) as file:
            image = next(iter(file.scenes.values()))
            axes, array = "".join(image.dims), image.asarray()
    np.testing.assert_array_equal(np.transpose(array, [axes.index(letter) for letter in "TCZYX"]), ARRAY)


REAL = Path(os.environ.get("NUSETD_DATA", Path(__file__).parents[5] / "shared" / "data")) / "formats"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data in {REAL}")
def test_real_files_of_vendors() -> None:
    found = {one.reader: one for one in open_acquisitions(REAL)}
    assert found["czi"].voxel_size_um == pytest.approx((0.32, 0.0906, 0.0906), rel=1e-3)
    assert (found["czi"].size_t, found["czi"].size_c, found["czi"].size_z) == (3, 2, 5)
    assert found["czi"].frame_interval_s == pytest.approx(60, abs=0.1)
    assert found["oib"].voxel_size_um == pytest.approx((0.177, 0.177, 0.177))
    assert (found["oib"].size_c, found["oib"].channel_names[1]) == (3, "Alexa Fluor 546")
    assert found["ndtiff"].voxel_size_um == pytest.approx((0.4, 1.0, 1.0))
    assert (found["ndtiff"].size_t, found["ndtiff"].channel_names) == (8, ("DAPI", "FITC"))
    for one in found.values():
        with one:
            assert one.plane(one.time_points[-1], 0, one.size_z - 1).any()


@pytest.mark.parametrize(
    ("channel", "display", "name"),
    [
        ('Name="DAPI"', 'Name="Ch1"', "DAPI"),
        ("", 'Name="Hoechst"', "Hoechst"),
        ('Name="Ch1-T1"', "><DyeName>SiR-DNA</DyeName>", "SiR-DNA"),
        ('Name="ChS2"', 'Name="Ch2"', "ChS2"),
        ("", "", "channel 0"),
    ],
)
def test_channels_that_are_only_numbered_have_the_names_that_they_are_shown_by(
    tmp_path: Path, channel: str, display: str, name: str
) -> None:
    said = display if display.startswith(">") else f" {display}>"
    shown = f'<DisplaySetting><Channels><Channel Id="Channel:0"{said}</Channel></Channels></DisplaySetting>'
    xml = czi_file.metadata((1, 1, 1, 16, 16)).replace('Name="dye 0"', channel)
    tile = czi_file.Tile(ARRAY[0, 0, 0], {"T": 0, "C": 0, "Z": 0})
    path = czi_file.write(tmp_path / "a.czi", [tile], xml.replace("</Metadata>", f"{shown}</Metadata>"), [])
    (found,) = open_acquisitions(path)
    assert found.channel_names == (name,)
