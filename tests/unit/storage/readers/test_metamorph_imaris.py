"""MetaMorph and Imaris: positions, files that are missing, planes that are time, and what lies in other files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from cases import imaris_file, metamorph_file
from cases.stored import pixels, row_of

from storage.errors import StorageError
from storage.readers import companions, discover, open_acquisitions, owner, probe, reopen

ARRAY = pixels(3, 2, 4, 12, 20)


def test_an_stk_is_what_tifffile_reads(tmp_path: Path) -> None:
    path = metamorph_file.stk(tmp_path, ARRAY)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_stk
        assert tif.stk_metadata is not None
        assert (tif.stk_metadata["XCalibration"], tif.stk_metadata["CalibrationUnits"]) == (0.25, "um")
        np.testing.assert_array_equal(tif.series[0].asarray(), ARRAY[0, 0])


def test_planes_of_an_stk_are_what_a_person_says(tmp_path: Path) -> None:
    path = metamorph_file.stk(tmp_path, ARRAY)
    (found,) = open_acquisitions(path, axes="TYX")
    assert (found.size_t, found.size_z, found.origins.axes) == (4, 1, "configured")
    with pytest.raises(StorageError, match="give T or Z"):
        open_acquisitions(path, axes="TZ")


def test_planes_that_stand_still_in_time_and_place_are_doubted(tmp_path: Path) -> None:
    path = metamorph_file.stack(tmp_path / "a.stk", ARRAY[0, 0], along="T")
    data = path.read_bytes()
    for n in range(1, 4):  # all were taken at once
        data = data.replace((n * 60_000).to_bytes(4, "little"), bytes(4))
    path.write_bytes(data)
    (found,) = open_acquisitions(path)
    assert (found.size_z, found.origins.axes) == (4, "guessed")
    assert "does not say what its planes are" in found.doubts[0]


def test_an_experiment_is_one_image_and_its_stacks_are_its_parts(tmp_path: Path) -> None:
    path = metamorph_file.nd(tmp_path, ARRAY)
    assert discover(tmp_path) == [path]
    assert len(companions(path)) == 6
    for part in companions(path):
        assert owner(part) == path
    (found,) = open_acquisitions(path)
    assert (found.frame_interval_s, found.origins.frame_interval) == (60.0, "measured")
    assert found.started_at == "20260102 10:00:00.000"


def test_an_experiment_is_ready_time_point_by_time_point(tmp_path: Path) -> None:
    path = metamorph_file.nd(tmp_path, ARRAY)
    last = sorted(companions(path))[-1]
    content = last.read_bytes()
    for rest in (None, content[: len(content) // 2]):
        last.unlink() if rest is None else last.write_bytes(rest)
        said = probe(path)
        assert (said.state, said.time_points_ready, said.planes_ready, said.planes_declared) == (
            "growing",
            (0, 1),
            5,
            6,
        )
        (found,) = open_acquisitions(path)
        assert (found.size_t, found.time_points) == (3, (0, 1))
        with reopen(row_of(found), 2) as again, pytest.raises(StorageError, match="has no time point 2"):
            again.plane(2, 0, 0)
    last.write_bytes(content)
    assert probe(path).state == "complete"
    with reopen(row_of(found), 2) as again:
        np.testing.assert_array_equal(again.plane(2, 1, 3), ARRAY[2, 1, 3])


def test_positions_are_acquisitions_of_their_own_and_single_planes_beside_stacks_are_left_out(tmp_path: Path) -> None:
    path = metamorph_file.nd(tmp_path, ARRAY[:, :1])
    text = path.read_text().replace('"DoStage", FALSE', '"DoStage", TRUE\n"NStagePositions", 2\n"Stage1", "well A"')
    text = text.replace('"NWavelengths", 1', '"NWavelengths", 2\n"WaveName2", "BF"\n"WaveDoZ2", FALSE')
    path.write_text(text)
    for part in companions(path) or sorted(tmp_path.glob("*.stk")):
        t = part.stem[-1]
        for p in (1, 2):
            metamorph_file.stack(
                tmp_path / f"embryo_w1dye 0_s{p}_t{t}.stk", ARRAY[int(t) - 1, 0] + p, ms=int(t) * 60_000
            )
            tifffile.imwrite(tmp_path / f"embryo_w2BF_s{p}_t{t}.TIF", ARRAY[0, 0, 0])
        part.unlink()
    found = open_acquisitions(path)
    assert [one.name for one in found] == ["embryo_well A", "embryo_position 2"]
    for p, one in enumerate(found, start=1):
        with one:
            assert (one.size_t, one.size_c, one.size_z) == (3, 1, 4)
            np.testing.assert_array_equal(one.plane(1, 0, 2), ARRAY[1, 0, 2] + p)
            assert "single planes of BF" in one.doubts[0]


@pytest.mark.parametrize(
    "text", ["", '"NDInfoFile", Version 1.0\n', '"NDInfoFile"\n"DoTimelapse", TRUE\n"NTimePoints", x\n"EndFile"']
)
def test_settings_that_are_none_are_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.nd"
    path.write_text(text)
    assert probe(path).state == "incomplete"
    with pytest.raises(StorageError, match=r"a\.nd"):
        open_acquisitions(path)


def test_an_absurd_number_of_files_costs_nothing(tmp_path: Path) -> None:
    path = metamorph_file.nd(tmp_path, ARRAY)
    path.write_text(path.read_text().replace('"NTimePoints", 3', '"NTimePoints", 900000000'))
    assert "damaged" in probe(path).reason


# Imaris


def test_an_imaris_file_that_lacks_a_channel_at_a_time_point_is_growing(tmp_path: Path) -> None:
    path = imaris_file.ims(tmp_path, ARRAY)
    with h5py.File(path, "r+") as file:
        del file["DataSet/ResolutionLevel 0/TimePoint 2/Channel 1"]
    said = probe(path)
    assert (said.state, said.time_points_ready, said.planes_declared) == ("growing", (0, 1), 24)


@pytest.mark.parametrize("link", ["external", "soft", "raw", "virtual"])
def test_what_lies_in_another_file_is_refused(tmp_path: Path, link: str) -> None:
    path, place = imaris_file.ims(tmp_path, ARRAY), "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"
    other = tmp_path / "private.h5"
    with h5py.File(other, "w") as file:
        file["Data"] = ARRAY[0, 0]
    with h5py.File(path, "r+") as file:
        del file[f"{place}/Data"]
        if link == "external":
            file[f"{place}/Data"] = h5py.ExternalLink(str(other), "Data")
        elif link == "soft":
            file[f"{place}/Data"] = h5py.SoftLink("/DataSet/ResolutionLevel 0/TimePoint 1/Channel 0/Data")
        elif link == "raw":
            group = file[place]
            group.create_dataset("Data", (4, 12, 20), "u2", external=[(str(other), 0, h5py.h5f.UNLIMITED)])
        else:
            layout = h5py.VirtualLayout((4, 12, 20), "u2")
            layout[:] = h5py.VirtualSource(str(other), "Data", (4, 12, 20))
            file[place].create_virtual_dataset("Data", layout)
    assert "lies elsewhere" in probe(path).reason
    with pytest.raises(StorageError, match="lies elsewhere"):
        open_acquisitions(path)


def test_blocks_of_an_absurd_size_are_refused(tmp_path: Path) -> None:
    path = imaris_file.ims(tmp_path, ARRAY)
    with h5py.File(path, "r+") as file:
        group = file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"]
        del group["Data"]
        shape = (1 << 10, 1 << 10, 1 << 10)
        group.create_dataset("Data", shape, "u1", chunks=shape, compression="gzip")
    assert "claims blocks" in probe(path).reason


def test_a_file_that_is_being_written_is_not_whole(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.ims", "w", libver="latest") as file:
        file["x"] = np.zeros(1000)
        file.flush()
        assert probe(tmp_path / "a.ims").state == "incomplete"
