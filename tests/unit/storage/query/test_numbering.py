"""Numbers of files in the database: kept, shown, asked by; the step between them; files that are none of a series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cases.stored import acquisition, pixels, register, work_off

from storage.acquisition import Acquisition
from storage.database.catalog import Catalog
from storage.description import Origins
from storage.errors import StorageError, WrongRequestError
from storage.query.question import Question
from storage.query.statements import Selection
from storage.results import Results


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


def series(*numbers: int, **facts: Any) -> Acquisition:
    """A series of files with these numbers, the first of which that could be is 1."""
    times = tuple(number - 1 for number in numbers)
    files = tuple(Path(f"/data/a_t{number}.tif") for number in numbers)
    named = {"source_path": Path("/data/a_t*.tif"), "reader": "tiff-sequence", "first_number": 1, "name": "a"}
    return replace(acquisition(), files=files, time_points=times, size_t=max(numbers), **named, **facts)


def add(catalog: Catalog, *numbers: int, **params: object) -> Any:
    row = register(catalog, series(*numbers), **params)
    catalog.add_timepoints(row.id, {number - 1: f"content1-{number}" for number in numbers})
    return catalog.acquisition(row.id)


def test_rows_carry_the_numbers_that_people_wrote(catalog: Catalog, tmp_path: Path) -> None:
    row = add(catalog, 70, 71, 73)
    work_off(catalog)
    assert [(point.t, point.source_t) for point in catalog.timepoints(row.id)] == [(69, 70), (70, 71), (72, 73)]
    results = Results(tmp_path)
    assert set(results["a"].nuclei()["source_t"]) == {70, 71, 73}
    assert results["a"].counts()["source_t"].tolist() == [70, 71, 73]
    tracks = Question.tracks(tmp_path, "a").frame()
    assert (tracks["first_source_t"] - tracks["first_t"]).tolist() == [1] * len(tracks)
    assert (Question.lineage(tmp_path, "a").frame()["last_source_t"].max()) == 73


def test_an_image_without_numbers_counts_from_0(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "content1-a", 1: "content1-b"})
    assert [point.source_t for point in catalog.timepoints(row.id)] == [0, 1]


@pytest.mark.parametrize(("asked", "found"), [(71, [71]), ((71, None), [71, 73]), ((None, 72), [70, 71])])
def test_questions_are_asked_by_these_numbers(catalog: Catalog, tmp_path: Path, asked: Any, found: list[int]) -> None:
    add(catalog, 70, 71, 73)
    work_off(catalog)
    answer = Question.nuclei(tmp_path, "a", Selection(source_t=asked)).frame()
    assert sorted(set(answer["source_t"])) == found


@pytest.mark.parametrize(("asked", "named"), [(72, "time point 72"), ((74, None), "time points 74:"), (0, "point 0")])
def test_a_time_point_that_is_absent_is_a_sentence(catalog: Catalog, tmp_path: Path, asked: Any, named: str) -> None:
    add(catalog, 70, 71, 73)
    for question in (Question.nuclei, Question.tracks, Question.lineage):
        with pytest.raises(WrongRequestError, match=f"a has no .*{named}.*: 70-71, 73 are there"):
            question(tmp_path, "a", Selection(source_t=asked)).frame()


def test_a_step_is_found_over_three_files_and_given_up_when_one_does_not_fit(catalog: Catalog) -> None:
    assert [add(catalog, 1).step, add(catalog, 4).step] == [1, 1]
    row = add(catalog, 7)
    assert (row.step, row.frame_interval_s, row.seconds_per_t) == (3, 180.0, 60.0)
    assert add(catalog, 16).step == 3, "two are absent, the step stays"
    row = add(catalog, 8)
    assert (row.step, row.frame_interval_s) == (1, 60.0)
    assert add(catalog, 19).step == 1


def test_a_person_gives_the_step_and_the_interval(catalog: Catalog) -> None:
    assert add(catalog, 1, 4, 7, step=1).step == 1
    row = register(catalog, series(1, 4, origins=Origins(frame_interval="configured")), step=3)
    assert (row.step, row.frame_interval_s, row.seconds_per_t) == (3, 60.0, 20.0)
    catalog.add_timepoints(row.id, {0: "content1-1", 3: "content1-4"})
    with pytest.raises(StorageError, match="time points 1 and 6, which are not in the steps of 3"):
        register(catalog, series(6), step=3)


def test_what_is_absent_is_counted_in_steps_and_said_as_written(catalog: Catalog) -> None:
    row = add(catalog, 1, 4, 7, 13)
    work_off(catalog)
    for point in catalog.timepoints(row.id):
        catalog.mark_published(row.id, point.t)
        catalog.mark_painted(row.id, point.t)
    assert catalog.complete_acquisition(row.id).error == "1 never arrived (the first is 10)."


def test_times_in_views_follow_the_step(catalog: Catalog, tmp_path: Path) -> None:
    add(catalog, 1, 4, 7)
    work_off(catalog)
    assert Results(tmp_path)["a"].counts()["time_s"].tolist() == [0.0, 180.0, 360.0]


def test_a_further_file_of_another_size_is_none_of_the_series(catalog: Catalog) -> None:
    """And costs nothing that was found; one that takes the place of a known file begins the series anew."""
    row = add(catalog, 1, 2)
    other = replace(series(3), size_x=99)
    with pytest.raises(StorageError, match=r"a_t3.tif has the size .* it is no time point of a; .*--pattern none"):
        register(catalog, other)
    assert [point.t for point in catalog.timepoints(row.id)] == [0, 1]
    register(catalog, replace(series(1), size_x=99))
    assert catalog.timepoints(row.id) == []


def test_pixels_are_those_of_the_first(catalog: Catalog) -> None:
    assert register(catalog, replace(series(1), source=acquisition(pixels(1)).source)).step == 1
