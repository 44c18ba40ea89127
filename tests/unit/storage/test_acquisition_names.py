"""What acquisitions are called: where they come from; and how people say which one they mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.stored import acquisition, register

from storage import naming
from storage.database.catalog import Catalog
from storage.errors import UnknownAcquisitionError, WrongRequestError
from storage.query.snapshots import resolve


@pytest.mark.parametrize(
    ("template", "folders", "name", "called"),
    [
        (naming.NAME_TEMPLATE, (), "Series001", "Series001"),
        (naming.NAME_TEMPLATE, ("day1",), "Series001", "day1/Series001"),
        (naming.NAME_TEMPLATE, ("2026", "day1"), "Series001", "2026/day1/Series001"),
        (naming.NAME_TEMPLATE, ("2026", "exp_1"), "exp_1", "2026/exp_1"),  # a folder of images with its own name
        ("{name}", ("day1",), "Series001", "Series001"),
        ("{parent}_{name}", ("2026", "day1"), "Series001", "day1_Series001"),
        ("scope2/{folder}/{name}", (), "Series001", "scope2/Series001"),
    ],
)
def test_names_say_where_acquisitions_come_from(
    template: str, folders: tuple[str, ...], name: str, called: str
) -> None:
    assert naming.acquisition_name(template, folders, name) == called


@pytest.mark.parametrize("template", ["{folder}", "x", "{name", "{nam}", "{0}", "{name.stem}", "{name}{x}", ""])
def test_a_template_that_gives_no_names_is_refused(template: str) -> None:
    with pytest.raises(WrongRequestError, match="gives no names: write it with"):
        naming.acquisition_name(template, ("day1",), "Series001")


def test_a_name_fits_the_database() -> None:
    called = naming.acquisition_name(naming.NAME_TEMPLATE, ["a" * 200, "b" * 100], "Series001")
    assert called == f"{'b' * 100}/Series001"


def test_stores_lie_in_folders_as_their_names_say() -> None:
    assert naming.zarr_path("/out", "day1/Series001") == Path("/out/day1/Series001.ome.zarr")
    assert naming.zarr_path("s3://bucket/out", "day1/Series001") == "s3://bucket/out/day1/Series001.ome.zarr"
    assert naming.zarr_path("/out", "day1/exp_A", "day1/exp") == Path("/out/day1/exp.ome.zarr/0")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../b", "/etc/passwd", "./a", "x.ome.zarr/a"])
def test_no_name_leads_out_of_the_output_or_into_a_store(name: str) -> None:
    place = naming.zarr_path("/out", name)
    assert isinstance(place, Path)
    assert place.is_relative_to("/out")
    assert ".." not in place.parts
    assert naming.bundle_of(place) is None


def test_the_last_part_of_a_name_will_do_where_only_one_has_it(tmp_path: Path) -> None:
    with Catalog.open(tmp_path) as catalog:
        rows = [
            register(catalog, acquisition(name=name), output=tmp_path)
            for name in ("day1/Series001", "day2/Series001", "day1/Series002", "Series003", "x/Series003")
        ]
        assert resolve(tmp_path, "Series002") == rows[2].id
        assert resolve(tmp_path, "day1/Series001") == rows[0].id
        assert resolve(tmp_path, "Series003") == rows[3].id, "the whole name comes first"
        with pytest.raises(UnknownAcquisitionError, match="say which, as in day1/Series001, day2/Series001"):
            resolve(tmp_path, "Series001")
        with pytest.raises(UnknownAcquisitionError, match="There is no acquisition 'eries002'"):
            resolve(tmp_path, "eries002")
        with pytest.raises(UnknownAcquisitionError):
            resolve(tmp_path, "%")
