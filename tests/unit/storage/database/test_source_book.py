"""What the database knows of sources: fingerprints of versions before, the same content, places that changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cases.stored import acquisition

from storage.database.catalog import Catalog
from storage.database.sources.source_book import Elsewhere
from storage.database.sources.taken_files import Source
from storage.description import Description
from storage.found import Found
from storage.schema.rows import AcquisitionRow

OLD_FILE = "1000-{}-" + "ab" * 16  # size, time of change, hash of both ends
PARAMS = {"image": "copy"}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


def registered(catalog: Catalog, described: Description | None = None, **params: object) -> AcquisitionRow:
    described = described or acquisition().description
    return catalog.register(
        described, zarr_path=Path(f"/out/{described.name}.ome.zarr"), model_name="m", model_sha256="0" * 64,
        params={**PARAMS, **params},
    )  # fmt: skip


def fingerprints(catalog: Catalog, row: AcquisitionRow) -> list[str | None]:
    return [point.fingerprint for point in catalog.timepoints(row.id)]


def found_at(path: str, texts: dict[int, str], former: dict[int, str] | None = None, **facts: object) -> Found:
    described = replace(acquisition().description, source_path=Path(path), files=(Path(path),), **facts)  # type: ignore[arg-type]
    return Found(described, texts, former or {})


def test_an_upgrade_queues_nothing_and_brings_fingerprints_up_to_date(catalog: Catalog) -> None:
    row = registered(catalog)
    stored = {0: OLD_FILE.format(5), 1: "pages-1", 2: "chunks-2"}
    assert catalog.add_timepoints(row.id, stored) == (0, 1, 2)
    new = {t: f"content1-{t}" for t in stored}
    former = {**stored, 0: OLD_FILE.format(99)}  # another time of change says nothing
    assert catalog.add_timepoints(row.id, new, former=former) == ()
    assert fingerprints(catalog, row) == list(new.values())
    assert catalog.add_timepoints(row.id, new) == ()
    assert catalog.add_timepoints(row.id, {**new, 1: "content1-x"}, former=former) == (1,)


def test_what_changed_since_an_older_version_is_queued(catalog: Catalog) -> None:
    row = registered(catalog)
    catalog.add_timepoints(row.id, {0: OLD_FILE.format(5), 1: "pages-1", 2: "pages-2"})
    other = {0: "1001-5-" + "ab" * 16, 1: "pages-other"}
    assert catalog.add_timepoints(row.id, {t: f"content1-{t}" for t in range(3)}, former=other) == (0, 1, 2)


def test_a_running_time_point_keeps_the_fingerprint_that_its_worker_was_given(catalog: Catalog) -> None:
    row = registered(catalog)
    catalog.add_timepoints(row.id, {0: "pages-0"})
    job = catalog.claim_next()
    assert job is not None
    catalog.add_timepoints(row.id, {0: "content1-0"}, former={0: "pages-0"})
    assert fingerprints(catalog, row) == ["pages-0"]


def test_the_same_content_is_confirmed_and_noted(catalog: Catalog) -> None:
    row = registered(catalog)
    path = row.source_path
    catalog.add_timepoints(row.id, {0: "content1-0", 1: "pages-1"})
    taken = [Source(path, 10, 20, 1, True)]
    same = found_at(path, {0: "content1-0", 1: "content1-1"}, {1: "pages-1"})
    assert catalog.sources.confirm(same, taken) == row.id
    assert fingerprints(catalog, row) == ["content1-0", "content1-1"]
    assert [(one.path, one.mtime_ns) for one in catalog.sources.taken(Path(path).parent)] == [(path, 20)]
    assert catalog.sources.confirm(found_at(path, {0: "content1-other"})) is None
    assert catalog.sources.confirm(found_at(path, {0: "content1-0", 5: "content1-5"})) is None, "one is new"
    assert catalog.sources.confirm(found_at("/elsewhere.tif", {0: "content1-0"})) is None


def test_where_the_same_content_lay_before(catalog: Catalog) -> None:
    row = registered(catalog)
    path = Path(row.source_path)
    catalog.add_timepoints(row.id, {0: "content1-0", 1: "content1-1"}, {0: path, 1: path})
    new = found_at("/new/place.tif", {0: "content1-0", 1: "content1-1"})
    assert catalog.sources.elsewhere(new) == (Elsewhere(row.source_path, (path,)),)
    assert catalog.sources.elsewhere(found_at("/new/place.tif", {0: "content1-0", 1: "content1-x"})) == ()
    assert catalog.sources.elsewhere(found_at("/new/place.tif", {0: "content1-0"}, size_z=7)) == ()
    assert catalog.sources.elsewhere(found_at(row.source_path, {0: "content1-0"})) == (), "it is known where it is"
    catalog.sources.relocate(row.source_path, new)
    moved = catalog.acquisition(row.id)
    assert (moved.source_path, moved.source_key, moved.name) == ("/new/place.tif", "/new/place.tif", row.name)
    assert catalog.sources.elsewhere(found_at(str(path), {0: "content1-0"})) == (
        Elsewhere("/new/place.tif", (Path("/new/place.tif"),)),
    )


def test_an_image_by_reference_is_not_moved(catalog: Catalog) -> None:
    """Its store has links to where it lay."""
    row = registered(catalog, image="reference")
    catalog.add_timepoints(row.id, {0: "content1-0"})
    assert catalog.sources.elsewhere(found_at("/new/place.tif", {0: "content1-0"})) == ()


def test_the_files_of_a_moved_series_are_written_with_their_numbers(catalog: Catalog, tmp_path: Path) -> None:
    series = {"reader": "tiff-sequence", "first_number": 1}
    described = replace(acquisition().description, source_path=tmp_path / "a_t*.tif", **series)  # type: ignore[arg-type]
    row = registered(catalog, described)
    files = {t: tmp_path / f"a_t{t + 1:03d}.tif" for t in range(2)}
    catalog.add_timepoints(row.id, {0: "content1-0", 1: "content1-1"}, files)
    new = found_at("/new/b_t*.tif", {1: "content1-1"}, **series)
    assert catalog.sources.elsewhere(new) == (Elsewhere(row.source_path, tuple(files.values())),)
    catalog.sources.relocate(row.source_path, new)
    counted_from_0 = found_at("/other/c_t*.tif", {2: "content1-1"}, **{**series, "first_number": 0})
    (elsewhere,) = catalog.sources.elsewhere(counted_from_0)
    assert elsewhere.files == (Path("/new/b_t001.tif"), Path("/new/b_t002.tif"))
