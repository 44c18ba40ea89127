"""Any sequence of corrections and undos: rows, tracks and labels agree, and with all undone they are the plain ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases.corrected import CorrectedMovie, assert_consistent, assert_same_seen, random_word

from storage.corrections.here import carry_out
from storage.corrections.ordering import ordered
from storage.database.catalog import Catalog
from storage.database.corrections.events import MISFIT
from storage.errors import WrongRequestError
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState


def said(movie: CorrectedMovie, catalog: Catalog, row: AcquisitionRow, rng: np.random.Generator) -> None:
    """Say something at random, or undo something."""
    word = random_word(movie.seen(row), rng)
    try:
        if word is None:
            lasting = [one.id for one in catalog.corrections.of(row.id) if one.undone_by is None]
            catalog.corrections.undo(row.id, int(rng.choice(lasting)) if lasting else None, "me")
        else:
            with snapshot(movie.output) as connection:
                order = ordered(connection, row, word, "me")
            catalog.corrections.order(row.id, order)
    except WrongRequestError:
        pass  # nothing to undo, or a track that ends there


def walk(movie: CorrectedMovie, catalog: Catalog, row: AcquisitionRow, seed: int, steps: int) -> int:
    """Say things, and carry them out some at a time; how many did not fit in the end."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for _ in range(int(rng.integers(1, 4))):
            said(movie, catalog, row, rng)
        carry_out(catalog, row.id)
        assert_consistent(movie.seen(row))
    return sum(one.state == MISFIT for one in catalog.corrections.of(row.id))


def check(movie: CorrectedMovie, seed: int, steps: int) -> int:
    """A walk, taken off and put on again, and undone."""
    row = movie.process()
    plain = movie.seen(row)
    with Catalog.open(movie.output) as catalog:
        misfits = walk(movie, catalog, row, seed, steps)
        corrected = movie.seen(row)
        catalog.set_acquisition_state(row.id, AcquisitionState.PROCESSING)
        catalog.set_acquisition_state(row.id, AcquisitionState.SET_ASIDE)
        carry_out(catalog, row.id)
        assert_same_seen(movie.seen(row), plain)
        catalog.set_acquisition_state(row.id, AcquisitionState.PROCESSING)
        catalog.set_acquisition_state(row.id, AcquisitionState.COMPLETE)
        carry_out(catalog, row.id)
        assert_same_seen(movie.seen(row), corrected)
        assert catalog.corrections.due() == ()
        for one in catalog.corrections.of(row.id):
            if one.undone_by is None:
                catalog.corrections.undo(row.id, one.id, "me")
        carry_out(catalog, row.id)
    assert_same_seen(movie.seen(row), plain)
    return misfits


def test_a_few_corrections_leave_nothing_behind_when_they_are_undone(tmp_path: Path) -> None:
    check(CorrectedMovie(tmp_path / "out"), seed=1, steps=3)


@pytest.mark.long
def test_many_corrections_leave_nothing_behind_when_they_are_undone(tmp_path: Path) -> None:
    assert sum(check(CorrectedMovie(tmp_path / str(seed)), seed, steps=25) for seed in range(3, 13)) > 0
