"""Chunks that are absent in an OME-Zarr: left out because they are blank, still to come, or lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from cases.stored import pixels, row_of

from storage.errors import UnreadableInputError
from storage.readers import open_acquisitions, probe, reopen
from storage.readers.zarr_images.shards import ShardIndex

T, C, Z, Y, X = SHAPE = (4, 2, 3, 16, 16)
ARRAY = pixels(T, C, Z, Y, X) + 1
FORMS = ["v2 /", "v2 .", "v3 /", "v3 .", "sharded", "sharded over time"]
UNIT = {"t": ("time", "second"), "c": ("channel", None), **dict.fromkeys("zyx", ("space", "micrometer"))}
AXES = [{"name": name, "type": kind, **({"unit": unit} if unit else {})} for name, (kind, unit) in UNIT.items()]


def store(path: Path, form: str, fill: Any = 0) -> zarr.Array:
    """Return the array of a store without any chunk, each plane in four of them."""
    zarr_format = 2 if form.startswith("v2") else 3
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    scale = [{"type": "scale", "scale": [30.0, 1.0, 2.0, 0.5, 0.25]}]
    said = {"multiscales": [{"axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]}
    group.attrs.update(said if zarr_format == 2 else {"ome": {"version": "0.5", **said}})
    options: dict[str, Any] = {"sharded": {"shards": (1, 1, Z, Y, X)}, "sharded over time": {"shards": (2, C, Z, Y, X)}}
    name = "v2" if zarr_format == 2 else "default"
    key = {"chunk_key_encoding": {"name": name, "separator": "." if form.endswith(".") else "/"}}
    kind = np.uint16 if not isinstance(fill, float) else np.float32
    return group.create_array(
        "0", shape=SHAPE, chunks=(1, 1, 1, 8, 8), dtype=kind, fill_value=fill, **key, **options.get(form, {})
    )


def written(path: Path, form: str, blank: tuple[Any, ...] | None = None, fill: Any = 0) -> Path:
    """Write a store in which one place is blank, so that zarr leaves its chunks out."""
    array = ARRAY.astype(np.float32) if isinstance(fill, float) else ARRAY.copy()
    if blank is not None:
        array[blank] = fill
    store(path, form, fill)[:] = array
    return path


@pytest.mark.parametrize("form", FORMS)
def test_a_store_with_all_chunks_is_whole_and_says_nothing(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "a.ome.zarr", form)
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    assert (found.doubts, found.time_points) == ((), (0, 1, 2, 3))


@pytest.mark.parametrize("form", FORMS)
def test_a_chunk_left_out_of_a_plane_is_legal_and_said(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "a.ome.zarr", form, np.s_[1, 0, 2, :8, 8:])
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    assert found.time_points == (0, 1, 2, 3)
    (doubt,) = found.doubts
    assert doubt.startswith(f"{path} lacks 1 of 24 chunks of the time points 1, which count as 0")


@pytest.mark.parametrize("form", FORMS)
def test_a_plane_without_any_chunk_is_waited_for_then_taken_and_doubted(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "a.ome.zarr", form, np.s_[2, 1, 0])
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready, verdict.doubtful) == ("growing", (0, 1, 3), (2,))
    assert verdict.is_all_there
    assert "has no chunk of 1 plane (t 2, c 1, z 0), which count as 0" in verdict.reason
    (found,) = open_acquisitions(path)
    assert found.time_points == (0, 1, 2, 3)
    assert found.doubts == (verdict.reason,)
    store_array = zarr.open_group(path, mode="r+")["0"]
    store_array[2, 1, 0] = ARRAY[2, 1, 0]  # type: ignore[index]
    assert probe(path).state == "complete"
    assert open_acquisitions(path)[0].doubts == ()


@pytest.mark.parametrize("form", FORMS)
def test_a_time_point_of_which_nothing_came_is_not_there(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.ome.zarr"
    array = store(path, form)
    array[0], array[1, :, :2], array[2] = ARRAY[0], ARRAY[1, :, :2], ARRAY[2]
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready, verdict.doubtful) == ("growing", (0, 2), (1,))
    assert not verdict.is_all_there
    assert "3 of the 4 time points" in verdict.reason
    assert open_acquisitions(path)[0].time_points == (0, 1, 2)


def test_an_absent_chunk_that_would_not_count_as_background_is_waited_for(tmp_path: Path) -> None:
    for name, fill in (("a", 7), ("b", float("nan"))):
        path = written(tmp_path / f"{name}.ome.zarr", "v3 /", np.s_[1, 0, 2, :8, 8:], fill)
        verdict = probe(path)
        assert (verdict.state, verdict.doubtful) == ("growing", (1,))
        assert f"which count as {fill}" in verdict.reason


def test_without_a_fill_value_nothing_may_be_absent(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ome.zarr", "v2 .")
    document = path / "0" / ".zarray"
    document.write_text(json.dumps({**json.loads(document.read_text()), "fill_value": None}))
    assert probe(path).state == "complete"
    (path / "0" / "1.0.2.0.1").unlink()
    verdict = probe(path)
    assert (verdict.state, verdict.doubtful) == ("growing", (1,))
    assert "count as nothing that was said" in verdict.reason


def test_for_one_time_point_the_chunks_of_others_are_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what the worker opens does not cost the more, the longer a store that grows is."""
    from storage.readers.zarr_images import presence

    path = tmp_path / "a.ome.zarr"
    array = store(path, "v3 /")
    array[:3] = ARRAY[:3]
    (found,) = open_acquisitions(path)
    row, looked = row_of(found), list[int]()
    monkeypatch.setattr(presence._Look, "at", lambda self, t: looked.append(t))
    with reopen(row, 2) as again:
        np.testing.assert_array_equal(again.plane(2, 1, 2), ARRAY[2, 1, 2])
        again.fingerprint(2)
    assert not looked


def test_a_shard_that_leads_out_of_the_store_is_not_opened_to_see_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.ome.zarr", "sharded")
    shard, private = path / "0" / "c" / "1" / "0" / "0" / "0" / "0", tmp_path / "private"
    shard.rename(private)
    shard.symlink_to(private)
    asked: list[str] = []
    original = ShardIndex.present
    monkeypatch.setattr(ShardIndex, "present", lambda *given: asked.append(given[1]) or original(*given))
    probe(path)
    (found,) = open_acquisitions(path)
    assert asked
    assert str(shard) not in asked
    with pytest.raises(UnreadableInputError, match="leads out of it"):
        found.plane(1, 0, 0)
