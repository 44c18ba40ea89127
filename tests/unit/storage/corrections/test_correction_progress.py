"""How far corrections have come, as `status`, list and page tell it; and labels that are just being replaced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cases.corrected import CorrectedMovie

from daemon.cli import main
from daemon.monitoring import status
from storage.corrections import asking
from storage.corrections.here import amend_now, carry_out
from storage.corrections.persons_word import PersonsWord
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED
from storage.errors import LabelsChangingError
from storage.query.correcting import correction_progress
from storage.query.snapshots import snapshot


@pytest.fixture
def movie(tmp_path: Path) -> CorrectedMovie:
    """A movie that is complete."""
    made = CorrectedMovie(tmp_path / "out", 3)
    made.process()
    return made


@pytest.fixture
def catalog(movie: CorrectedMovie) -> Iterator[Catalog]:
    """Its database."""
    with Catalog.open(movie.output) as opened:
        yield opened


def told(movie: CorrectedMovie) -> list[str]:
    """The sentences, which `status` has as well."""
    with snapshot(movie.output) as connection:
        found = [one.sentence for one in correction_progress(connection)]
    seen = status.look(movie.output, datetime.now(UTC))
    lines = [line[12:] for line in status.lines(seen) if line.startswith("corrections")]
    assert lines == found
    assert len(seen.as_dict()["corrections"]) == len(found)
    return found


def test_what_waits_and_what_is_painted_is_told_until_all_is_done(
    movie: CorrectedMovie, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    [row] = catalog.acquisitions()
    assert told(movie) == []
    with snapshot(movie.output) as connection:
        words = (PersonsWord("delete", 1, (3,)), PersonsWord("unlink", 0, (5,), (5,)))
        orders = [asking.ordered(connection, row, word, "me") for word in words]
    for order in orders:
        catalog.corrections.order(row.id, order)
    assert told(movie) == ["embryo: 2 to be carried out"]
    amended = amend_now(catalog, row)
    assert amended.to_publish == (1,)
    [sentence] = told(movie)
    assert sentence.startswith("embryo: 0 of ")
    assert sentence.endswith(" time points are painted")
    assert main(["correct", "embryo", "list", "--database", str(movie.output)]) == 0
    assert sentence in capsys.readouterr().err
    carry_out(catalog, row.id)
    assert told(movie) == []


def test_labels_that_are_just_being_replaced_are_waited_for(
    movie: CorrectedMovie, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    ordered = asking.ordered

    def changing(*given: Any) -> Any:
        tries.append(given)
        if len(tries) < 3:
            raise LabelsChangingError("Labels are just being replaced.")
        return ordered(*given)

    monkeypatch.setattr(asking, "ordered", changing)
    monkeypatch.setattr(asking, "_LOOK_S", 0.0)
    say = asking.Corrector(str(movie.output), 1, author="me")
    assert say.delete(1, 3).state == APPLIED
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(LabelsChangingError):
        asking.Corrector(str(movie.output), 1, wait_s=0.0, author="me").delete(1, 4)
