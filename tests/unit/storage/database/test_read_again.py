"""A source that is read again with other facts, and facts that come with later files of a series."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cases.stored import acquisition, pixels, register, work_off

from storage.database.catalog import Catalog
from storage.description import Origins
from storage.given_facts import GivenFacts
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState

SHA = "0" * 64


def processed(catalog: Catalog, **params: object) -> AcquisitionRow:
    """An acquisition that is complete."""
    row = register(catalog, **params)
    catalog.add_timepoints(row.id, {t: f"f{t}" for t in range(3)})
    work_off(catalog)
    for t in range(3):
        catalog.mark_published(row.id, t)
        catalog.mark_painted(row.id, t)
    return catalog.complete_acquisition(row.id)


def test_where_facts_come_from_is_in_the_row(catalog: Catalog) -> None:
    image = acquisition().with_given(GivenFacts(voxel_size_override_um=(3, 1, 1)))
    image = replace(image, origins=Origins("guessed", "measured"), started_at="2026-01-02T03:04:05")
    row = register(catalog, image)
    assert (row.axes_source, row.voxel_source, row.frame_interval_source) == ("guessed", "configured", "measured")
    assert (row.overruled, row.started_at) == ({"voxel_size_um": [2.0, 0.5, 0.5]}, "2026-01-02T03:04:05")
    assert row.doubts == image.doubts != ()
    plain = register(catalog, acquisition(name="plain"))
    assert (plain.doubts, plain.given, plain.overruled, plain.reading) == ((), {}, {}, 0)


@pytest.mark.parametrize(
    ("image", "params"),
    [
        (acquisition(pixels(t=3).reshape(9, 1, 1, 20, 24)), {"axes": "TYX"}),
        (acquisition().with_given(GivenFacts(voxel_size_override_um=(3, 1, 1))), {}),
        (acquisition(), {"nuclear_channel": 1}),
    ],
    ids=["axes", "voxel size", "channel"],
)
def test_what_a_source_was_taken_for_gives_way_and_keeps_its_name_id_and_place(
    catalog: Catalog, image, params: dict
) -> None:
    before = processed(catalog)
    wanted = catalog.sources.to_replace(image, SHA, params)
    assert wanted == before.id
    given = GivenFacts(axes="TYX")
    path = "/results/embryo.ome.zarr"
    row = catalog.register(
        image, zarr_path=path, model_name="m", model_sha256=SHA, params=params, given=given, replaces=wanted
    )
    assert (row.id, row.name, row.zarr_path, row.reading) == (before.id, before.name, before.zarr_path, 1)
    assert (row.state, row.size_t, row.size_z) == (AcquisitionState.QUEUED, image.size_t, image.size_z)
    assert GivenFacts.restored(row.given) == given
    assert catalog.timepoints(row.id) == []
    assert list(catalog.stored_nuclei(row.id)) == []
    assert catalog.tracker_state(row.id) is None
    assert len(catalog.acquisitions()) == 1
    assert catalog.sources.given(image.source_path) == given
    assert catalog.sources.to_replace(image, SHA, params) is None  # it is what it is taken for now


def test_results_of_other_weights_or_channels_are_no_former_readings(catalog: Catalog) -> None:
    processed(catalog, nuclear_channel=0)
    told = acquisition().with_given(GivenFacts(voxel_size_override_um=(3, 1, 1)))
    for sha, params in (("1" * 64, {"nuclear_channel": 0}), (SHA, {"nuclear_channel": 1}), (SHA, {"minimum": 3})):
        assert catalog.sources.to_replace(told, sha, params, any_channel=False) is None
    assert catalog.sources.to_replace(told, SHA, {"nuclear_channel": 0}, any_channel=False) == 1
    assert catalog.sources.to_replace(acquisition(name="other"), SHA, {}) is None


def test_another_interval_changes_the_seconds_of_tracks_and_nothing_else(catalog: Catalog) -> None:
    before = processed(catalog)
    interval = acquisition().with_given(GivenFacts(frame_interval_s=30.0))
    assert catalog.sources.to_replace(interval, SHA, {}) is None
    row = register(catalog, interval)
    assert (row.id, row.frame_interval_s, row.frame_interval_source) == (before.id, 30.0, "configured")
    assert (row.state, row.overruled) == (AcquisitionState.COMPLETE, {"frame_interval_s": 60.0})
    assert [t for _, t in catalog.unpainted()] == [2]  # by which the store's scale follows
    with catalog._transaction() as connection:
        found = connection.exec_driver_sql(
            "SELECT duration_frames, duration_s, mean_speed_um_per_frame, mean_speed_um_per_s FROM tracks"
        ).all()
    assert len(found) == 3
    for frames, seconds, per_frame, per_second in found:
        assert (frames, seconds, per_second) == (3, 90.0, pytest.approx(per_frame / 30.0))


def test_what_one_file_of_a_series_says_counts_for_all(catalog: Catalog) -> None:
    first = replace(acquisition(pixels(t=1)), first_number=0, remarks=("a says so.",))
    register(catalog, first)
    row = register(catalog, replace(first, frame_interval_s=None, remarks=("b says so.",), size_t=2))
    assert row.frame_interval_s == 60.0
    assert row.doubts[:2] == ("a says so.", "b says so.")
    again = register(catalog, first)
    assert (again.doubts, again.size_t) == (row.doubts, 2)


def test_of_a_single_file_the_latest_look_counts(catalog: Catalog) -> None:
    register(catalog, replace(acquisition(), remarks=("a says so.",)))
    assert register(catalog, acquisition()).doubts == ()


def test_a_request_carries_its_facts(catalog: Catalog) -> None:
    given = GivenFacts(axes="TYX", nuclear_channel=1)
    numbers = [catalog.requests.ask("/in/a.tif", given), catalog.requests.ask("/in/b.tif")]
    assert [(one.id, one.given) for one in catalog.requests.unanswered()] == [
        (numbers[0], given),
        (numbers[1], GivenFacts()),
    ]
    catalog.requests.answer(numbers[0], True, "done")
    answered = catalog.requests.answer_to(numbers[0])
    assert answered is not None
    assert (answered.accepted, answered.answer) == (True, "done")


def test_where_the_order_of_time_points_comes_from_is_a_fact_of_its_own(catalog: Catalog) -> None:
    series = replace(acquisition(name="series"), origins=Origins("metadata", time="names"))
    planes = replace(acquisition(name="planes"), origins=Origins("names"))
    found = [register(catalog, image) for image in (series, planes, acquisition())]
    assert [row.axes_source for row in found] == ["metadata", "names", "metadata"]
    assert [row.time_source for row in found] == ["names", "names", "metadata"]


def test_a_step_that_shows_later_makes_the_store_follow(catalog: Catalog) -> None:
    """An interval that a person gives is from file to file: with the step, one from t to t + 1 is another."""
    image = replace(acquisition(pixels(t=2)), first_number=0, time_points=(0, 3), size_t=4)
    image = image.with_given(GivenFacts(frame_interval_s=30.0))
    row = register(catalog, image)
    assert (row.step, row.seconds_per_t) == (1, 30.0)
    catalog.add_timepoints(row.id, {0: "f0", 3: "f3"})
    work_off(catalog)
    for t in (0, 3):
        catalog.mark_published(row.id, t)
        catalog.mark_painted(row.id, t)
    row = register(catalog, replace(image, time_points=(6,), size_t=7))
    assert (row.step, row.seconds_per_t) == (3, 10.0)
    assert [t for _, t in catalog.unpainted()] == [3]
    assert register(catalog, replace(image, time_points=(6,), size_t=7)).seconds_per_t == 10.0


def test_doubts_of_one_kind_are_kept_once(catalog: Catalog) -> None:
    first = replace(acquisition(pixels(t=1)), first_number=0)
    for number in range(5):
        said = (f"a_t*.tif: number {number} has another size.", "b says so.") if number else ()
        row = register(catalog, replace(first, remarks=said))
    assert row.doubts == ("a_t*.tif: number 1 has another size.", "b says so.")
