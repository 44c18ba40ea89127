"""When the page looks into the database: after commits, once for all; what is begun is told after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event

import pytest
from cases import family
from sqlalchemy import Connection, insert, text

from daemon.page.live.freshness import marks
from daemon.page.live.freshness.marks import MarkReader, Stamps
from storage import naming
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError
from storage.schema.tables import corrections


class Stage:
    """A database, the reader of its marks, and how often that read it."""

    def __init__(self, results: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.read, self.catalog = 0.0, 0, catalog
        self.reader = MarkReader(naming.database_url(results), lambda: self.now)
        snapshot = marks.snapshot

        def counted(url: str) -> AbstractContextManager[Connection]:
            self.read += 1
            return snapshot(url)

        monkeypatch.setattr(marks, "snapshot", counted)
        monkeypatch.setattr(self.reader._commits, "_clock_ns", lambda: 10**18 * 4)

    def look(self, after_s: float = 1.0) -> marks.Marks:
        self.now += after_s
        return self.reader.look()

    def write(self, column: str, value: str) -> None:
        with self.catalog._transaction() as connection:
            connection.execute(text(f"UPDATE timepoints SET {column} = :value WHERE t = 0"), {"value": value})


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    results = family.fill(tmp_path)
    with Catalog.open(results) as catalog:
        yield Stage(results, catalog, monkeypatch)


def test_nothing_is_read_without_a_commit_and_one_look_is_for_all(stage: Stage) -> None:
    first = stage.look()
    assert [stage.look() for _ in range(10)] == [first] * 10
    assert stage.read == 1
    stage.write("published_at", "2099-01-01T00:00:00.000Z")
    assert stage.look(0.1) == first  # shared with the one before
    assert stage.look(0.3).results != first.results
    assert stage.read == 2


def test_what_is_begun_is_told_after_a_while_and_never_forgotten(stage: Stage) -> None:
    first = stage.look()
    stage.write("started_at", "2099-01-01T00:00:00.000Z")
    assert [stage.look(0.5) for _ in range(4)] == [first] * 4
    last = [stage.look(0.5) for _ in range(4)][-1]
    assert (last.results, last.activity) == (first.results, first.activity)
    assert last.pace != first.pace
    stage.write("started_at", "2099-01-01T00:00:01.000Z")
    stage.reader.hurry()  # somebody ordered something
    assert stage.look(0.0).pace != last.pace


def test_what_could_not_be_read_is_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stage.look()
    stage.write("published_at", "2099-01-01T00:00:00.000Z")
    with monkeypatch.context() as patch:

        def refused(url: str) -> None:
            raise DatabaseUnavailableError("locked")

        patch.setattr(marks, "snapshot", refused)
        with pytest.raises(DatabaseUnavailableError):
            stage.look()
    assert stage.look().results != first.results


def test_a_picture_stays_good_whatever_else_is_committed_and_no_longer(stage: Stage) -> None:
    stamps = Stamps(stage.reader._database)
    stamps.forget("a")
    image, labels = stamps.of_image(1, 0), stamps.of_labels(1, 0)
    assert image == labels != ""
    for number, (column, changes) in enumerate([("painted_at", False), ("published_at", True), ("started_at", False)]):
        stage.write(column, f"2099-01-01T00:00:0{number}.000Z")
        assert stamps.of_image(1, 0) == image  # as long as nobody has looked
        stamps.forget(f"after {column}")
        assert (stamps.of_image(1, 0) != image) == changes
        image = stamps.of_image(1, 0)
    assert stamps.of_image(1, 99) == ""


def test_where_people_correct_labels_are_others_once_they_are_painted(stage: Stage) -> None:
    stamps = Stamps(stage.reader._database)
    before = stamps.of_labels(1, 0)
    said = {"labels": [1], "tracks": [1], "parameters": {}, "author": "anna", "state": "applied", "kind": "delete"}
    when = {"acquisition_id": 1, "t": 0, "source_t": 0, "ordered_at": "2099", "applied_at": "2099"}
    with stage.catalog._transaction() as connection:
        connection.execute(insert(corrections).values(**said, **when))
    seen = {before}
    for value in ("2099-01-01T00:00:00.000Z", "2099-01-01T00:00:01.000Z"):
        stage.write("painted_at", value)
        stamps.forget(value)
        seen.add(stamps.of_labels(1, 0))
    assert len(seen) == 3


def test_many_who_listen_share_one_look_and_without_them_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_LOOK_S", 0.02)
    looks, now = [0], [marks.Marks("a")]

    def look() -> marks.Marks:
        looks[0] += 1
        return now[0]

    async def listen() -> None:
        news = marks.MarkNews(look, Event())
        lines = [news.heard() for _ in range(5)]
        first = [await anext(line) for line in lines]
        assert len(set(first)) == 1
        assert looks[0] < 5, "one look for all"
        now[0] = marks.Marks("a", pace="b")  # work was begun: no other results
        assert [await anext(line) for line in lines] == first
        now[0] = marks.Marks("c")
        assert first[0] not in [await anext(line) for line in lines]
        for line in lines:
            await line.aclose()
        await asyncio.sleep(0.4)
        seen = looks[0]
        await asyncio.sleep(0.2)
        assert looks[0] == seen, "nobody listens"
        again = news.heard()
        assert await anext(again) is not None
        await again.aclose()

    asyncio.run(listen())


def test_who_is_cut_off_takes_the_news_from_nobody_and_holds_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_LOOK_S", 0.02)
    count = [0]

    def look() -> marks.Marks:
        count[0] += 1
        if count[0] == 3:
            raise ValueError("what nobody thought of")
        return marks.Marks(str(count[0] // 2))

    async def listen() -> None:
        news = marks.MarkNews(look, Event())

        async def hear() -> None:
            async for _ in news.heard():
                pass

        for turns in range(60):  # cut off at every step of waiting, and of hearing
            task = asyncio.create_task(hear())
            for _ in range(turns % 12):
                await asyncio.sleep(0.0 if turns < 30 else 0.003)
            task.cancel()
            await asyncio.wait_for(asyncio.wait([task]), 5.0)
        line = news.heard()
        for _ in range(3):
            await asyncio.wait_for(anext(line), 5.0)
        await line.aclose()

    asyncio.run(asyncio.wait_for(listen(), 60.0))
