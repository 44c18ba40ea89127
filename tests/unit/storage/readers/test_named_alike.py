"""Files that are named as parts of one image or series and are taken one by one: said once for all, with the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from storage.readers import group, open_acquisitions
from storage.readers.names import acquisition_key, alike, counts_instead


def put(folder: Path, *names: str, shape: tuple[int, ...] = (8, 9)) -> list[Path]:
    for number, name in enumerate(names):
        tifffile.imwrite(folder / name, np.full(shape, number, np.uint16), photometric="minisblack")
    return [folder / name for name in names]


def said(folder: Path, **options: object) -> set[str]:
    """What is said of the files in a folder, each opened alone."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return {remark for path in files for one in open_acquisitions(path, **options) for remark in one.remarks}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "template", "name", "sizes"),
    [
        ([f"a_z{z}_ch{c}.tif" for z in (0, 1, 2) for c in (0, 1)], "a_z{z}_ch{c}.tif", "a", (1, 2, 3)),
        (["C1-a.tif", "C2-a.tif"], "C{c}-a.tif", "a", (1, 2, 1)),
        (["a_t1_slice01.tif", "a_t1_slice02.tif"], "a_t{t}_slice{z}.tif", "a", (1, 1, 2)),
        ([f"a_w{w}_s1_t{t}.TIF" for w in (1, 2) for t in (1, 2, 3)], "a_w{c}_s1_t{t}.TIF", "a_s1", (3, 2, 1)),
        ([f"i_channel00{c}_position000_time00{t}_z00{z}.tif" for c in (0, 1) for t in (0, 1) for z in (0, 1)],
         "i_channel{c}_position000_time{t}_z{z}.tif", None, (2, 2, 2)),
        ([f"img_00000000{t}_DAPI_00{z}.tif" for t in (0, 1) for z in (0, 1)], "img_{t}_DAPI_{z}.tif", None, (2, 1, 2)),
        ([f"frame_00{t}.tif" for t in (0, 1, 2)], "frame_{t}.tif", "frame", (3, 1, 1)),
        ([f"a_time{t}.tif" for t in (0, 1)], "a_time{t}.tif", "a", (2, 1, 1)),
        ([f"TP{t}_ch0.tif" for t in (1, 2)], "TP{t}_ch0.tif", None, (2, 1, 1)),
        ([f"a_t00{t}_z003_c1.tif" for t in (1, 2)], "a_t{t}_z003_c1.tif", "a", (2, 1, 1)),
        ([f"r01c02f01p0{z}-ch{c}sk{t}fk1fl1.tiff" for z in (1, 2) for c in (1, 2) for t in (1, 2, 3)],
         "r01c02f01p{z}-ch{c}sk{t}fk1fl1.tiff", None, (3, 2, 2)),
        ([f"P_B02_T000{t}F001L01A01Z0{z}C0{c}.tif" for z in (1, 2) for c in (1, 2) for t in (1, 2)],
         "P_B02_T{t}F001L01A01Z{z}C{c}.tif", None, (2, 2, 2)),
        (["T=1.tif", "T=2.tif"], "T={t}.tif", None, (2, 1, 1)),
        ([f"img00{t}.tif" for t in (1, 2, 3)], "img{t}.tif", "img", (3, 1, 1)),
        ([f"00{t}.tif" for t in (1, 2, 3)], "{t}.tif", None, (3, 1, 1)),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_one_sentence_for_all_tells_a_pattern_that_puts_them_together(
    tmp_path: Path, names: list[str], template: str, name: str | None, sizes: tuple[int, int, int]
) -> None:
    put(tmp_path, *names)
    (sentence,) = [one for one in said(tmp_path) if ": files are " in one]
    assert sentence.startswith(f"{tmp_path / template}: files are ")
    pattern = re.search(r"--pattern '(.*?)'", sentence)
    assert pattern is not None
    (found,) = open_acquisitions(tmp_path, pattern=pattern[1])
    assert (found.size_t, found.size_c, found.size_z) == sizes
    assert name in (None, found.name)
    assert said(tmp_path, pattern="none") == set()


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        (["a_w1DAPI.tif", "a_w2GFP.tif"], (8, 9)),
        (["a_C0.tif", "a_C1.tif"], (4, 8, 9)),
        (["C1-a.tif", "C2-a.tif"], (4, 8, 9)),
        (["a_DAPI.tif", "a_GFP.tif", "a_cy5.tif"], (8, 9)),
        (["a-dapi 01.tif", "a-mCherry 01.tif"], (4, 8, 9)),
    ],
)
def test_channels_in_files_of_their_own_are_said(tmp_path: Path, names: list[str], shape: tuple[int, ...]) -> None:
    put(tmp_path, *names, shape=shape)
    (sentence,) = [one for one in said(tmp_path) if "channels" in one]
    assert "{c}" in sentence
    assert "Merge Channels" in sentence


@pytest.mark.parametrize(
    "names",
    [
        ["a_z1.tif"],
        ["embryo1.tif", "embryo2.tif", "embryo3.tif"],
        ["a_pos001.tif", "a_pos002.tif", "a_pos003.tif"],
        ["20240301.tif", "20240302.tif", "20240303.tif"],
        ["a_2024-03-01.tif", "a_2024-03-02.tif", "a_2024-03-03.tif"],
        ["a_001.tif", "a_002.tif"],
        ["2024-03-01_a.tif", "2024-03-02_a.tif"],
        ["a_w1DAPI.tif", "b_w2GFP.tif"],
        ["a_DAPI.tif", "b_GFP.tif", "dapi.tif"],
    ],
    ids=lambda names: names[0],
)
def test_of_other_names_nothing_is_said(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names)
    assert said(tmp_path) == set()


def test_a_number_below_0_is_said(tmp_path: Path) -> None:
    put(tmp_path, "a_t-1.tif", "a_t0.tif", "a_t1.tif")
    found = open_acquisitions(tmp_path)
    assert [(one.name, one.time_points) for one in found] == [("a", (0, 1)), ("a_t-1", (0,))]
    assert "a number below 0" in found[1].remarks[0]


def test_a_number_with_a_fraction_is_said(tmp_path: Path) -> None:
    put(tmp_path, "a_t0.5.tif", "a_t1.0.tif", "a_t1.5.tif")
    assert ["a number with a fraction" in one for one in said(tmp_path)] == [True] * 3


def test_folders_that_are_numbered_like_time_points_are_said(tmp_path: Path) -> None:
    for name in ("exp_t0001", "exp_t0002", "exp_t0004", "s1"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, "stack.tif")
    found = {one.source_path.parent.name: one.remarks for one in open_acquisitions(tmp_path)}
    (sentence,) = found["exp_t0001"]
    assert sentence.startswith(f"{tmp_path / 'exp_t{t}' / 'stack.tif'}: folders are numbered like time points")
    assert found["exp_t0002"] == (sentence,), "once for all"
    assert found["exp_t0004"] == found["s1"] == ()


def test_of_two_files_with_one_number_the_one_with_fewer_digits_counts_and_the_other_is_named(tmp_path: Path) -> None:
    long, short, other = put(tmp_path, "a_t01.tif", "a_t1.tif", "a_t02.tif")
    (found,) = open_acquisitions(tmp_path)
    assert (found.time_points, found.files) == ((0, 1), (short, other))
    assert "a_t01.tif has the same number as a_t1.tif and is left out" in found.remarks[0]
    assert [counts_instead(path) for path in (long, short, other)] == [short, None, None]


def test_of_two_planes_with_one_number_one_is_left_out_and_absent_slices_are_said(tmp_path: Path) -> None:
    put(tmp_path, "a_z1.tif", "a_z01.tif", "a_z2.tif", "a_z4.tif")
    (found,) = open_acquisitions(tmp_path, pattern=r"(?P<name>.+)_z(?P<z>\d+)")
    assert found.size_z == 3
    assert "a_z01.tif has the numbers of others and is left out" in found.remarks[0]
    assert "no slice number 3" in found.remarks[1]
    (tmp_path / "a_z900000000.tif").write_bytes((tmp_path / "a_z1.tif").read_bytes())
    (found,) = open_acquisitions(tmp_path, pattern=r"(?P<name>.+)_z(?P<z>\d+)")
    assert "numbered from 1 to 900000000" in found.remarks[1]


def test_dates_are_no_numbers_of_time_points(tmp_path: Path) -> None:
    assert acquisition_key("/in/a_t20240301.tif").t is None
    assert acquisition_key("/in/a_t000123456.tif").t == 123456


def test_series_that_differ_in_capitals_or_endings_alone_are_told(tmp_path: Path) -> None:
    files = put(tmp_path, "A_T1.tif", "a_t2.tif", "a_t3.ome.tif", "b_t1.tif", "a.tif")
    assert [(one.name, other.name) for one, other in alike(group(files))] == [
        ("A_T*.tif", "a_t*.tif"),
        ("A_T*.tif", "a_t*.ome.tif"),
    ]
