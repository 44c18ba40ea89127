"""What lands now goes before an archive: when files are looked into, when they are queued, and among workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk

from daemon.watching.arrivals.due_files import DueFiles
from daemon.watching.arrivals.heap import HEAP, Heap
from daemon.watching.arrivals.opened_files import OpenedFiles
from daemon.watching.file_sets import Opening
from daemon.watching.inspection import Open, Opened
from storage.database.catalog import Catalog


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Desk(tmp_path, catalog)


def test_so_many_images_at_once_are_an_archive_and_what_comes_after_them_is_not() -> None:
    heap, files = Heap(), [Path(f"/in/{number}.tif") for number in range(HEAP)]
    for file in files[:-1]:
        heap.found(file, file)
    assert not heap.holds(files[:1])
    heap.found(files[-1], files[-1])
    assert heap.holds(files), "those that were found before as well"
    more, later = Path("/in/more.tif"), Path("/in/later.tif")
    heap.now = 4.0
    heap.found(more, more)
    assert heap.holds([more])
    heap.now = 10.0
    heap.found(later, later)
    assert heap.holds(files)
    assert not heap.holds([later])
    assert not heap.holds([files[0], later])


def test_the_files_of_one_series_are_one_image_however_many_they_are() -> None:
    heap = Heap()
    for number in range(3 * HEAP):
        heap.found(Path(f"/in/a_t{number}.tif"), Path("/in/a"))
    assert not heap.holds([Path("/in/a_t0.tif")])


def test_what_a_person_calls_an_archive_is_one() -> None:
    assert Heap(always=True).holds([Path("/in/a.tif")])


def test_files_of_an_archive_are_looked_into_when_no_other_is_due() -> None:
    due = DueFiles(lambda paths: paths == [Path("old")])
    due.add(1.0, Path("old"))
    due.add(2.0, Path("live"))
    due.add(9.0, Path("not yet"))
    assert [due.next(0.5), due.next(1.5)] == [None, Path("old")]
    due.add(1.0, Path("old"))
    assert [due.next(3.0, False), due.next(3.0, False)] == [Path("live"), None]
    assert [due.next(3.0), due.next(3.0)] == [Path("old"), None]


@pytest.mark.parametrize("live", [True, False])
def test_of_an_archive_one_opened_file_is_queued_in_a_turn_and_after_what_landed(live: bool) -> None:
    """Queueing takes the loop a while, in which nothing that landed comes further."""
    heap = Heap(live=lambda: live)
    heap.holds = lambda paths: all(path.name.startswith("old") for path in paths)  # type: ignore[method-assign]
    opened, queued = OpenedFiles(heap, most=4), list[str]()

    def queue(opening: Opening, answer: Opened) -> None:
        name = opening.request.paths[0].name
        if name == "locked" and "locked" not in refused:
            refused.append(name)
            raise ZeroDivisionError
        queued.append(name)

    refused = list[str]()
    for name in ("old 1", "old 2", "now", "locked", "old 3"):
        opened.add(Opening(Open((Path(name),), None, None)), Opened())
    with pytest.raises(ZeroDivisionError):
        opened.turn(queue)
    assert queued == ["now"]
    opened.turn(queue)
    assert queued == ["now", "locked", "old 1"] + ([] if live else ["old 2", "old 3"])
    for _ in range(3):
        opened.turn(queue)
    assert queued == ["now", "locked", "old 1", "old 2", "old 3"]


def test_a_file_that_lands_beside_a_heap_is_queued_first_and_claimed_first(
    desk: Desk,
) -> None:
    desk.queue_loop.shares.live = True
    for number in range(HEAP + 60):
        desk.put(f"plane {number}.tif", number, shape=(8, 8))
    desk.run(0.0, 6.0)
    desk.put("now.tif", 999, shape=(8, 8))
    desk.run(6.5, 20.0)
    rows = {row.name: row for row in desk.catalog.acquisitions()}
    assert 20 < len(rows) < HEAP + 60, "the heap takes longer"
    assert "now" in rows
    job = desk.catalog.claim_next()
    assert job is not None
    assert (job.acquisition.name, job.archive) == ("now", False)
    other = desk.catalog.claim_next()
    assert other is not None
    assert other.archive
