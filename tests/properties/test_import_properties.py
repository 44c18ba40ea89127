"""Whatever was corrected: its export makes the same of another copy, and is no difference where it came from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from cases.corrected import CorrectedMovie, assert_consistent, random_word
from cases.lineages import assert_same_lineage

import storage
from storage.corrections.here import carry_out
from storage.corrections.ordering import ordered
from storage.database.catalog import Catalog
from storage.errors import WrongRequestError
from storage.export.exporters import export
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow


def walk(movie: CorrectedMovie, row: AcquisitionRow, seed: int, steps: int) -> None:
    """Say things at random."""
    rng = np.random.default_rng(seed)
    with Catalog.open(movie.output) as catalog:
        for _ in range(steps):
            word = random_word(movie.seen(row), rng)
            try:
                with snapshot(movie.output) as connection:
                    order = None if word is None else ordered(connection, row, word, "me")
            except WrongRequestError:
                continue  # a track that ends there
            if order is not None:
                catalog.corrections.order(row.id, order)
                carry_out(catalog, row.id)


def check(folder: Path, seed: int, steps: int) -> int:
    """Random corrections, exported and taken over; how many differences there were."""
    plain = CorrectedMovie(folder / "plain", frames=4)
    row = plain.process()
    shutil.copytree(plain.output, folder / "edited")
    edited = CorrectedMovie(folder / "edited", frames=4)
    with Catalog.open(edited.output) as catalog:
        corrected = catalog.acquisitions()[0]
    walk(edited, corrected, seed, steps)
    form = ("ctc", "geff")[seed % 2]
    path = export(edited.output, row.id, form, folder / form)
    assert storage.open(edited.output)["embryo"].correct.import_(path).said == []
    report = storage.open(plain.output)["embryo"].correct.import_(path)
    assert report.notes == []
    seen = plain.seen(row)
    assert_consistent(seen)
    assert_same_lineage(seen, edited.seen(corrected))
    return len(report.said)


def test_a_few_corrections_are_taken_over(tmp_path: Path) -> None:
    assert check(tmp_path, seed=2, steps=5) > 0


@pytest.mark.long
def test_many_corrections_are_taken_over(tmp_path: Path) -> None:
    assert sum(check(tmp_path / str(seed), seed, steps=25) for seed in range(3, 15)) > 100
