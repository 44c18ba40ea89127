"""A store's metadata without zarr: the same as zarr writes and reads, and nothing else of it is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import zarr
from cases.stored import acquisition, squares

from storage.omezarr.disks.documents import Documents
from storage.omezarr.disks.durable import DurableStore
from storage.omezarr.image_store import ImageStore


@pytest.fixture(params=[2, 3])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=request.param)
    group.create_group("labels").attrs["size"] = [1.5, None, "µm"]
    group.create_array("labels/0", shape=(2, 3, 4), chunks=(1, 3, 4), dtype="u4", fill_value=0)[1] = 7
    return tmp_path / "a.zarr"


def test_what_is_changed_is_what_zarr_reads_then(folder: Path) -> None:
    documents = Documents(DurableStore(folder))
    assert documents.attributes("") == {}
    assert documents.attributes("labels") == {"size": [1.5, None, "µm"]}
    documents.put_attributes("labels", {"size": 2})
    documents.put_attributes("", {"of": "all"})
    documents.lengthen("labels/0", 5)
    documents.lengthen("labels/0", 4)
    assert documents.shape("labels/0") == (5, 3, 4)
    group = zarr.open_group(folder, mode="r")
    array = group["labels/0"]
    assert isinstance(array, zarr.Array)
    assert (dict(group.attrs), dict(group["labels"].attrs)) == ({"of": "all"}, {"size": 2})
    assert (array.shape, int(array[1].min()), array[2:].any()) == ((5, 3, 4), 7, False)
    assert documents.zarr_format("labels") == group.metadata.zarr_format


@pytest.mark.parametrize("there", ["", "[1]", '{"zarr_format": ', '{"shape": "wide"}'])
def test_what_is_damaged_or_missing_is_said_and_never_written(folder: Path, there: str) -> None:
    documents, kind = Documents(DurableStore(folder)), Documents(DurableStore(folder)).zarr_format("")
    array = folder / "labels" / "0" / (".zarray" if kind == 2 else "zarr.json")
    array.write_text(there)
    with pytest.raises(ValueError, match=r"labels/0|Expecting"):
        documents.lengthen("labels/0", 9)
    assert array.read_text() == there
    for missing in (documents.attributes, documents.shape, documents.zarr_format):
        with pytest.raises(FileNotFoundError, match="nothing/here"):
            missing("nothing/here")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_time_points_are_shown_without_zarr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: Literal["0.4", "0.5"]
) -> None:
    """With it, showing thousands of small images would be most of what a service does."""
    image = acquisition()
    store = ImageStore.create(tmp_path / "img.ome.zarr", image, version)
    store.write_timepoint(0, [image.planes(0, 0)], squares(0, 5))
    store.write_tracks(0, {1: 1})

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened with zarr")

    with monkeypatch.context() as without:
        for name in ("open_group", "open_array", "open"):
            without.setattr(zarr, name, refuse)
        again = ImageStore.open(store.path)
        again.keep_interval(30.0)
        again.publish(0)
        again.publish_tracks(0)
    assert (store.published_timepoints, store.painted_timepoints, store.shape[0]) == ((0,), (0,), 1)
    for part in ("0", "labels/nuclei/0", "labels/tracks/0"):
        assert zarr.open_array(store.path, path=part, mode="r").shape[0] == 1
