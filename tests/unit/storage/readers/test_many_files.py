"""Images of many files that grow: what is known of former files is not asked again, and is right all the same."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cases import images, metamorph_file, mmstack_file, olympus_file

from storage.readers import formats, names_in_folder
from storage.readers.metamorph import nd
from storage.readers.micromanager import mmstack
from storage.readers.names_in_folder import NamesInFolder
from storage.readers.olympus import oif
from storage.readers.series import plane_names
from storage.readers.series.grid import GrowingGrid
from storage.readers.tiff import chain
from storage.readers.whole_files import WholeFiles

SERIES = Path("/data/s_t{t}_z{z}.tif")


def grid_of(files: list[Path], growing: GrowingGrid | None = None) -> tuple[object, ...]:
    """What is known of a grid, by one that grows or by a fresh one."""
    fresh = GrowingGrid(lambda file: plane_names.numbers(SERIES, file), is_timed=True)
    grid = (growing or fresh).of(files)
    by_time = [grid.files[place] for place in sorted(grid.files)] if grid.is_flat else []
    in_order = by_time == list(grid.files.values()) if grid.is_flat else True
    return dict(grid.files), grid.sizes, grid.start, dict(grid.counts), grid.time_points, grid.remarks, in_order


def test_each_name_is_taken_apart_once_and_each_path_stays(tmp_path: Path) -> None:
    asked = Counter[str]()

    def take_apart(name: str) -> int | None:
        asked[name] += 1
        return int(name[1:]) if name.startswith("a") else None

    names = NamesInFolder(tmp_path, take_apart)
    before: dict[str, Path] = {}
    for n in range(20):
        (tmp_path / f"a{n:02d}").write_bytes(b"")
        (tmp_path / f"b{n:02d}").write_bytes(b"")
        files, told = names.now()
        assert list(files) == [f"a{i:02d}" for i in range(n + 1)]
        assert list(told.values()) == list(range(n + 1))
        assert all(files[name] is path for name, path in before.items())
        before = dict(files)
    assert set(asked.values()) == {1}
    (tmp_path / "a03").unlink()
    assert list(names.now()[0]) == sorted(before.keys() - {"a03"})


def test_a_folder_whose_disk_keeps_no_times_is_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr(names_in_folder, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    names = NamesInFolder(tmp_path, lambda name: name)

    def kept() -> None:
        os.utime(tmp_path, (1e9, 1e9))

    kept()
    assert names.now()[0] == {}
    (tmp_path / "a").write_bytes(b"")
    kept()
    assert names.now()[0] == {}
    moment[0] = 2.0
    assert list(names.now()[0]) == ["a"]


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """500 files, a second after another, the last of them long ago."""
    files = [tmp_path / f"{n:04d}" for n in range(500)]
    for n, file in enumerate(files):
        file.write_bytes(b"1")
        os.utime(file, (1e9 + n, 1e9 + n))
    return files


def test_of_many_whole_files_those_of_late_and_some_others_are_asked(
    many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked = WholeFiles(lambda file: file.read_bytes() == b"1"), Counter[Path]()
    assert whole.among(many) == many
    ask = WholeFiles._is_still_whole
    monkeypatch.setattr(WholeFiles, "_is_still_whole", lambda self, file: (asked.update([file]), ask(self, file))[1])
    assert whole.among(many) == many
    assert asked[many[-1]] == 1
    assert 100 <= len(asked) <= 165, "a minute's files, and a hundred in turn"
    many[450].write_bytes(b"broken")
    many[20].write_bytes(b"broken")
    lacking = [set(many) - set(whole.among(many)) for _ in range(6)]
    assert many[450] in lacking[0], "what was written of late is asked in each look"
    assert lacking[-1] == {many[20], many[450]}, "the others have had their turn"
    many[20].write_bytes(b"1")
    assert set(many) - set(whole.among(many)) == {many[450]}
    assert whole.among(many[100:]) == [file for file in many[100:] if file != many[450]]
    many[7].write_bytes(b"broken")
    assert set(many) - set(whole.among(many)) == {many[7], many[450]}, "what had gone is looked into when it is back"


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_grid_that_grows_is_that_of_all_its_files(seed: int, slices: int) -> None:
    """Planes that come late, twins, time point 0, slices that nobody expected, and files that go."""
    chance = random.Random(seed)
    plain = [f"s_t{t}_z{z}.tif" for t in range(1, 13) for z in range(slices)]
    late = chance.randrange(len(plain))
    odd = chance.choice(["s_t0_z0.tif", "s_t02_z00.tif", f"s_t3_z{slices + 1}.tif"])
    order = [*plain[:late], *plain[late + 1 :], plain[late], odd]
    growing = GrowingGrid(lambda file: plane_names.numbers(SERIES, file), is_timed=True)
    there: list[Path] = []
    for name in order:
        there = sorted([*there, SERIES.with_name(name)])
        assert grid_of(there, growing) == grid_of(there)
    there.remove(chance.choice(there))
    assert grid_of(there, growing) == grid_of(there)


def test_absurd_numbers_are_refused_and_cost_nothing_later(tmp_path: Path) -> None:
    growing = GrowingGrid(lambda file: plane_names.numbers(SERIES, file), is_timed=True)
    sound = [SERIES.with_name(f"s_t{t}_z0.tif") for t in range(3)]
    absurd = [*sound, SERIES.with_name("s_t99999999_z0.tif")]
    assert grid_of(sound, growing) == grid_of(sound)
    for _ in range(2):
        with pytest.raises(Exception, match="claim the sizes"):
            growing.of(absurd)
    assert grid_of(sound, growing) == grid_of(sound)
    with pytest.raises(Exception, match="claim the sizes"):
        growing.of(absurd[2:])
    others = [SERIES.with_name(f"s_t{t}_z0.tif") for t in range(5, 8)]
    assert grid_of(others, growing) == grid_of(others)


def test_a_file_that_could_not_be_read_for_a_moment_is_looked_into_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = images.tiff_with_axes(tmp_path, np.zeros((1, 1, 1, 8, 8), np.uint16))
    with monkeypatch.context() as patch:
        patch.setattr(chain.Walk, "go_on", lambda self: (_ for _ in ()).throw(PermissionError("not now")))
        assert not chain.is_whole(path)
    assert chain.is_whole(path)


def old(*files: Path) -> None:
    for file in files:
        os.utime(file, (1e9, 1e9))


def test_of_an_oif_that_grows_each_plane_is_looked_into_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(5 * 2 * 8 * 8, dtype=np.uint16).reshape(5, 1, 2, 8, 8)
    folder, looked = tmp_path / "embryo.oif.files", Counter[Path]()
    folder.mkdir()
    path = tmp_path / "embryo.oif"
    path.write_bytes(olympus_file.settings(array))
    is_whole = oif.is_whole
    monkeypatch.setattr(oif, "is_whole", lambda file: (looked.update([file]), is_whole(file))[1])
    for n, (name, data) in enumerate(olympus_file.plane_files(array).items(), start=1):
        (folder / name).write_bytes(data)
        old(folder / name)
        assert len(formats.probe(path).time_points_ready or ()) == n // 2
        (image,) = formats.open_file(path)
        assert image.time_points == tuple(range(n // 2))
        assert len(image.files) == 1 + n
    assert set(looked.values()) == {1}
    np.testing.assert_array_equal(image.plane(4, 0, 1), array[4, 0, 1])
    (folder / "s_C001Z001T002.tif").unlink()
    assert formats.open_file(path)[0].time_points == (0, 2, 3, 4)


def test_of_a_metamorph_experiment_each_file_is_looked_into_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = metamorph_file.nd(tmp_path, np.zeros((4, 2, 3, 8, 8), np.uint16))
    looked, is_whole = Counter[Path](), nd.is_member_whole
    monkeypatch.setattr(nd, "is_member_whole", lambda file: (looked.update([file]), is_whole(file))[1])
    old(*tmp_path.glob("*.[sS][tT][kK]"))
    for _ in range(3):
        nd.probe(path)
        nd.open_nd(path)
    assert set(looked.values()) == {1}
    assert len(looked) == 8


def test_the_map_of_a_closed_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(6 * 2 * 8 * 8, dtype=np.uint16).reshape(1, 6, 1, 2, 8, 8)
    path, read = tmp_path / "e_MMStack_Pos0.ome.tif", Counter[int]()
    read_map = mmstack._read_map
    monkeypatch.setattr(
        mmstack, "_read_map", lambda file, number, where: (read.update([number]), read_map(file, number, where))[1]
    )
    for t in range(1, 7):  # two time points a file, of which the last is open
        mmstack_file.stack(path, array[:, :t], per_file=4, closed=False, planned_t=6)
        old(*tmp_path.iterdir())
        assert mmstack.probe(path).time_points_ready == tuple(range(t))
        assert mmstack.open_mmstack(path)[0].time_points == tuple(range(t))
    assert read == {0: 1, 1: 1}
