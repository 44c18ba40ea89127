"""A series with a file for each plane that grows: what was seen of a plane is not found out again, and never wrong."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from storage.readers import formats, whole_files
from storage.readers.series import planes
from storage.readers.series.plane_names import members

SERIES = "s_t{t}_z{z}.tif"


def add(folder: Path, t: int) -> None:
    """Two planes, left alone for a while."""
    for z in range(2):
        path = folder / f"s_t{t}_z{z}.tif"
        tifffile.imwrite(path, np.full((8, 8), 10 * t + z, np.uint16))
        os.utime(path, (1e9 + t, 1e9 + t))


@pytest.fixture
def series(tmp_path: Path) -> Path:
    for t in range(3):
        add(tmp_path, t)
    return tmp_path / SERIES


def ready(series: Path) -> tuple[int, ...]:
    """The time points that are whole."""
    return formats.open_file(series)[0].time_points


def test_only_what_is_new_is_looked_into(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Counter[str]()
    is_plane_whole = planes.is_plane_whole

    def look(path: Path) -> bool:
        looked[path.name] += 1
        return is_plane_whole(path)

    monkeypatch.setattr(planes, "is_plane_whole", look)
    for t in range(3, 6):
        assert ready(series) == tuple(range(t))
        assert planes.probe(series).time_points_ready in (None, tuple(range(t)))
        add(series.parent, t)
    assert ready(series) == tuple(range(6))
    assert set(looked.values()) == {1}


def test_a_plane_that_breaks_or_goes_is_seen(series: Path) -> None:
    assert ready(series) == (0, 1, 2)
    broken = series.parent / "s_t1_z0.tif"
    broken.write_bytes(broken.read_bytes()[:100])
    assert ready(series) == (0, 2)
    (series.parent / "s_t2_z1.tif").unlink()
    assert ready(series) == (0,)
    add(series.parent, 1)
    assert ready(series) == (0, 1)


def test_files_of_others_beside_it_are_none_of_it(series: Path) -> None:
    (series.parent / "notes.txt").write_text("of that day")
    names = [f"s_t{t}_z{z}.tif" for t in range(3) for z in range(2)]
    assert [path.name for path in members(series)] == names
    (series.parent / "s_t10_z0.tif").write_bytes(b"")
    (series.parent / names[0]).unlink()
    assert [path.name for path in members(series)] == sorted([*names[1:], "s_t10_z0.tif"])


def test_what_was_just_written_is_looked_into_again(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = series.parent / "s_t0_z0.tif"
    os.utime(fresh)
    looked = Counter[str]()
    monkeypatch.setattr(planes, "is_plane_whole", lambda path: not looked.update([path.name]))
    monkeypatch.setattr(whole_files, "is_at_rest", lambda stamp: stamp.mtime_ns < 1.5e18)
    for _ in range(2):
        planes.probe(series)
    assert (looked[fresh.name], looked["s_t1_z0.tif"]) == (2, 1)
