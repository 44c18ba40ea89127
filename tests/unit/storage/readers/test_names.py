"""File names in and out."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage import naming
from storage.errors import StorageError
from storage.readers import acquisition_key, group, is_candidate
from storage.readers.names import first_number, stem


@pytest.mark.parametrize("name", ["embryo 1", "π-Zellen_3", "a.b+c", "x"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert naming.safe_name(name) == name


@pytest.mark.parametrize("name", ["a/b", "..", "", "a\nb", "con:1", "x" * 300, "ä" * 200, ". hidden ", "a*"])
def test_other_names_become_safe_and_stay_apart(name: str) -> None:
    safe = naming.safe_name(name)
    assert safe
    assert "/" not in safe
    assert not safe.startswith(".")
    assert len(safe.encode()) <= 200
    assert safe.isprintable()
    assert safe != naming.safe_name(name + "#")


def test_two_names_with_one_safe_form_do_not_meet() -> None:
    assert naming.safe_name("a/b") != naming.safe_name("a:b")


def test_a_second_result_is_numbered_before_the_suffix() -> None:
    assert naming.numbered(Path("/o/a.ome.zarr"), 2) == Path("/o/a-2.ome.zarr")


def test_database_is_named_by_url_file_or_folder(tmp_path: Path) -> None:
    assert naming.database_url("postgresql://lab/nuclei") == "postgresql://lab/nuclei"
    assert naming.database_url(tmp_path / "x.db") == f"sqlite:///{tmp_path}/x.db"
    assert naming.database_url(tmp_path) == f"sqlite:///{tmp_path}/nusetd.sqlite"
    assert naming.sqlite_path(naming.database_url(tmp_path)) == tmp_path / "nusetd.sqlite"
    assert naming.sqlite_path("postgresql://lab/nuclei") is None


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("a.tif", True), ("a.OME.TIFF", True), ("a.lsm", True), ("a.ome.zarr", True), ("a.zarr", True),
        (".a.tif", False), ("a.tif.part", False), ("~a.tif", False), ("a.txt", False), (".tif", False), ("tif", False),
        (".syncthing.a.tif.tmp", False), ("._a.tif", False),
    ],
)  # fmt: skip
def test_candidates_are_told_by_name(name: str, candidate: bool) -> None:
    assert is_candidate(Path(name)) is candidate


@pytest.mark.parametrize(
    ("file", "template", "name", "t"),
    [
        ("exp1_t001.tif", "exp1_t*.tif", "exp1", 1),
        ("exp1_T12.ome.tif", "exp1_T*.ome.tif", "exp1", 12),
        ("a b-t7.tiff", "a b-t*.tiff", "a b", 7),
        ("t0004.tif", "t*.tif", "folder", 4),
        ("cat3.tif", "cat3.tif", "cat3", None),  # the t belongs to the word
        ("d1dbc6ee7c44a702.tif", "d1dbc6ee7c44a702.tif", "d1dbc6ee7c44a702", None),
        ("movie_t01.ome.zarr", "movie_t01.ome.zarr", "movie_t01", None),
    ],
)
def test_names_tell_acquisition_and_time_point(file: str, template: str, name: str, t: int | None) -> None:
    key = acquisition_key(Path("/folder") / file)
    assert (key.path, key.name, key.t) == (Path("/folder") / template, name, t)


def test_a_pattern_of_ones_own() -> None:
    key = acquisition_key("/d/scan-005-raw.tif", r"^(?P<name>.+)-(?P<t>\d+)-raw$")
    assert (key.path, key.name, key.t) == (Path("/d/scan-*-raw.tif"), "scan", 5)
    assert acquisition_key("/d/exp_t001.tif", "").t is None


@pytest.mark.parametrize("pattern", ["(", r"t\d+"])
def test_a_pattern_that_cannot_work_is_refused(pattern: str) -> None:
    with pytest.raises(StorageError, match="pattern"):
        acquisition_key("/d/a.tif", pattern)


def test_files_of_one_series_are_grouped_in_order_of_number() -> None:
    groups = group(["/d/b_t10.tif", "/d/b_t9.tif", "/d/a.tif"])
    assert [[p.name for p in files] for files in groups.values()] == [["a.tif"], ["b_t9.tif", "b_t10.tif"]]


def test_numbering_starts_at_zero_only_if_a_zero_is_there(tmp_path: Path) -> None:
    key = acquisition_key(tmp_path / "a_t001.tif").group
    assert first_number(key, [1, 2]) == 1
    assert first_number(key, [5]) == 1
    (tmp_path / "a_t000.tif").touch()
    assert first_number(key, [1, 2]) == 0  # not ready, but there


def test_the_stem_loses_the_whole_ending() -> None:
    assert stem(Path("a.b.ome.tif")) == "a.b"


PLANES = r"(?P<name>.+)_t(?P<t>\d+)_z(?P<z>\d+)_ch(?P<c>\d+)$"


def test_files_of_one_plane_lead_to_the_name_that_all_share() -> None:
    key = acquisition_key("/d/exp_t001_z07_ch1.ome.tif", PLANES)
    assert (key.path, key.name, key.t) == (Path("/d/exp_t{t}_z{z}_ch{c}.ome.tif"), "exp", None)
    assert acquisition_key(key.path, PLANES).path == key.path
    assert acquisition_key("/d/z07.tif", r"z(?P<z>\d+)").name == "d"
    assert acquisition_key("/d/other.tif", PLANES).path == Path("/d/other.tif")


def test_a_pattern_without_any_number_is_refused() -> None:
    with pytest.raises(StorageError, match=r"no group \(\?P<t>"):
        acquisition_key("/d/a.tif", r"(?P<name>.+)")
