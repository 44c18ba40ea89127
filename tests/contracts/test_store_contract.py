"""What the OME-Zarr store promises, in each version of the format."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr
from cases.stored import acquisition, pixels, squares

from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.omezarr.image_store import ImageStore, sweep_unfinished
from storage.readers import is_own, open_acquisitions

SIZE = (3, 2, 9, 258, 130)  # two levels, two chunks along z and y, the last ones not full


def poll(path: str, stop: Any, rounds: Any, blanks: Any) -> None:
    """Read like a viewer while the store grows: the newest time point of every array must never be blank."""
    while not stop.is_set():
        root = zarr.open_group(path, mode="r")
        for name in ("0", "1", "labels/nuclei/0", "labels/nuclei/1"):
            array = root[name]
            if array.shape[0]:
                newest = np.asarray(array[array.shape[0] - 1])  # type: ignore[index]
                blanks.value += not newest.any(axis=(-1, -2)).all()
        rounds.value += 1


class PlanesWhileRead(Sequence[np.ndarray]):
    """Planes whose last one is given only after the polling reader has gone round once more since the first one."""

    def __init__(self, planes: Sequence[np.ndarray], rounds: Any) -> None:
        self.planes = planes
        self.rounds = rounds

    def __len__(self) -> int:
        return len(self.planes)

    def __getitem__(self, z: Any) -> Any:
        if z == len(self.planes) - 1:
            seen, deadline = self.rounds.value, time.monotonic() + 60
            while self.rounds.value < seen + 2 and time.monotonic() < deadline:
                time.sleep(0.005)
        return self.planes[z]


@pytest.fixture(scope="module")
def image() -> Acquisition:
    """Two channels, 9 slices, 258 x 130 pixels, none of them 0."""
    return acquisition(pixels(*SIZE) + 1)


class StoreContract:
    """The battery."""

    version: ClassVar[str]

    @pytest.fixture
    def store(self, tmp_path: Path, image: Acquisition) -> ImageStore:
        """An empty store."""
        return ImageStore.create(tmp_path / "embryo.ome.zarr", image, self.version)

    def labels(self, t: int) -> np.ndarray:
        """Labels with an object in every corner of the volume."""
        found = squares(t, 12, SIZE[2:])
        found[:, -3:, -3:] = 40 + t
        return found

    def write(self, store: ImageStore, image: Acquisition, t: int) -> None:
        store.write_timepoint(t, [image.planes(t, c) for c in range(image.size_c)], self.labels(t))

    def test_what_is_written_comes_back(self, store: ImageStore, image: Acquisition) -> None:
        for t in range(2):
            self.write(store, image, t)
            store.publish(t)
        again = ImageStore.open(store.path)
        assert again.shape == (2, *SIZE[1:])
        for t in range(2):
            np.testing.assert_array_equal(again.labels(t), self.labels(t))
            assert again.labels(t).dtype == np.uint32
            for c in range(2):
                np.testing.assert_array_equal(again.image(t, c), image.source.pixels[t, c])  # type: ignore[attr-defined]
            np.testing.assert_array_equal(again.labels(t, slice(3, 5)), self.labels(t)[3:5])

    def test_nothing_is_seen_before_it_is_published(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        root = zarr.open_group(store.path, mode="r")
        for name in ("0", "1", "labels/nuclei/0", "labels/nuclei/1", "labels/tracks/0"):
            assert root[name].shape[0] == 0
        assert store.published_timepoints == ()
        store.publish(0)
        root = zarr.open_group(store.path, mode="r")
        assert [root[n].shape[0] for n in ("0", "1", "labels/nuclei/0", "labels/nuclei/1", "labels/tracks/0")] == [
            1, 1, 1, 1, 0,
        ]  # fmt: skip
        assert store.published_timepoints == (0,)

    def test_publishing_twice_changes_nothing(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*") if path.is_file()}
        store.publish(0)
        assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*") if path.is_file()} == before

    def test_writing_again_leaves_nothing_of_the_old(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        emptier = np.zeros(SIZE[2:], dtype=np.uint32)
        emptier[0, 0, 0] = 5
        store.write_timepoint(0, None, emptier)
        store.publish(0)
        np.testing.assert_array_equal(store.labels(0), emptier)
        np.testing.assert_array_equal(store.image(0, 1), image.source.pixels[0, 1])  # type: ignore[attr-defined]

    def test_levels_are_smaller_copies(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        root = zarr.open_group(store.path, mode="r")
        small = np.asarray(root["labels/nuclei/1"][0])  # type: ignore[index]
        np.testing.assert_array_equal(small, self.labels(0)[:, ::2, ::2])
        full = image.source.pixels[0, 0].astype(float)  # type: ignore[attr-defined]
        mean = full.reshape(SIZE[2], 129, 2, 65, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(np.asarray(root["1"][0, 0]), mean, atol=0.51)  # type: ignore[index]
        assert "2" not in root

    def test_chunks_never_span_time_points(self, store: ImageStore) -> None:
        for name in ("0", "1", "labels/nuclei/0", "labels/tracks/0"):
            array = zarr.open_group(store.path, mode="r")[name]
            assert (array.shards or array.chunks)[0] == 1

    def test_tracks_are_painted_and_then_shown(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        track_of = {label: 1000 + label for label in range(1, 12)}  # 12 and 40 have no track
        store.write_tracks(0, track_of)
        assert zarr.open_group(store.path, mode="r")["labels/tracks/0"].shape[0] == 0
        store.publish_tracks(0)
        labels = self.labels(0)
        expected = np.where((labels > 0) & (labels < 12), labels + 1000, 0)
        np.testing.assert_array_equal(store.track_labels(0), expected)
        assert store.painted_timepoints == (0,)

    def test_a_time_point_without_nuclei(self, store: ImageStore, image: Acquisition) -> None:
        store.write_timepoint(0, [image.planes(0, c) for c in range(2)], np.zeros(SIZE[2:], dtype=np.uint32))
        store.publish(0)
        store.write_tracks(0, {})
        store.publish_tracks(0)
        assert not store.labels(0).any()
        assert not store.track_labels(0).any()

    def test_time_points_out_of_order(self, store: ImageStore, image: Acquisition) -> None:
        for t in (2, 0):
            self.write(store, image, t)
            store.publish(t)
        assert store.published_timepoints == (0, 2)
        assert store.shape[0] == 3
        np.testing.assert_array_equal(store.labels(0), self.labels(0))
        assert not store.labels(1).any()

    def test_a_reader_that_polls_sees_no_blank(self, store: ImageStore, image: Acquisition) -> None:
        context = multiprocessing.get_context("spawn")
        stop, rounds, blanks = context.Event(), context.Value("i", 0), context.Value("i", 0)
        reader = context.Process(target=poll, args=(str(store.path), stop, rounds, blanks))
        reader.start()
        for t in range(3):
            planes = [image.planes(t, 0), PlanesWhileRead(image.planes(t, 1), rounds)]
            store.write_timepoint(t, planes, self.labels(t))
            store.publish(t)
        stop.set()
        reader.join(60)
        assert reader.exitcode == 0
        assert rounds.value >= 3 * 2
        assert blanks.value == 0

    def test_it_is_valid_by_the_specification(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        group = zarr.open_group(store.path, mode="r")
        if self.version == "0.4":
            from ome_zarr_models.v04 import Image, ImageLabel
        else:
            from ome_zarr_models.v05 import Image, ImageLabel  # type: ignore[assignment]
        assert Image.from_zarr(group)
        assert group.metadata.zarr_format == {"0.4": 2, "0.5": 3}[self.version]
        for name in ("nuclei", "tracks"):
            assert ImageLabel.from_zarr(group[f"labels/{name}"])  # type: ignore[arg-type]

    def test_the_metadata_say_what_is_known(self, store: ImageStore) -> None:
        attributes = dict(zarr.open_group(store.path, mode="r").attrs)
        ome = attributes if self.version == "0.4" else attributes["ome"]
        scales = ome["multiscales"][0]
        units = {axis["name"]: axis.get("unit") for axis in scales["axes"]}
        assert units == {"t": "second", "c": None, "z": "micrometer", "y": "micrometer", "x": "micrometer"}
        steps = [level["coordinateTransformations"][0]["scale"] for level in scales["datasets"]]
        assert steps == [[60.0, 1.0, 2.0, 0.5, 0.5], [60.0, 1.0, 2.0, 1.0, 1.0]]
        assert [channel["label"] for channel in ome["omero"]["channels"]] == ["channel 0", "channel 1"]
        assert ome["omero"]["channels"][0]["window"]["end"] > ome["omero"]["channels"][0]["window"]["start"]
        nuclei = dict(zarr.open_group(store.path, mode="r")["labels/nuclei"].attrs)
        nuclei = nuclei if self.version == "0.4" else nuclei["ome"]
        axes = [axis["name"] for axis in nuclei["multiscales"][0]["axes"]]
        assert axes == ["t", "z", "y", "x"]
        assert nuclei["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] == [60.0, 2.0, 0.5, 0.5]

    def test_without_a_voxel_size_no_unit_is_claimed(self, tmp_path: Path) -> None:
        store = ImageStore.create(tmp_path / "x.ome.zarr", acquisition(voxel=False), self.version)
        attributes = dict(zarr.open_group(store.path, mode="r").attrs)
        ome = attributes if self.version == "0.4" else attributes["ome"]
        assert all("unit" not in axis for axis in ome["multiscales"][0]["axes"] if axis["type"] == "space")

    def test_our_own_reader_reads_it_and_knows_it(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        assert is_own(store.path)
        with open_acquisitions(store.path)[0] as again:
            assert again.voxel_size_um == (2.0, 0.5, 0.5)
            np.testing.assert_array_equal(again.plane(0, 1, 8), image.plane(0, 1, 8))

    def test_it_works_where_hard_links_are_refused(
        self, tmp_path: Path, image: Acquisition, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", refuse)
        store = ImageStore.create(tmp_path / "share.ome.zarr", image, self.version)
        self.write(store, image, 0)
        store.publish(0)
        np.testing.assert_array_equal(store.labels(0), self.labels(0))

    def test_everything_is_on_the_disk_before_a_write_returns(
        self, store: ImageStore, image: Acquisition, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: set[str] = set()
        real = os.fsync

        def note(handle: int) -> None:
            synced.add(os.readlink(f"/proc/self/fd/{handle}"))
            real(handle)

        before = {str(path) for path in store.path.rglob("*")}
        monkeypatch.setattr(os, "fsync", note)
        self.write(store, image, 0)
        new = {str(path) for path in store.path.rglob("*")} - before
        assert new
        assert new <= synced
        synced.clear()
        store.publish(0)
        name = ".zarray" if self.version == "0.4" else "zarr.json"  # beside its place, before it goes there
        assert {f"{store.path / level / name}.partial" for level in ("0", "1", "labels/nuclei/0")} <= synced
        assert {str(store.path / level) for level in ("0", "1", "labels/nuclei/0")} <= synced

    def test_creating_again_opens_the_same(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        again = ImageStore.create(store.path, image, self.version)
        assert again.published_timepoints == (0,)

    def test_a_store_of_another_size_is_refused(self, store: ImageStore) -> None:
        with pytest.raises(StorageError, match="holds an image of size"):
            ImageStore.create(store.path, acquisition(), self.version)

    def test_labels_of_another_shape_are_refused(self, store: ImageStore, image: Acquisition) -> None:
        with pytest.raises(StorageError, match="do not fit"):
            store.write_timepoint(0, None, np.zeros((1, 2, 3), dtype=np.uint32))
        with pytest.raises(StorageError, match="wants 2 channels"):
            store.write_timepoint(0, [image.planes(0, 0)], self.labels(0))

    def test_leftovers_of_a_crash_are_swept(self, store: ImageStore, image: Acquisition) -> None:
        self.write(store, image, 0)
        store.publish(0)
        (store.path / "0" / "1.deadbeef.partial").write_bytes(b"half a chunk")
        unfinished = store.path.with_name("other.ome.zarr.partial")
        (unfinished / "0").mkdir(parents=True)
        assert store.sweep() == 1
        assert sweep_unfinished(store.path.parent) == 1
        assert not unfinished.exists()
        np.testing.assert_array_equal(store.labels(0), self.labels(0))

    def test_a_crash_while_making_it_leaves_nothing_in_the_way(self, tmp_path: Path, image: Acquisition) -> None:
        unfinished = tmp_path / "embryo.ome.zarr.partial"
        unfinished.mkdir()
        (unfinished / ".zgroup").write_text("half")
        store = ImageStore.create(tmp_path / "embryo.ome.zarr", image, self.version)
        assert store.shape == (0, *SIZE[1:])

    def test_a_store_in_a_second_process_grows_in_the_first(self, store: ImageStore, image: Acquisition) -> None:
        """The worker writes with one object, the daemon publishes with another."""
        other = ImageStore.open(store.path)
        for t in range(3):
            self.write(store, image, t)
            other.publish(t)
        store.write_tracks(2, {1: 7})
        other.publish_tracks(2)
        assert store.published_timepoints == (0, 1, 2)
        assert store.track_labels(2).max() == 7


class TestVersion04(StoreContract):
    version = "0.4"


class TestVersion05(StoreContract):
    version = "0.5"


@pytest.fixture
def junk(tmp_path: Path) -> Path:
    """A folder that is no store."""
    (tmp_path / "junk.ome.zarr").mkdir()
    (tmp_path / "junk.ome.zarr" / "letter.txt").write_text("dear reader")
    return tmp_path / "junk.ome.zarr"


def test_a_folder_that_is_not_ours_is_never_written_to(junk: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read as OME-Zarr"):
        ImageStore.create(junk, acquisition())
    assert [path.name for path in junk.iterdir()] == ["letter.txt"]


def test_somebody_elses_zarr_is_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "x.ome.zarr", mode="w", zarr_format=2)
    with pytest.raises(StorageError, match="not an OME-Zarr that nusetd wrote"):
        ImageStore.create(tmp_path / "x.ome.zarr", acquisition())


def test_an_absent_store_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there"):
        ImageStore.open(tmp_path / "x.ome.zarr")


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"choose 0\.4 or 0\.5"):
        ImageStore.create(tmp_path / "x.ome.zarr", acquisition(), "0.6")
