"""An image in several files is looked at once, whichever of them comes first and however many there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import images
from cases.stored import pixels
from desk import Desk, Reader

from daemon.watching.inspection import Answer, InspectionRequest, Open, Opened
from storage.database.catalog import Catalog
from storage.schema.states import AcquisitionState

COUNT = 6


def written(desk: Desk, called: str = "embryo-{}") -> list[Path]:
    """A set of files, each with a time point."""
    images.ome_tiff_files(desk.incoming, pixels(COUNT, 1, 2), called)
    return sorted(desk.incoming.iterdir())


def opened(desk: Desk) -> list[tuple[Path, ...]]:
    """What was opened since the last time that it was asked."""
    found = [request.paths for request in desk.reader.asked if isinstance(request, Open)]
    desk.reader.asked.clear()
    return found


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, catalog: Catalog) -> Desk:
    return Desk(tmp_path, catalog)


def test_all_files_of_a_set_cost_one_look(desk: Desk, tmp_path: Path, catalog: Catalog) -> None:
    files = written(desk)
    desk.run(0, 30)
    assert opened(desk) == [(files[0],)]
    (row,) = catalog.acquisitions()
    assert [point.t for point in catalog.timepoints(row.id)] == list(range(COUNT))
    assert desk.queue_loop.ended == {row.id}
    assert desk.intake.settling == 0
    taken = {source.path for source in catalog.sources.taken(desk.incoming)}
    assert taken == {str(file) for file in files}
    after = Desk(tmp_path, catalog)
    after.run(100, 130)
    assert after.reader.asked == [], "what was taken with another file was taken"


def test_one_that_changed_since_is_looked_at_and_leads_to_the_others_again(desk: Desk, catalog: Catalog) -> None:
    files = written(desk)
    desk.run(0, 30)
    opened(desk)
    (row,) = catalog.acquisitions()
    before = {point.t: point.fingerprint for point in catalog.timepoints(row.id)}
    other = desk.incoming.parent / "other"
    other.mkdir()
    images.ome_tiff_files(other, pixels(COUNT, 1, 2) + 1)
    files[4].write_bytes((other / files[4].name).read_bytes() + b" ")
    desk.run(50, 80)
    assert opened(desk) == [(files[4],)]
    after = {point.t: point.fingerprint for point in catalog.timepoints(row.id)}
    assert {t for t in after if after[t] != before[t]} == {4}
    assert len(catalog.acquisitions()) == 1


class Refusing(Reader):
    """Cannot open one file."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def answer(self, request: InspectionRequest) -> Answer:
        if isinstance(request, Open) and request.paths[0].name == self.name:
            return Opened(error=f"{request.paths[0]} is damaged.", identities=(None,))
        return super().answer(request)


def test_when_the_file_that_leads_cannot_be_opened_the_others_are(desk: Desk, catalog: Catalog) -> None:
    """The next of them leads, and what it finds takes the place of the complaint about the first."""
    files = written(desk)
    reader = Refusing(files[0].name)
    desk.reader = desk.intake._inspection_client = reader  # type: ignore[assignment]
    desk.intake.admission._inspection_client = reader  # type: ignore[assignment]
    desk.run(0, 30)
    assert opened(desk) == [(files[0],), (files[1],)]
    (row,) = catalog.acquisitions()
    assert row.state is AcquisitionState.QUEUED
    assert [point.t for point in catalog.timepoints(row.id)] == list(range(COUNT))
    assert desk.intake.settling == 0


def test_files_of_a_set_that_are_numbered_like_a_series_are_one_image(desk: Desk, catalog: Catalog) -> None:
    """Programs write one file per time point and name all of them in each."""
    files = written(desk, "embryo_t{}")
    desk.run(0, 120)
    (row,) = catalog.acquisitions()
    assert [point.t for point in catalog.timepoints(row.id)] == list(range(COUNT))
    assert opened(desk) == [(files[0],)]
    assert desk.queue_loop.ended == {row.id}
    assert desk.intake.settling == 0


def test_a_file_that_was_taken_with_its_set_holds_up_none_after_it(desk: Desk) -> None:
    """It was written last, and had not come to rest when another one of its set was opened."""
    files = written(desk, "embryo_t{}")
    desk.run(0, 1)
    os.utime(files[3])
    desk.run(1.5, 4)
    assert opened(desk) == [(files[0],)]
    assert desk.intake.settling == 0
    further = desk.put("embryo_t6.ome.tif")
    desk.run(4.5, 10)
    assert opened(desk) == [(further,)]
