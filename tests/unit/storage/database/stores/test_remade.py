"""The identity of the database and of its stores, and stores that are made anew with all that was in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.stored import acquisition, nuclei, one_to_one, register, work_off

from storage.database.catalog import Catalog
from storage.errors import StaleJobError
from storage.schema.states import AcquisitionState


def registered(catalog: Catalog, name: str = "img", time_points: int = 3) -> int:
    row = register(catalog, acquisition(name=name), Path("/out"))
    catalog.add_timepoints(row.id, {t: f"print {t}" for t in range(time_points)})
    return row.id


def test_every_database_and_every_store_has_an_identity_of_its_own(catalog: Catalog, tmp_path: Path) -> None:
    one, other = (catalog.acquisition(registered(catalog, name)) for name in ("img", "other"))
    owners = {catalog.stores.owner(one), catalog.stores.owner(other)}
    assert len({owner.store for owner in owners}) == 2
    assert {owner.database for owner in owners} == {catalog.stores.database_id}
    with Catalog.open(tmp_path / "second.sqlite") as second:
        assert second.stores.database_id != catalog.stores.database_id
    assert len(catalog.stores.database_id) == 32


def test_a_job_says_whether_its_store_has_to_be_there(catalog: Catalog) -> None:
    registered(catalog)
    first = catalog.claim_next()
    assert first is not None
    assert not first.store_made
    catalog.commit_timepoint(first, nuclei(0), one_to_one(0, 3), b"", {})
    second = catalog.claim_next()
    assert second is not None
    assert second.store_made


def test_all_that_was_in_a_lost_store_is_queued_again_and_its_rows_stay_meanwhile(catalog: Catalog) -> None:
    number = registered(catalog)
    work_off(catalog)
    for t in range(3):
        catalog.mark_published(number, t)
    before = catalog.acquisition(number)
    assert catalog.stores.renew(number, "It is gone.", elsewhere=False) == 3
    after = catalog.acquisition(number)
    assert after.zarr_path == before.zarr_path
    assert after.store_id != before.store_id
    assert [(row.state, row.error, row.attempts) for row in catalog.timepoints(number)] == [
        ("queued", "It is gone.", 0)
    ] * 3
    assert catalog.all_unpublished() == [], "nothing is pending that is not there"
    assert len(list(catalog.stored_nuclei(number))) == 3
    job = catalog.claim_next()
    assert job is not None
    assert not job.store_made, "it is made by the first of them"
    assert job.needs_replay


def test_what_was_under_way_when_its_store_was_lost_does_not_pass_for_a_new_result(catalog: Catalog) -> None:
    number = registered(catalog)
    old = catalog.claim_next()
    assert old is not None
    catalog.stores.renew(number, "It is gone.", elsewhere=False)
    new = catalog.claim_next()
    assert new is not None
    assert new.t == old.t
    with pytest.raises(StaleJobError):
        catalog.commit_timepoint(old, nuclei(0), one_to_one(0, 3), b"", {})
    assert catalog.commit_timepoint(new, nuclei(0), one_to_one(0, 3), b"", {})


def test_a_place_that_is_taken_is_left_for_the_next_free_one(catalog: Catalog) -> None:
    one, other = registered(catalog), registered(catalog, "img-2")
    assert catalog.stores.renew(one, "It is taken.", elsewhere=True) == 0
    assert catalog.acquisition(one).zarr_path == "/out/img-3.ome.zarr", "another acquisition has the one before"
    assert catalog.acquisition(other).zarr_path == "/out/img-2.ome.zarr"


def test_a_finished_acquisition_whose_store_is_lost_is_in_work_again(catalog: Catalog) -> None:
    number = registered(catalog)
    work_off(catalog)
    catalog.set_acquisition_state(number, AcquisitionState.COMPLETE)
    catalog.stores.renew(number, "It is gone.", elsewhere=False)
    assert catalog.acquisition(number).state is AcquisitionState.PROCESSING


def test_acquisitions_that_are_held_back_wait_and_the_others_go_on(catalog: Catalog) -> None:
    one, other = registered(catalog), registered(catalog, "other")
    job = catalog.claim_next(without={one})
    assert job is not None
    assert job.acquisition_id == other
    assert catalog.claim_next(without={one, other}) is None
