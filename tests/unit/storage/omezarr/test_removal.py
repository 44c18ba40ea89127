"""Removing stores: those that are whose they should be, and a bundle with its last position."""

from __future__ import annotations

import json
from pathlib import Path

from cases.stored import acquisition

from storage import naming
from storage.omezarr import bundles, removal
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner

MINE, OTHER = Owner("a" * 32, 1, "s1"), Owner("b" * 32, 1, "s1")


def test_ones_own_store_goes_and_its_name_is_free(tmp_path: Path) -> None:
    place = tmp_path / "embryo.ome.zarr"
    ImageStore.create(place, acquisition(), owner=MINE)
    assert removal.remove(place, MINE) is None
    assert list(tmp_path.iterdir()) == []
    assert removal.remove(place, MINE) is None, "what is gone is gone"


def test_another_ones_store_is_left(tmp_path: Path) -> None:
    place = tmp_path / "embryo.ome.zarr"
    ImageStore.create(place, acquisition(), owner=OTHER)
    said = removal.remove(place, MINE)
    assert said is not None
    assert "of another database (bbbbbbbbbbbb): it is left alone" in said
    assert ImageStore.open(place).owner == OTHER


def test_what_is_not_ours_or_damaged_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "photos.ome.zarr"
    folder.mkdir()
    (folder / "precious").write_text("x")
    assert "is left as it is" in str(removal.remove(folder, MINE))
    assert (folder / "precious").exists()


def test_a_bundle_goes_with_its_last_position(tmp_path: Path) -> None:
    places = [naming.zarr_path(tmp_path, "x", "exp")]
    places.append(naming.numbered(places[0], 2))
    owners = [Owner(MINE.database, number, f"s{number}") for number in (1, 2)]
    for place, owner in zip(places, owners, strict=True):
        ImageStore.create(place, acquisition(), owner=owner)
    bundle = tmp_path / "exp.ome.zarr"
    assert bundles.positions(bundle) == ["0", "1"]
    assert removal.remove(places[0], owners[0]) is None
    assert bundles.positions(bundle) == ["1"]
    text = (bundle / bundles.METADATA).read_text()
    assert "Image:0" not in text
    assert "Image:1" in text
    assert ImageStore.open(places[1]).owner == owners[1]
    assert removal.remove(places[1], owners[1]) is None
    assert list(tmp_path.iterdir()) == []


def test_at_a_url_everything_goes() -> None:
    place = "memory://removal/embryo.ome.zarr"
    ImageStore.create(place, acquisition(), owner=MINE)
    assert removal.remove(place, MINE) is None
    from storage.omezarr import places

    assert not places.exists(place)
    assert places.remote_at(place).under("") == []


def test_the_description_of_a_store_names_its_owner(tmp_path: Path) -> None:
    place = tmp_path / "embryo.ome.zarr"
    ImageStore.create(place, acquisition(), owner=MINE)
    said = json.loads((place / ".zattrs").read_text())[naming.OWN_ATTRIBUTE]["owner"]
    assert said == {"database": MINE.database, "acquisition": 1, "store": "s1"}
