"""What is of an archive waits for what lands now, and no statement looks at more rows where more of them wait."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from cases.stored import acquisition, register
from sqlalchemy import select

from storage import naming
from storage.database import claims
from storage.database.catalog import Catalog
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import timepoints


def queued(catalog: Catalog, name: str, *times: int, archive: bool) -> AcquisitionRow:
    row = register(catalog, acquisition(name=name))
    catalog.add_timepoints(row.id, {t: f"content1-{name} {t}" for t in times}, archive=archive)
    return row


def claimed(catalog: Catalog, **how: bool) -> tuple[str, int] | None:
    job = catalog.claim_next(9, **how)
    return None if job is None else (job.acquisition.name, job.t)


def test_live_time_points_go_before_those_of_archives_whichever_came_first(catalog: Catalog) -> None:
    queued(catalog, "old", 0, 1, archive=True)
    queued(catalog, "live", 0, archive=False)
    assert claimed(catalog) == ("live", 0)
    assert claimed(catalog, archives=False) is None
    assert [claimed(catalog) for _ in range(3)] == [("old", 0), ("old", 1), None]


def test_what_lands_takes_along_what_is_before_it(catalog: Catalog) -> None:
    """Else it would wait for its own acquisition's first time points, and they for everybody else's."""
    queued(catalog, "old", 0, archive=True)
    row = queued(catalog, "live", 0, archive=True)
    catalog.add_timepoints(row.id, {1: "content1-live 1"}, archive=False)
    assert [claimed(catalog) for _ in range(3)] == [("live", 0), ("live", 1), ("old", 0)]


def test_no_claim_and_no_search_walks_through_what_waits(catalog: Catalog) -> None:
    """Else each of many files costs more than the one before it."""
    queued(catalog, "old", *range(20), archive=True)
    values = {"now": "2026", "at_once": 4, "without": [], "ahead": 64, "archive": False}
    path = naming.sqlite_path(catalog.url)
    assert path is not None
    with catalog._transaction() as connection:
        compiled = [
            claims._ready(False).params(values),
            claims._ready(True).params(values),
            claims._open_channels(),
            select(timepoints.c.id).where(timepoints.c.fingerprint.in_(["a", "b"])),
        ]
        texts = [
            str(one.compile(connection, compile_kwargs={"literal_binds": True, "render_postcompile": True}))
            for one in compiled
        ]
    with closing(sqlite3.connect(path)) as connection:
        for text in texts:
            plan = [row[3] for row in connection.execute(f"explain query plan {text}")]
            walks = ("SCAN timepoints", "SCAN acquisitions", "USE TEMP B-TREE")
            assert not [step for step in plan if step.startswith(walks)], (text, plan)
        plan = [row[3] for row in connection.execute(f"explain query plan {texts[0]}")]
    assert "state=? AND archive=?" in plan[0]


def test_the_cost_of_a_new_name_does_not_grow_with_the_number_of_names(catalog: Catalog) -> None:
    def asked(name: str) -> int:
        count = 0
        with catalog._transaction() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.set_progress_handler(lambda: None, 0)

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        with catalog._transaction() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.set_progress_handler(step, 10)
        queued(catalog, name, 0, archive=False)
        with catalog._transaction() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.set_progress_handler(None, 0)
        return count

    few = [asked(f"a{number}") for number in range(3)][-1]
    for number in range(300):
        queued(catalog, f"b{number}", 0, archive=True)
    assert asked("c") < few + 20, "steps of the database, in tens"
