"""What readers are promised when a time point that they see gets another version."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from cases.stored import acquisition, pixels

from storage import naming
from storage.errors import StorageError
from storage.omezarr.disks import exchange
from storage.omezarr.growing import GrowingPyramid
from storage.omezarr.image_store import ImageStore

SIZE = (2, 1, 9, 300, 40)  # two levels, two chunks along z and y


def planes(value: int) -> list[np.ndarray]:
    """Slices that all hold one value."""
    return [np.full(SIZE[3:], value, dtype=np.uint16) for _ in range(SIZE[2])]


def volume(value: int) -> np.ndarray:
    """Labels that all have one value."""
    return np.full(SIZE[2:], value, dtype=np.uint32)


def write(store: ImageStore, t: int, value: int) -> None:
    """Write a version of a time point."""
    store.write_timepoint(t, [planes(value)], volume(value))


def live(store: ImageStore, t: int) -> dict[str, set[int]]:
    """The values that a plain reader finds at each level of each array."""
    root = zarr.open_group(store.path, mode="r")
    names = ("0", "1", "labels/nuclei/0", "labels/nuclei/1")
    return {name: set(np.unique(np.asarray(root[name][t])).tolist()) for name in names}  # type: ignore[index]


def everywhere(value: int) -> dict[str, set[int]]:
    """What `live` returns when all of a time point is of one version."""
    return {name: {value} for name in ("0", "1", "labels/nuclei/0", "labels/nuclei/1")}


@pytest.fixture
def version() -> str:
    """The version of OME-Zarr, where a test does not ask for another."""
    return "0.4"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each version of OME-Zarr a store whose time points 0 and 1 are published, of version 1."""
    made = {}
    for version in ("0.4", "0.5"):
        store = ImageStore.create(tmp_path_factory.mktemp("made") / "s.ome.zarr", acquisition(pixels(*SIZE)), version)
        for t in range(2):
            write(store, t, 1)
            store.publish(t)
        made[version] = Path(store.path)
    return made


@pytest.fixture
def store(version: str, published: dict[str, Path], tmp_path: Path) -> ImageStore:
    """A copy of it."""
    return ImageStore.open(shutil.copytree(published[version], tmp_path / "embryo.ome.zarr"))


@pytest.fixture(params=["exchange", "file by file"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A disk that exchanges two names in one step, and one that cannot."""
    if request.param == "file by file":
        monkeypatch.setattr(exchange, "_exchange", lambda one, other: False)
    return str(request.param)


@pytest.mark.usefixtures("disk")
def test_a_new_version_is_not_seen_before_it_is_published(store: ImageStore) -> None:
    write(store, 0, 2)
    assert live(store, 0) == everywhere(1)
    assert set(np.unique(store.labels(0))) == {1}
    store.publish(0)
    assert live(store, 0) == everywhere(2)
    assert live(store, 1) == everywhere(1)
    assert not Path(naming.staging(store.path)).exists()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.usefixtures("disk")
def test_what_became_background_is_background(store: ImageStore) -> None:
    emptier = np.zeros(SIZE[2:], dtype=np.uint32)
    emptier[0, 0, 0] = 7
    store.write_timepoint(0, None, emptier)
    store.publish(0)
    np.testing.assert_array_equal(store.labels(0), emptier)
    assert set(np.unique(store.image(0, 0))) == {1}, "the image was not given, so it stays"
    store.write_timepoint(0, None, np.zeros(SIZE[2:], dtype=np.uint32))
    store.publish(0)
    assert not store.labels(0).any()
    write(store, 0, 3)
    store.publish(0)
    assert live(store, 0) == everywhere(3)
    assert not list(store.path.rglob(exchange.MANIFEST))


@pytest.mark.usefixtures("disk")
def test_painted_tracks_are_replaced_in_the_same_way(store: ImageStore) -> None:
    for track in (5, 6):
        store.write_tracks(0, {1: track})
        if track == 6:
            assert set(np.unique(store.track_labels(0))) == {5}
        store.publish_tracks(0)
    assert set(np.unique(store.track_labels(0))) == {6}


class CrashError(Exception):
    """Stands for the end of the process."""


@contextmanager
def before_each_change(of_the_disk: Callable[[], None]) -> Iterator[None]:
    """Do something before each change of the disk that is made inside."""

    def preceded(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any, **options: Any) -> Any:
            of_the_disk()
            return real(*arguments, **options)

        return change

    with pytest.MonkeyPatch.context() as patch:
        for where, name in ((os, "rename"), (os, "replace"), (shutil, "rmtree"), (exchange, "_exchange")):
            patch.setattr(where, name, preceded(getattr(where, name)))
        patch.setattr(Path, "unlink", preceded(Path.unlink))
        yield


def steps_of(action: Callable[[], None], stop_before: int) -> int:
    """Do something and crash before the given change of the disk; return the number of changes made."""
    done = 0

    def count() -> None:
        nonlocal done
        if done == stop_before:
            raise CrashError
        done += 1

    with before_each_change(count):
        try:
            action()
        except CrashError:
            return -1
    return done


class Slowly:
    """Does something in a thread that makes a change of the disk when it is told to."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action, self.over = action, False
        self._go, self._halts = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._do)

    def _do(self) -> None:
        try:
            self._action()
        finally:
            self.over = True
            self._halts.release()

    def halt(self) -> None:
        """Wait in its thread; others go on."""
        if threading.current_thread() is self._thread:
            self._halts.release()
            self._go.acquire()

    def go(self, changes: int) -> None:
        """Let it make so many changes, or fewer where it ends."""
        if self._thread.ident is None:
            self._thread.start()
            self._halts.acquire()
        while changes and not self.over:
            self._go.release()
            self._halts.acquire()
            changes -= 1

    def end(self) -> None:
        """Let it end."""
        self.go(1000)
        self._thread.join()


@pytest.mark.usefixtures("disk")
def test_a_crash_at_any_step_is_made_good(store: ImageStore) -> None:
    value, crashes = 1, 0
    while True:
        value += 1
        write(store, 0, value)
        if steps_of(lambda: store.publish(0), stop_before=crashes) >= 0:
            break
        ImageStore.open(store.path).publish(0)
        assert live(store, 0) == everywhere(value), f"after a crash at step {crashes}"
        crashes += 1
    assert crashes > 8
    assert live(store, 0) == everywhere(value)
    assert not list(store.path.rglob(exchange.MANIFEST))


@pytest.mark.usefixtures("disk")
def test_who_writes_next_completes_what_a_crash_left_half_replaced(store: ImageStore) -> None:
    store.write_tracks(0, {1: 1})
    store.publish_tracks(0)
    track, crashes = 1, 0
    while True:
        track += 1
        store.write_tracks(0, {1: track})
        if steps_of(lambda: store.publish_tracks(0), stop_before=crashes) >= 0:
            break
        again = ImageStore.open(store.path)
        if crashes % 3 == 0:
            again.sweep()
        elif crashes % 3 == 1:
            again.publish(1)
        else:
            again.write_tracks(0, {1: 9})
        assert set(np.unique(again.track_labels(0))) <= {track - 1, track}, f"after a crash at step {crashes}"
        again.write_tracks(0, {1: track})
        again.publish_tracks(0)
        assert set(np.unique(again.track_labels(0))) == {track}
        crashes += 1
    assert crashes > 4


@pytest.mark.usefixtures("disk")
def test_a_version_that_waits_is_not_shown_because_another_was_interrupted(store: ImageStore) -> None:
    for track in (5, 6):
        store.write_tracks(0, {1: track})
        if track == 5:
            store.publish_tracks(0)
    write(store, 0, 2)  # whole, but never committed
    crashes = 0
    while store._visible.interrupted() is None:
        assert steps_of(lambda: store.publish_tracks(0), stop_before=crashes) < 0
        crashes += 1
    ImageStore.open(store.path).sweep()
    assert store._visible.interrupted() is None
    assert set(np.unique(store.track_labels(0))) == {6}
    assert live(store, 0) == everywhere(1)


def test_a_version_that_was_never_whole_is_never_shown(store: ImageStore) -> None:
    class Breaks(list):  # type: ignore[type-arg]
        def __getitem__(self, z: Any) -> Any:
            if z == SIZE[2] - 1:
                raise OSError(28, "No space left on device")
            return super().__getitem__(z)

    with pytest.raises(StorageError, match="No space left"):
        store.write_timepoint(0, [Breaks(planes(2))], volume(2))
    store.publish(0)
    assert live(store, 0) == everywhere(1)


def test_who_reads_the_same_revision_twice_has_read_one_version(store: ImageStore) -> None:
    before = store._visible.stamp(0)
    write(store, 0, 2)
    with store._visible.replacing(0, "timepoint-0"):
        assert store._visible.stamp(0) is None
        assert store._visible.stamp(1) == before
    store.publish(0)
    assert store._visible.stamp(0) not in (before, None)


def test_a_replacement_that_never_ends_is_one_sentence(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.omezarr.image_store._PAUSE_S", 0.0)
    write(store, 0, 2)
    own = store._visible.own()
    store._visible._write({**own, "replacing": [0]})
    with pytest.raises(StorageError, match="does not come to rest"):
        store.labels(0)
    store.publish(0)
    assert set(np.unique(store.labels(0))) == {2}


def test_what_was_read_while_another_version_came_is_read_again(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replacement begins and ends between two chunks of one read: only the second look at the stamp tells."""
    write(store, 0, 2)
    real, reads = GrowingPyramid.read, list[set[int]]()

    def read(self: GrowingPyramid, t: int, c: int | None, z: slice) -> np.ndarray:
        block = real(self, t, c, slice(0, 8))
        if not reads:
            ImageStore.open(store.path).publish(0)
        block = np.concatenate([block, real(self, t, c, slice(8, SIZE[2]))])
        reads.append(set(np.unique(block).tolist()))
        return block

    monkeypatch.setattr(GrowingPyramid, "read", read)
    assert set(np.unique(store.labels(0))) == {2}
    assert reads == [{1, 2}, {2}], "the first read is a mixture, which nobody may see"


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("between", [1, 3, 1000])
def test_a_reader_never_gets_a_mixture(store: ImageStore, monkeypatch: pytest.MonkeyPatch, between: int) -> None:
    """A read begins at each step of a replacement, and so many steps go by between its two chunks."""
    monkeypatch.setattr("storage.omezarr.image_store._TRIES", 1)
    monkeypatch.setattr("storage.omezarr.image_store._PAUSE_S", 0.0)
    real = GrowingPyramid.read

    def read(self: GrowingPyramid, t: int, c: int | None, z: slice) -> np.ndarray:
        first = real(self, t, c, slice(0, 8))
        replacing.go(between)
        return np.concatenate([first, real(self, t, c, slice(8, SIZE[2]))])

    monkeypatch.setattr(GrowingPyramid, "read", read)
    begin, over = 0, False
    while not over:
        store.write_timepoint(0, None, volume(begin + 2))
        replacing = Slowly(lambda: ImageStore.open(store.path).publish(0))
        with before_each_change(replacing.halt):
            replacing.go(begin)
            over = replacing.over
            with suppress(StorageError):  # it says that it is being replaced
                assert len(np.unique(store.labels(0))) == 1, f"at step {begin}"
            replacing.end()
        begin += 1
    assert set(np.unique(store.labels(0))) == {begin + 1}
    assert begin > 5


def test_a_store_of_an_earlier_reading_gives_way_to_one_of_the_next(store: ImageStore, tmp_path: Path) -> None:
    """The same place, with other axes or voxels; nothing that waited to be shown in the old one appears in the new."""
    write(store, 0, 7)  # waits to be shown
    image = acquisition(pixels(*SIZE[:2], 1, *SIZE[3:]))
    new = ImageStore.create(store.path, image, reading=1)
    assert (new.path, new.published_timepoints, new.shape) == (store.path, (), (0, 1, 1, *SIZE[3:]))
    new.write_timepoint(0, [planes(2)[:1]], volume(2)[:1])
    new.publish(0)
    assert live(new, 0) == everywhere(2)
    assert ImageStore.create(store.path, image, reading=1).published_timepoints == (0,)
    assert [one.name for one in tmp_path.iterdir()] == ["embryo.ome.zarr"]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_scale_along_time_follows_another_interval(store: ImageStore) -> None:
    for interval, said in ((30.0, (30.0, "second")), (None, (1.0, None))):
        store.keep_interval(interval)
        for part in ("", "labels/nuclei", "labels/tracks"):
            attributes = dict(zarr.open_group(store.path, path=part, mode="r").attrs)
            (entry,) = attributes.get("ome", attributes)["multiscales"]
            scales = {one["coordinateTransformations"][0]["scale"][0] for one in entry["datasets"]}
            assert (scales, entry["axes"][0].get("unit")) == ({said[0]}, said[1])
            assert entry["axes"][-1]["unit"] == "micrometer"
