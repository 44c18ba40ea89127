"""Versions that wait beside a store, and what the store says of itself while one is put in place."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr

from storage import naming
from storage.errors import StorageError
from storage.omezarr import places
from storage.omezarr.ownership import Owner
from storage.omezarr.published import PublishedState, initial
from storage.omezarr.staging import Staging


@pytest.fixture(params=["exp.ome.zarr", "exp.ome.zarr/3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store of its own, and a position in a bundle."""
    return tmp_path / str(request.param)


def waiting(staging: Staging, name: str, text: str) -> None:
    store = staging.begin(name)
    store.put_text("nuclei/4", text)
    staging.end(name, ["nuclei"])


def test_a_version_waits_when_it_is_whole_and_leaves_nothing_behind(place: Path) -> None:
    staging, into = Staging(place), places.store_at(place)
    assert not staging.waits("a")
    staging.begin("a").put_text("nuclei/4", "half")
    assert not staging.waits("a")
    waiting(staging, "a", "one")
    assert (staging.waits("a"), staging.waits("b")) == (True, False)
    staging.show("a", into)
    assert into.text("nuclei/4") == "one"
    assert [path.name for path in place.parents[len(place.suffixes) == 0].iterdir()] == ["exp.ome.zarr"]


def test_what_others_wait_for_stays(place: Path) -> None:
    staging, into = Staging(place), places.store_at(place)
    waiting(staging, "a", "one")
    waiting(staging, "b", "other")
    staging.show("a", into)
    assert (staging.waits("a"), staging.waits("b")) == (False, True)
    staging.show("b", into)
    assert into.text("nuclei/4") == "other"
    assert not Path(naming.staging(place)).exists()


def test_another_version_under_the_same_name_begins_empty(place: Path) -> None:
    staging, into = Staging(place), places.store_at(place)
    staging.begin("a").put_text("nuclei/5", "former")
    waiting(staging, "a", "one")
    staging.show("a", into)
    assert into.text("nuclei/5") is None


@pytest.fixture
def state(tmp_path: Path) -> PublishedState:
    place = tmp_path / "a.ome.zarr"
    group = zarr.open_group(place, mode="w", zarr_format=2)
    group.attrs[naming.OWN_ATTRIBUTE] = initial("metadata", "copied")
    return PublishedState(place, places.store_at(place))


def test_a_store_says_which_time_points_are_whole(state: PublishedState) -> None:
    assert state.timepoints("published") == ()
    for t in (3, 0, 1, 3):
        state.add("published", t)
    assert state.timepoints("published") == (0, 1, 3)
    assert state.timepoints("painted") == ()
    assert state.own() | {"published": []} == initial("metadata", "copied")


def test_what_is_said_is_on_the_disk_before_anything_follows(
    state: PublishedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut would leave a store that says other things than the database."""
    on_disk: list[dict[str, object]] = []
    monkeypatch.setattr(state._store, "flush", lambda: on_disk.append(state.own()))
    state.add("published", 3)
    assert [one["published"] for one in on_disk] == [state.own()["published"]]
    with state.replacing(3, "nuclei-3"):
        assert [one["replacing"] for one in on_disk] == [[], [3]]
    assert [(one["replacing"], one["revision"]) for one in on_disk[1:]] == [([3], 0), ([], 1)]
    owner = Owner("of this one", 7, "store")
    assert state.owner() is None
    state.sign(owner)
    assert (Owner.read(on_disk[3]), state.owner(), len(on_disk)) == (owner, owner, 4)


def test_what_an_earlier_version_said_counts_from_nothing(state: PublishedState, tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r+")
    group.attrs[naming.OWN_ATTRIBUTE] = {"published": [[0, 2]], "painted": []}
    assert (state.stamp(0), state.interrupted()) == (0, None)
    with state.replacing(1, "nuclei-1"):
        assert state.stamp(1) is None
    assert (state.stamp(1), state.timepoints("painted")) == (1, ())


def test_each_replacement_is_counted_once_and_said_while_it_lasts(state: PublishedState) -> None:
    """By the same revision before and after, a reader knows that it has read one version."""
    for revision in range(3):
        assert (state.stamp(4), state.interrupted()) == (revision, None)
        with state.replacing(4, "nuclei-4"):
            assert (state.stamp(4), state.stamp(5)) == (None, revision)
            assert state.interrupted() == (4, "nuclei-4")
    assert state.own()["version"] == ""


def test_a_replacement_that_a_crash_stopped_stays_said(state: PublishedState) -> None:
    with pytest.raises(ZeroDivisionError), state.replacing(4, "nuclei-4"):
        raise ZeroDivisionError
    assert (state.stamp(4), state.interrupted()) == (None, (4, "nuclei-4"))


@pytest.mark.parametrize("own", [None, 7, {}, {"published": []}, {"painted": []}])
def test_what_is_not_ours_or_damaged_is_refused(state: PublishedState, tmp_path: Path, own: object) -> None:
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r+")
    if own is None:
        del group.attrs[naming.OWN_ATTRIBUTE]
    else:
        group.attrs[naming.OWN_ATTRIBUTE] = own
    with pytest.raises(StorageError, match="not an OME-Zarr that nusetd wrote" if own is None else "a.ome.zarr"):
        state.own()
