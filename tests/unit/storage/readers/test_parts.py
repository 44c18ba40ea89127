"""Which path stands for an image that is made of several files."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.readers import companions, discover, owner

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


def test_a_gap_ends_numbered_companions(tmp_path: Path) -> None:
    for name in ("x.oir", "x_00001", "x_00003"):
        (tmp_path / name).touch()
    assert companions(tmp_path / "x.oir") == (tmp_path / "x_00001",)
