"""Files that claim what nobody makes: each is refused in a sentence, quickly, and costs no memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from cases.stored import pixels

from daemon.watching.inspection import Look, Looked, Open, Opened, inspect
from storage.errors import StorageError
from storage.omezarr.image_store import ImageStore
from storage.readers import discover, is_own, open_acquisitions, probe

DEEP = "[" * 200_000 + "]" * 200_000
AXES = [{"name": "t", "type": "time"}, *({"name": letter, "type": "space"} for letter in "zyx")]


def ome_zarr(path: Path, separator: str = "/", levels: int = 1) -> Path:
    """A sound OME-Zarr 0.4."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    encoding = {"name": "v2", "separator": separator}
    for i in range(levels):
        data = pixels(2)[:, 0, :, :: 2**i, :: 2**i]
        array = group.create_array(
            str(i), shape=data.shape, chunks=(1, 1, *data.shape[2:]), dtype=data.dtype, chunk_key_encoding=encoding
        )  # type: ignore[call-overload]
        array[:] = data
    steps = [{"type": "scale", "scale": [1, 1, 2**i, 2**i]} for i in range(levels)]
    datasets = [{"path": str(i), "coordinateTransformations": [step]} for i, step in enumerate(steps)]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": AXES, "datasets": datasets}]
    return path


def claim(path: Path, level: str = "0", **said: Any) -> None:
    """Change what the metadata of an array say."""
    file = path / level / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), **said}))


def refused(path: Path) -> str:
    """What is said when it is looked into and opened as the service and `process` do it; no answer raises."""
    tracemalloc.start()
    looked, opened = inspect(Look(path)), inspect(Open((path,), None, None))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100e6
    assert isinstance(looked, Looked)
    assert isinstance(opened, Opened)
    assert looked.completion is not None
    assert looked.completion.state == "incomplete"
    assert opened.error is not None
    assert not opened.may_pass or "copy or export it again" in opened.error
    return looked.completion.reason


@pytest.mark.parametrize("file", [".zattrs", ".zgroup", "0/.zarray", "0/.zattrs"])
def test_deep_json_in_an_ome_zarr_costs_one_file(tmp_path: Path, file: str) -> None:
    good, bad = ome_zarr(tmp_path / "good.ome.zarr"), ome_zarr(tmp_path / "bad.ome.zarr")
    (bad / file).write_text(DEEP)
    assert not is_own(bad)
    assert discover(tmp_path) == [bad, good]
    assert "bad.ome.zarr" in refused(bad)
    with pytest.raises(StorageError):
        open_acquisitions(bad)
    assert probe(good).state == "complete"


@pytest.mark.parametrize("text", ['{"shape": ' + DEEP + "}"])
def test_deep_json_in_a_tiff_costs_one_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), description=text, metadata=None)
    assert "nested too deep" in refused(path)


@pytest.mark.parametrize(
    "said",
    [
        {"shape": [300_000_000, 3, 40, 40]},
        {"shape": [2, 300_000_000, 40, 40]},
        {"shape": [2, 3, 1 << 20, 1 << 20], "chunks": [1, 1, 40, 40]},
        {"shape": [2, 3, 1 << 14, 1 << 14], "chunks": [1, 1, 1, 1]},
        {"chunks": [1, 1 << 20, 1 << 10, 1 << 10]},
    ],
    ids=["time points", "slices", "pixels", "tiny chunks", "huge chunks"],
)
@pytest.mark.parametrize("separator", ["/", "."])
def test_an_ome_zarr_of_an_absurd_size_is_refused(tmp_path: Path, said: dict[str, Any], separator: str) -> None:
    path = ome_zarr(tmp_path / "absurd.ome.zarr", separator)
    claim(path, **said)
    assert "it is damaged, export it again" in refused(path)


@pytest.mark.parametrize("separator", ["/", "."])
def test_many_time_points_that_never_came_cost_nothing(tmp_path: Path, separator: str) -> None:
    path = ome_zarr(tmp_path / "long.ome.zarr", separator)
    claim(path, shape=[3_000_000, 3, *pixels(1).shape[-2:]])
    tracemalloc.start()
    said = probe(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (said.state, said.time_points_ready, most < 100e6) == ("growing", (0, 1), True)


def test_a_linked_array_of_an_absurd_size_is_not_referred_to(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path / "in" / "raw.ome.zarr", levels=2)
    image = open_acquisitions(path)[0]
    claim(path, "1", shape=[300_000_000, 3, 20, 20])
    with pytest.raises(StorageError, match="claims the size"):
        ImageStore.create(tmp_path / "out" / "raw.ome.zarr", image, image="reference")
    assert not (tmp_path / "out" / "raw.ome.zarr").exists()
