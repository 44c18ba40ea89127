"""Which path stands for an image that is made of several files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import mmstack_file, oir_file
from cases.stored import pixels, row_of

from storage.readers import companions, discover, open_acquisitions, owner, probe, reopen
from storage.readers.parts import absent_parts

SETS = [
    ("x.oif", ["x.oif.files/s_C001Z001.tif", "x.oif.files/s_C001Z001.pty"]),
    ("NDTiff.index", ["run_NDTiffStack.tif", "run_NDTiffStack_1.tif"]),
    ("x.oir", ["x_00001", "x_00002"]),
    ("x_MMStack_Pos0.ome.tif", ["x_MMStack_Pos0_1.ome.tif", "x_MMStack_Pos0_2.ome.tif"]),
    ("x_MMStack_1-Pos_000_000.ome.tif", ["x_MMStack_1-Pos_000_000_1.ome.tif"]),
]


@pytest.mark.parametrize(("first", "others"), SETS)
def test_every_part_leads_to_the_whole_and_back(tmp_path: Path, first: str, others: list[str]) -> None:
    for name in (first, *others):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {owner(tmp_path / name) for name in (first, *others)} == {tmp_path / first}
    assert companions(tmp_path / first) == tuple(sorted(tmp_path / name for name in others))
    assert discover(tmp_path) == [tmp_path / first]
    assert discover(tmp_path / others[0]) == [tmp_path / first]


@pytest.mark.parametrize(
    "name", ["a.tif", "a_1.tif", "scan_00001", "x_MMStack_Pos0.ome.tif", "x_MMStack_1.ome.tif", "b.czi"]
)
def test_a_file_without_company_stands_for_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert owner(tmp_path / name) == tmp_path / name
    assert companions(tmp_path / name) == ()


def test_planes_lead_to_a_settings_file_that_has_not_come_yet(tmp_path: Path) -> None:
    assert owner(tmp_path / "x.oif.files" / "s_C001.tif") == tmp_path / "x.oif"


@pytest.mark.parametrize(("first", "name"), [("x.oir", "x_{:05d}"), ("x_MMStack.ome.tif", "x_MMStack_{}.ome.tif")])
def test_a_gap_in_the_numbers_hides_nothing_behind_it(tmp_path: Path, first: str, name: str) -> None:
    path, numbered = tmp_path / first, {n: tmp_path / name.format(n) for n in (1, 2, 3, 5, 30)}
    for one in (path, numbered[1], numbered[3], numbered[30]):
        one.touch()
    assert companions(path) == (numbered[1], numbered[3]), "what is numbered far away is another file"
    assert absent_parts(path) == (numbered[2],)
    numbered[5].touch()
    assert [file.name for file in absent_parts(path)] == [name.format(2), name.format(4)]
    assert {owner(file) for file in companions(path)} == {path}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_an_mmstack_lacks_between_its_files_is_said_and_the_rest_is_read(tmp_path: Path, number: int) -> None:
    """Each file holds two time points."""
    array = pixels(8, 2, 3)
    path = mmstack_file.stack(tmp_path / "a_MMStack_Pos0.ome.tif", array[None], per_file=12)
    files = companions(path)
    assert len(files) == 3
    files[number - 1].unlink()
    verdict, lost = probe(path), {2 * number, 2 * number + 1}
    there = tuple(t for t in range(8) if t not in lost)
    assert (verdict.state, verdict.time_points_ready) == ("growing", there)
    said = f"lacks 12 of its 48 planes, of time points {min(lost)}-{max(lost)}: a_MMStack_Pos0_{number}.ome.tif is not"
    assert (said in verdict.reason) is (number < 3), "of the last nobody knows that there was one"
    (found,) = open_acquisitions(path)
    assert found.lacking == ((verdict.reason,) if number < 3 else ())
    with found:
        for t in there:
            np.testing.assert_array_equal(found.plane(t, 1, 2), array[t, 1, 2])
    with reopen(row_of(found), there[-1]) as again:
        np.testing.assert_array_equal(again.plane(there[-1], 0, 1), array[there[-1], 0, 1])


def test_a_gap_within_a_time_point_of_an_mmstack_costs_those_that_it_touches(tmp_path: Path) -> None:
    path = mmstack_file.stack(tmp_path / "a_MMStack_Pos0.ome.tif", pixels(4, 1, 3)[None], per_file=4)
    companions(path)[0].unlink()
    verdict = probe(path)
    assert verdict.time_points_ready == (0, 3)
    assert "lacks 4 of its 12 planes, of time points 1-2: a_MMStack_Pos0_1.ome.tif is not there" in verdict.reason


def test_what_an_oir_lacks_between_its_files_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    array = pixels(3, 2, 3)
    path = oir_file.image(tmp_path / "a.oir", array, parts=3)
    companions(path)[0].unlink()
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", (0, 2))
    assert verdict.reason.endswith("holds 12 of the 18 planes that it declares: a_00001 is not there.")
    (found,) = open_acquisitions(path)
    assert (found.lacking, found.time_stamps_s) == ((verdict.reason,), ())
    with found:
        np.testing.assert_array_equal(found.plane(2, 1, 2), array[2, 1, 2])


@pytest.mark.parametrize("per_file", [3, 4])
def test_an_mmstack_without_its_first_file_waits_for_it(tmp_path: Path, per_file: int) -> None:
    path = mmstack_file.stack(tmp_path / "a_MMStack_Pos0.ome.tif", pixels(4, 1, 3)[None], per_file=per_file)
    others, data = companions(path), path.read_bytes()
    path.unlink()
    for file in others:
        verdict = probe(file)
        assert (verdict.state, verdict.takeable, verdict.called) == ("growing", (), path)
        assert f"{file} goes on from a_MMStack_Pos0.ome.tif, which is not there" in verdict.reason
    path.write_bytes(data)
    assert probe(path).state == "complete"


def test_a_renamed_rest_of_an_mmstack_is_no_image(tmp_path: Path) -> None:
    path = mmstack_file.stack(tmp_path / "a_MMStack_Pos0.ome.tif", pixels(4, 1, 3)[None], per_file=3)
    renamed = companions(path)[1].rename(tmp_path / "copy of rest.ome.tif")
    verdict = probe(renamed)
    assert (verdict.takeable, verdict.called) == ((), None)
    assert "goes on from another file, which its name does not tell" in verdict.reason


@pytest.mark.parametrize("name", ["a_MMStack_1-Pos_000_001.ome.tif", "a_MMStack_Pos_1.ome.tif", "a_MMStack_12.ome.tif"])
def test_numbers_of_places_make_no_rest_of_an_mmstack(tmp_path: Path, name: str) -> None:
    assert probe(mmstack_file.stack(tmp_path / name, pixels(2, 1, 3)[None])).state == "complete"
