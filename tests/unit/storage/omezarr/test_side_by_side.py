"""Several processes write into one store: who makes it, and what each of them leaves alone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from cases.stored import acquisition, pixels

from storage import naming
from storage.errors import StoreTakenError
from storage.omezarr import empty_store, places
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner

OURS, THEIRS = Owner("a" * 32, 1, "1" * 32), Owner("b" * 32, 1, "2" * 32)


def made_meanwhile(monkeypatch: pytest.MonkeyPatch, place: Path, owner: Owner) -> None:
    """Another process makes the store just before ours appears."""
    appear = empty_store.appear

    def late(new: Path, where: Path) -> None:
        monkeypatch.setattr(empty_store, "appear", appear)
        ImageStore.create(place, acquisition(), owner=owner, maker="other")
        appear(new, where)

    monkeypatch.setattr(empty_store, "appear", late)


def test_two_workers_that_make_one_store_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "img.ome.zarr"
    made_meanwhile(monkeypatch, place, OURS)
    assert ImageStore.create(place, acquisition(), owner=OURS, maker="one").owner == OURS
    assert [path.name for path in tmp_path.iterdir()] == [place.name], "nothing is left of the other one"


def test_of_two_owners_one_is_told_that_it_was_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "img.ome.zarr"
    made_meanwhile(monkeypatch, place, THEIRS)
    with pytest.raises(StoreTakenError, match="another database"):
        ImageStore.create(place, acquisition(), owner=OURS, maker="one")
    assert ImageStore.open(place).owner == THEIRS


def test_many_that_make_one_store_at_once_all_write_into_it(tmp_path: Path) -> None:
    place, image = tmp_path / "img.ome.zarr", acquisition(pixels(t=6))
    faults: list[BaseException] = []
    gate = threading.Barrier(6)

    def work(t: int) -> None:
        try:
            gate.wait()
            store = ImageStore.create(place, image, owner=OURS, maker=f"worker-{t}")
            labels = np.full((image.size_z, image.size_y, image.size_x), t + 1, np.uint32)
            store.write_timepoint(t, [image.planes(t, c) for c in range(image.size_c)], labels)
        except BaseException as error:  # noqa: BLE001  # shown by the test
            faults.append(error)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    store = ImageStore.open(place)
    for t in range(6):
        store.publish(t)
    assert store.published_timepoints == tuple(range(6))
    assert [int(store.labels(t).max()) for t in range(6)] == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_what_a_dead_worker_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    place = tmp_path / "img.ome.zarr"
    store = ImageStore.create(place, acquisition(pixels(t=3)), owner=OURS)
    labels = np.ones(store.shape[2:], np.uint32)
    dead, alive = [], []
    for t, kept in ((1, dead), (2, alive)):
        store.write_timepoint(t, None, labels)
        for folder in ("labels/nuclei/0", "0"):
            part = place / folder / str(t) / "0" / "chunk.partial"
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(b"half")
            kept.append(part)
    assert store.sweep_timepoint(1) == 2
    assert not any(part.exists() for part in dead)
    assert all(part.exists() for part in alive)


def test_a_store_that_a_dead_worker_was_making_goes_and_that_of_another_stays(tmp_path: Path) -> None:
    place = tmp_path / "img.ome.zarr"
    mine, other = (Path(naming.unfinished(place, OURS.database, maker)) for maker in ("dead", "alive"))
    for half_made in (mine, other):
        half_made.mkdir()
    places.remove_unfinished(place, OURS.database, "dead")
    assert (mine.exists(), other.exists()) == (False, True)
    assert places.sweep_unfinished(tmp_path, OURS.database) == 1, "the next start finds what is left"


def test_who_writes_a_time_point_leaves_another_one_alone_that_is_just_being_replaced(tmp_path: Path) -> None:
    """It is the loop's: only for who comes after a crash it is an interrupted one."""
    place = tmp_path / "img.ome.zarr"
    store = ImageStore.create(place, acquisition(pixels(t=3)), owner=OURS)
    labels = np.ones(store.shape[2:], np.uint32)
    for t in range(2):
        store.write_timepoint(t, None, labels)
        store.publish(t)
    store.write_timepoint(0, None, 2 * labels)
    with store._visible.replacing(0, "timepoint-0"):
        ImageStore.open(place).write_timepoint(1, None, 3 * labels)
        assert store._visible.interrupted() == (0, "timepoint-0")
    store.publish(0)
    store.publish(1)
    assert [int(store.labels(t).max()) for t in range(2)] == [2, 3]
