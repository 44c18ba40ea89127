"""What is written down and told when rows follow what people said: of each correction, and of tracks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cases.corrected import SPACING, CorrectedMovie

import storage
from storage.corrections import asking
from storage.corrections.asking import Corrector
from storage.corrections.here import amend_now, carry_out
from storage.corrections.persons_word import PersonsWord
from storage.database.catalog import Catalog
from storage.query.snapshots import snapshot

GONE = "no nucleus that is there now covers the place of the one that was meant"
PLAIN = {"made": [], "changed": [], "removed": [], "new_labels": []}


@pytest.fixture
def movie(tmp_path: Path) -> CorrectedMovie:
    """A movie that is complete."""
    made = CorrectedMovie(tmp_path / "out", 3)
    made.process()
    return made


def rows(movie: CorrectedMovie, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection:
        return connection.execute(query).fetchall()


def said(movie: CorrectedMovie) -> list[tuple[Any, ...]]:
    """Kind, state, reason, whether it counts, and whether the time is known at which it was carried out."""
    return rows(movie, "SELECT kind, state, reason, counted, applied_at IS NOT NULL FROM corrections ORDER BY id")


def changed(movie: CorrectedMovie, number: int) -> dict[str, Any]:
    """What a correction changed, without what was drawn and the ids that tracks keep."""
    [(text,)] = rows(movie, f"SELECT changed FROM corrections WHERE id = {number}")
    return {name: value for name, value in json.loads(text).items() if name not in ("drawn", "track_names")}


def told(movie: CorrectedMovie, after: int = 0) -> list[tuple[str, int | None, Any]]:
    """Events behind the first so many."""
    found = rows(movie, "SELECT kind, t, facts FROM events ORDER BY id")[after:]
    return [(kind, t, json.loads(facts) if facts else None) for kind, t, facts in found]


def um(*at: float) -> tuple[float, float, float]:
    z, y, x = (float(a * s) for a, s in zip(at, SPACING, strict=True))
    return z, y, x


def corrector(movie: CorrectedMovie) -> Corrector:
    return storage.open(movie.output)["embryo"].correct


def test_each_correction_says_what_it_changed_and_when_it_counts(movie: CorrectedMovie) -> None:
    say, before = corrector(movie), len(told(movie))
    split = say.split(1, 1, [um(1, 8, 5), um(1, 8, 9)])
    say.delete(1, 9)
    say.end(0, 5)
    how = "divided by its outline alone: only a service that runs has the network at hand"
    assert changed(movie, 1) == PLAIN | {"labels": [1], "made": [1, 9], "new_labels": [9], "how": how, "tracks": [1, 9]}
    assert changed(movie, 2) == PLAIN | {"labels": [9], "removed": [9], "tracks": [9]}
    assert changed(movie, 3) == {"nodes": [[0, 5]], "tracks": [5, 10]}
    assert said(movie) == [(kind, "applied", None, 1, 1) for kind in ("split", "delete", "end")]
    say.undo(split.id)
    assert said(movie) == [
        ("split", "undone", None, 0, 0),
        ("delete", "does not fit", GONE, 1, 1),
        ("end", "applied", None, 1, 1),
        ("undo", "applied", None, 0, 1),
    ]
    assert changed(movie, 4) == {"tracks": [1]}
    say.undo()
    assert said(movie)[2:] == [
        ("end", "undone", None, 0, 0),
        ("undo", "applied", None, 0, 1),
        ("undo", "applied", None, 0, 1),
    ]
    facts = [facts for kind, _, facts in told(movie, before)]
    assert facts == [
        {"born": [[9, 1]], "ended": [[9, 1]], "final": [9], "renewed": [1], "applied": [1], "misfits": []},
        {"not_born": [[9, 1]], "not_ended": [[9, 1]], "renewed": [1], "applied": [2], "misfits": []},
        {"born": [[5, 1], [10, 0]], "not_born": [[5, 0]], "ended": [[10, 0]], "final": [5, 10], "renewed": [0],
         "applied": [3], "misfits": []},
        {"renewed": [1], "applied": [], "misfits": []},
        {"born": [[5, 0]], "not_born": [[5, 1], [10, 0]], "not_ended": [[10, 0]], "final": [5], "renewed": [0],
         "applied": [], "misfits": []},
    ]  # fmt: skip


def test_of_two_that_cannot_both_be_done_the_second_does_not_fit(movie: CorrectedMovie) -> None:
    """It is told so, and that it was undone takes the reason with it."""
    before = len(told(movie))
    with Catalog.open(movie.output) as catalog:
        [row] = catalog.acquisitions()
        with snapshot(movie.output) as connection:
            order = asking.ordered(connection, row, PersonsWord("delete", 1, (3,)), "me")
        for _ in range(2):
            catalog.corrections.order(row.id, order)
        amended = amend_now(catalog, row)
        assert (amended.to_publish, amended.applied, dict(amended.misfits)) == ((1,), (1,), {2: GONE})
        carry_out(catalog, row.id)
    assert said(movie) == [("delete", "applied", None, 1, 1), ("delete", "does not fit", GONE, 1, 1)]
    assert told(movie, before)[0][2] == {"final": [3], "renewed": [1], "applied": [1], "misfits": [2]}
    corrector(movie).undo(2)
    assert said(movie)[1] == ("delete", "undone", None, 0, 0)


def test_the_label_that_a_correction_gave_is_kept_for_it_while_it_does_not_fit(movie: CorrectedMovie) -> None:
    say = corrector(movie)
    merge = say.merge(1, [1, 2])
    say.split(1, 1, [um(1, 8, 7), um(1, 8, 20)])
    assert changed(movie, 2)["new_labels"] == [9]
    say.undo(merge.id)
    assert said(movie)[1][1:3] == ("does not fit", GONE)
    assert changed(movie, 2) | {"tracks": [], "how": ""} == PLAIN | {
        "labels": [], "new_labels": [9], "tracks": [], "how": ""
    }  # fmt: skip


def test_a_step_of_the_tracker_tells_what_people_see_of_it(tmp_path: Path) -> None:
    movie = CorrectedMovie(tmp_path / "out", 4)
    movie.output.mkdir()
    with Catalog.open(movie.output) as catalog:
        row = movie.queue(catalog)
        movie.advance(catalog, row, 2)
    say = corrector(movie)
    say.end(0, 5)
    say.delete(1, 3)
    before = len(told(movie))
    with Catalog.open(movie.output) as catalog:
        movie.work(catalog, row)
    assert told(movie, before) == [
        ("timepoint", 2, None),
        ("timepoint", 3, None),
        ("tracks", None, {"ended": [[5, 0]], "final": [1, 2, 3, 4, 5, 6, 7, 8, 9]}),
        ("finished", None, {"state": "complete", "reason": None}),
    ]
    ends = rows(movie, "SELECT track_id, first_t, last_t FROM tracks WHERE corrected ORDER BY track_id")
    assert ends == [(3, 0, 3), (5, 0, 0), (9, 1, 3)]
