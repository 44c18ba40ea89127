"""Files that are numbered as a series and are none: told apart by size, doubted for place and date, and single ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.stored import row_of

from storage.errors import UnreadableInputError
from storage.given_facts import GivenFacts
from storage.readers import open_acquisitions, reopen
from storage.readers.names import is_alone


def put(
    folder: Path,
    name: str,
    width: int = 20,
    date: str = "",
    stage: tuple[float, float] | None = None,
    pixel_um: float = 0.5,
) -> Path:
    said: dict[str, object] = {"axes": "YX", "PhysicalSizeX": pixel_um, "PhysicalSizeY": pixel_um}
    if date:
        said["AcquisitionDate"] = date
    if stage:
        said["Plane"] = {"PositionX": [stage[0]], "PositionY": [stage[1]]}
    tifffile.imwrite(folder / name, np.full((16, width), 7, np.uint16), ome=True, metadata=said)
    return folder / name


def test_files_of_three_sizes_are_three_images(tmp_path: Path) -> None:
    for number, width in ((1, 20), (2, 24), (3, 28)):
        put(tmp_path, f"drugA_T{number}.ome.tif", width)
    found = open_acquisitions(tmp_path)
    assert [one.name for one in found] == ["drugA_T1", "drugA_T2", "drugA_T3"]
    assert [one.time_points for one in found] == [(0,)] * 3
    assert all("the sizes of its files differ" in one.remarks[0] for one in found)


def test_one_file_of_another_size_is_doubted_and_named(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, f"a_t{number}.ome.tif", 24 if number == 3 else 20)
    (found,) = open_acquisitions(tmp_path)
    assert found.time_points == (0, 1, 2, 3, 4)
    assert "number 3 has the size" in found.remarks[0]
    assert "--pattern none" in found.remarks[0]
    with reopen(row_of(found), 2) as again:
        assert again.size_x == 20
    with pytest.raises(
        UnreadableInputError, match=r"a_t3.ome.tif has the size .* 24\), the others of its series .* 20"
    ):
        reopen(row_of(found), 3)


def test_one_file_with_other_pixels_is_doubted_and_not_mixed_in(tmp_path: Path) -> None:
    for number, dtype in enumerate((np.uint16, np.uint16, np.uint8, np.float32)):
        tifffile.imwrite(tmp_path / f"a_t{number}.tif", np.full((16, 20), 7, dtype))
    (found,) = open_acquisitions(tmp_path)
    assert "number 2 has pixels of uint8, others of uint16" in found.remarks[0]
    with reopen(row_of(found), 1) as again:
        assert again.dtype == np.uint16
    for number, dtype in ((2, "uint8"), (3, "float32")):
        with pytest.raises(UnreadableInputError, match=f"has pixels of {dtype}, the others of its series of uint16"):
            reopen(row_of(found), number)


@pytest.mark.parametrize(
    ("places", "doubt"),
    [
        (((0, 0), (1000, 0), (2000, 0)), "the stage moved by 1000 um between numbers 1 and 2"),
        (((0, 0), (1, 0), (2, 1)), ""),
        (((-100, 0), (-99, 0), (-99, -7)), "between numbers 2 and 3"),
    ],
)
def test_a_stage_that_moved_is_doubted(tmp_path: Path, places: tuple[tuple[float, float], ...], doubt: str) -> None:
    for number, place in enumerate(places, start=1):
        put(tmp_path, f"drugC_T{number}.ome.tif", stage=place)
    (found,) = open_acquisitions(tmp_path)
    assert len(found.remarks) == bool(doubt)
    assert doubt in "".join(found.remarks)


@pytest.mark.parametrize(
    ("dates", "doubt"),
    [
        (
            ("2026-01-05T10:00:00", "2026-01-07T15:00:00", "2026-02-01T09:00:00"),
            "1 and 2 were recorded 2.21 days apart",
        ),
        (("2026-01-05T10:00:00", "2026-01-05T09:00:00", "2026-01-05T11:00:00"), "2 was recorded before number 1"),
        (
            ("2026-01-05T10:00:00", "2026-01-05T10:01:00", "2026-01-05T10:02:00", "2026-01-05T18:00:00"),
            "3 and 4 were recorded 7.97 hours apart",
        ),
        (("2026-01-05T23:50:00", "2026-01-06T00:00:00", "2026-01-06T00:10:00"), ""),
        (("2026-01-05T10:00:00",) * 3, ""),
    ],
)
def test_dates_that_do_not_follow_each_other_are_doubted(tmp_path: Path, dates: tuple[str, ...], doubt: str) -> None:
    for number, date in enumerate(dates, start=1):
        put(tmp_path, f"drugB_T{number}.ome.tif", date=date)
    (found,) = open_acquisitions(tmp_path)
    assert len(found.remarks) == bool(doubt)
    assert doubt in "".join(found.remarks)


def test_a_file_that_comes_is_compared_with_the_one_before_it(tmp_path: Path) -> None:
    put(tmp_path, "a_t1.ome.tif", stage=(0, 0))
    late = put(tmp_path, "a_t2.ome.tif", stage=(500, 0))
    (found,) = open_acquisitions(late)
    assert found.time_points == (1,)
    assert "the stage moved by 500 um" in found.remarks[0]


def test_a_single_numbered_file_is_one_image(tmp_path: Path) -> None:
    lone = put(tmp_path, "drugD_T6.ome.tif")
    (found,) = open_acquisitions(tmp_path)
    assert (found.name, found.source_path, found.size_t, found.time_points) == ("drugD_T6", lone, 1, (0,))
    put(tmp_path, "drugD_T40.ome.tif")
    assert not is_alone(lone), "another one of its kind lies beside it"
    (series,) = open_acquisitions(tmp_path)
    assert (series.name, series.time_points, series.first_number) == ("drugD", (5, 39), 1)


def test_a_single_first_file_may_be_the_beginning_of_a_series(tmp_path: Path) -> None:
    (found,) = open_acquisitions(put(tmp_path, "a_t001.ome.tif"))
    assert (found.name, found.time_points, found.first_number) == ("a", (0,), 1)


def test_conditions_without_dates_or_interval_are_doubted(tmp_path: Path) -> None:
    """Three files of one size may be three treatments as well as three time points."""
    first, *others = (put(tmp_path, f"drugF_T{number}.ome.tif") for number in (1, 2, 3))
    (found,) = open_acquisitions(tmp_path)
    (doubt,) = found.doubts
    assert f"{tmp_path / 'drugF_T*.ome.tif'} is taken for time points of one series because its files are" in doubt
    assert "--pattern none" in doubt
    assert open_acquisitions(others[0])[0].doubts == (doubt,), "as the service opens it when it comes"
    assert open_acquisitions(first)[0].doubts == (), "no series yet"
    assert open_acquisitions(tmp_path, given=GivenFacts(frame_interval_s=60.0))[0].doubts == ()
    assert open_acquisitions(tmp_path, pattern=r"(?P<name>.+)_T(?P<t>\d+)")[0].doubts == ()
    assert [one.doubts for one in open_acquisitions(tmp_path, pattern="none")] == [()] * 3


@pytest.mark.parametrize("pattern", ["none", ""])
def test_series_can_be_switched_off(tmp_path: Path, pattern: str) -> None:
    for number in (1, 2):
        put(tmp_path, f"drugE_T{number}.ome.tif")
    found = open_acquisitions(tmp_path, pattern=pattern)
    assert [one.name for one in found] == ["drugE_T1", "drugE_T2"]


@pytest.mark.parametrize(("pixel_um", "doubt"), [(0.3, "number 3 has voxels of 0.3 x 0.3 x 0.3 um"), (0.5004, "")])
def test_another_objective_is_doubted(tmp_path: Path, pixel_um: float, doubt: str) -> None:
    """The voxel size of the first file would be taken for all."""
    for number in range(1, 5):
        put(tmp_path, f"a_T{number}.ome.tif", pixel_um=pixel_um if number == 3 else 0.5)
    (found,) = open_acquisitions(tmp_path, given=GivenFacts(frame_interval_s=60.0))
    assert len(found.remarks) == bool(doubt)
    assert doubt in "".join(found.remarks)


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (("exp_t00_z00_ch00", "exp_t00_z00_ch01"), r"(?P<name>.+)_t(?P<t>\d+)_z(?P<z>\d+)_ch(?P<c>\d+)"),
        (("exp_z09", "exp_z10"), r"(?P<name>.+)_z(?P<z>\d+)"),
        (("exp_ch0_t1", "exp_ch1_t1"), r"(?P<name>.+)_ch(?P<c>\d+)_t(?P<t>\d+)"),
        (("exp_ch0_green", "exp_ch1_green"), r"(?P<name>.+)_ch(?P<c>\d+).*"),
    ],
)
def test_planes_that_are_taken_one_by_one_say_so_and_how_they_are_one(
    tmp_path: Path, names: tuple[str, ...], pattern: str
) -> None:
    for name in names:
        tifffile.imwrite(tmp_path / f"{name}.tif", np.full((16, 20), 7, np.uint16))
    found = open_acquisitions(tmp_path)
    assert len(found) == 2
    assert all(pattern in one.doubts[0] for one in found)
    assert not any("--pattern" in doubt for one in open_acquisitions(tmp_path, pattern="none") for doubt in one.doubts)
    (whole,) = open_acquisitions(tmp_path, pattern=pattern)
    assert whole.size_c * whole.size_z == 2


def test_a_number_alone_in_a_folder_is_no_plane(tmp_path: Path) -> None:
    for name in ("exp_ch0.tif", "exp_z5.tif", "drugC_7.tif", "drugC_8.tif"):
        tifffile.imwrite(tmp_path / name, np.full((16, 20), 7, np.uint16))
    assert [one.doubts for one in open_acquisitions(tmp_path)] == [()] * 4
