"""Whose a store is: claimed for one owner, left alone by every other, signed where an earlier version made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import zarr
from cases.stored import acquisition

from storage import naming
from storage.errors import StoreDamagedError, StoreGoneError, StoreTakenError
from storage.omezarr import ownership, places
from storage.omezarr.disks import exchange
from storage.omezarr.image_store import ImageStore, sweep_unfinished
from storage.omezarr.ownership import CLAIMS, Owner

OURS, THEIRS = Owner("a" * 32, 1, "1" * 32), Owner("b" * 32, 1, "2" * 32)


@pytest.fixture(params=["folder", "object store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> naming.Place:
    """Where both want their store."""
    if request.param == "folder":
        return tmp_path / "img.ome.zarr"
    fsspec.filesystem("memory").store.clear()
    return "memory://out/img.ome.zarr"


def test_a_store_is_its_owners_alone(place: naming.Place) -> None:
    assert ImageStore.create(place, acquisition(), owner=OURS).owner == OURS
    assert ImageStore.create(place, acquisition(), owner=OURS).owner == OURS, "the next time point of the same"
    for made in (False, True):
        with pytest.raises(StoreTakenError, match="another database"):
            ImageStore.create(place, acquisition(), owner=THEIRS, made=made)
    with pytest.raises(StoreTakenError, match="of acquisition 1 of this database"):
        ImageStore.open(place, replace(OURS, acquisition=2))
    made_anew_meanwhile = replace(OURS, store="3" * 32)
    with pytest.raises(StoreTakenError):
        ImageStore.open(place, made_anew_meanwhile)
    assert ImageStore.open(place).owner == OURS, "whoever reads need not say who he is"
    assert ImageStore.create(place, acquisition(), owner=OURS, made=True).owner == OURS


def test_a_store_that_was_made_is_not_made_again_in_silence(place: naming.Place) -> None:
    with pytest.raises(StoreGoneError, match="is not there any more"):
        ImageStore.create(place, acquisition(), owner=OURS, made=True)
    assert not places.exists(place)


def test_what_an_earlier_version_made_is_signed_where_results_of_ours_are_in_it(place: naming.Place) -> None:
    assert ImageStore.create(place, acquisition()).owner is None
    with pytest.raises(StoreTakenError, match="of an earlier version"):
        ImageStore.create(place, acquisition(), owner=OURS)
    assert ImageStore.create(place, acquisition(), owner=OURS, made=True).owner == OURS
    with pytest.raises(StoreTakenError):
        ImageStore.open(place, THEIRS)


def test_what_another_program_wrote_is_left_alone(place: naming.Place) -> None:
    zarr.open_group(places.store_at(place), mode="w", zarr_format=2).attrs["made by"] = "somebody"
    with pytest.raises((StoreTakenError, StoreDamagedError)):
        ImageStore.create(place, acquisition(), owner=OURS)
    assert dict(zarr.open_group(places.store_at(place), mode="r").attrs) == {"made by": "somebody"}


def test_of_two_that_make_a_store_at_once_one_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one appears between the look whether the place is free and the step that takes it."""
    place, appear = tmp_path / "img.ome.zarr", exchange.appear

    def late(new: Path, there: Path) -> None:
        monkeypatch.undo()
        ImageStore.create(place, acquisition(), owner=THEIRS)
        appear(new, there)

    monkeypatch.setattr("storage.omezarr.empty_store.appear", late)
    with pytest.raises(StoreTakenError):
        ImageStore.create(place, acquisition(), owner=OURS)
    assert ImageStore.open(place).owner == THEIRS
    assert [path.name for path in tmp_path.iterdir()] == ["img.ome.zarr"], "what lost is removed"


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_of_two_that_claim_a_place_in_an_object_store_never_both_have_it(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes between, who sees another one withdraws: both are asked in every order of their two steps."""
    fsspec.filesystem("memory").store.clear()
    url, put = "memory://out/img.ome.zarr", ownership.claim
    store = places.remote_at(url)
    won: list[Owner] = []

    def tried(owner: Owner) -> None:
        try:
            put(store, owner)
            won.append(owner)
        except StoreTakenError:
            pass

    order = (OURS, THEIRS) if first == "ours" else (THEIRS, OURS)
    listed = type(store).under

    def between(self: object, folder: str) -> list[str]:
        monkeypatch.setattr(type(store), "under", listed)
        tried(order[1])
        return listed(self, folder)  # type: ignore[arg-type]

    monkeypatch.setattr(type(store), "under", between)
    tried(order[0])
    assert len(won) <= 1
    monkeypatch.undo()
    tried(order[0])
    tried(order[1])
    assert len(set(won)) == 1


def test_who_finds_a_store_in_an_object_store_takes_his_claim_back() -> None:
    fsspec.filesystem("memory").store.clear()
    url = "memory://out/img.ome.zarr"
    ImageStore.create(url, acquisition())
    with pytest.raises(StoreTakenError):
        ImageStore.create(url, acquisition(), owner=OURS)
    assert places.remote_at(url).under(CLAIMS) == []


def test_what_another_database_has_not_finished_is_not_swept(tmp_path: Path) -> None:
    ours, theirs = (Path(naming.unfinished(tmp_path / "img.ome.zarr", one.database)) for one in (OURS, THEIRS))
    ours.mkdir()
    theirs.mkdir()
    assert sweep_unfinished(tmp_path, OURS.database) == 1
    assert not ours.exists()
    assert theirs.exists()


@pytest.mark.parametrize("make", [Path, lambda path: f"memory:/{path}"], ids=["folder", "object store"])
def test_a_bundle_is_one_databases(tmp_path: Path, make: Callable[[Path], naming.Place]) -> None:
    fsspec.filesystem("memory").store.clear()
    first = naming.zarr_path(make(tmp_path / "out"), "A", "exp")
    ImageStore.create(first, acquisition(), owner=OURS)
    ImageStore.create(naming.numbered(first, 2), acquisition(), owner=replace(OURS, acquisition=2))
    with pytest.raises(StoreTakenError, match=r"exp\.ome\.zarr"):
        ImageStore.create(naming.numbered(first, 3), acquisition(), owner=THEIRS)
    elsewhere = naming.next_free(naming.numbered(first, 3), "A")
    assert naming.base(naming.parent(elsewhere)) == "exp-2.ome.zarr"
    assert ImageStore.create(elsewhere, acquisition(), owner=THEIRS).owner == THEIRS


@pytest.mark.parametrize(
    ("place", "stem", "expected"),
    [
        ("/out/img.ome.zarr", "img", "/out/img-2.ome.zarr"),
        ("/out/img-2.ome.zarr", "img", "/out/img-3.ome.zarr"),
        ("/out/plate-7.ome.zarr", "plate-7", "/out/plate-7-2.ome.zarr"),
        ("/out/plate-7-9.ome.zarr", "plate-7", "/out/plate-7-10.ome.zarr"),
        ("/out/exp.ome.zarr/4", "exp_4", "/out/exp-2.ome.zarr/4"),
        ("/out/exp-2.ome.zarr/4", "exp_4", "/out/exp-3.ome.zarr/4"),
    ],
)
def test_the_next_free_name(place: str, stem: str, expected: str) -> None:
    assert naming.next_free(Path(place), stem) == Path(expected)
