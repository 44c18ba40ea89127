"""What was found in acquisitions, in words: cells, divisions, and what people said of them before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from daemon.processing.steps.books import Seen
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED, MISFIT, UNDO
from storage.query.question import Question
from storage.query.statements import Selection


def outcomes_in_words(catalog: Catalog, acquisition_ids: Collection[int]) -> dict[int, str]:
    """Return what was found in each of these acquisitions: what is tracked counts, not how often it was detected."""
    wanted = Selection(columns=("id", "cells_count", "divisions_count"))
    table = Question.acquisitions(catalog.address, wanted).frame()
    rows = zip(*(table[name].tolist() for name in wanted.columns or ()), strict=True)
    return {
        int(number): f", {cells} cell{'s' * (cells != 1)} at the end, {divided} division{'s' * (divided != 1)}"
        f"{_corrected(catalog, int(number))}"
        for number, cells, divided in rows
        if number in acquisition_ids
    }


def set_aside_in_words(failed: Sequence[Seen]) -> str:
    """What a run says of time points of one acquisition that an earlier one left, and that it set aside."""
    count, name = len(failed), failed[0].acquisition.name
    points, were = ("time point", "was") if count == 1 else ("time points", "were")
    return f"{name}: {count} {points} that an earlier run left {were} set aside: {failed[0].reason}"


def _corrected(catalog: Catalog, acquisition_id: int) -> str:
    """How many corrections count, also those that another result of the same source had, and how many do not."""
    said = [one for one in catalog.corrections.listed(acquisition_id) if one["kind"] != UNDO]
    states = Counter(one["state"] for one in said if one["undone_by"] is None)
    words = {APPLIED: "applied", MISFIT: f"not fitting (`nusetd correct {acquisition_id} list --open`)"}
    told = [f"{states[state]} {word}" for state, word in words.items() if states[state]]
    return f", corrections: {', '.join(told)}" if told else ""
