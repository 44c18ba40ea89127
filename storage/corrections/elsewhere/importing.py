"""Saying how an edited movie differs from what is stored: first of nuclei, then of links, until nothing does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection

from storage.corrections.elsewhere.comparing import (
    NucleusDifferences,
    found_again,
    link_differences,
    link_orders,
    nucleus_differences,
)
from storage.corrections.elsewhere.edited_movie import EditedMovie
from storage.corrections.elsewhere.opening import open_edited
from storage.corrections.having import Having
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED, CORRIGIBLE, MISFIT, ORDERED, CorrectionOrder
from storage.errors import WrongRequestError
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import resolved, snapshot
from storage.schema.rows import AcquisitionRow
from storage.spans import counted

ROUNDS = 6
"""How often links are compared: what is said of one may let its neighbours be joined otherwise."""
OpenEdited = Callable[[Connection, AcquisitionRow], EditedMovie]


@dataclass
class ImportReport:
    """What was found, and what became of it.

    Attributes
    ----------
    name : str
        Of the acquisition.
    first_number : int
        What people call its first time point.
    said : list of CorrectionOrder
        The differences.
    states : Counter
        How many corrections are ``applied``, ``ordered``, or ``does not fit``; none where nothing was to be said yet.
    notes : list of str
        Sentences for what cannot be taken over.
    group : int or None
        The number under which all are undone together.
    """

    name: str
    first_number: int = 0
    said: list[CorrectionOrder] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    group: int | None = None

    @property
    def found(self) -> Counter[str]:
        """How many differences of each kind."""
        return Counter(one.kind for one in self.said)

    def frame(self) -> pd.DataFrame:
        """One row per difference; time points as people write them."""
        columns = ("source_t", "kind", "labels", "to")
        rows = []
        for one in self.said:
            here = [label for t, label in zip(one.times, one.labels, strict=False) if t == one.times[0]]
            later = list(one.labels[len(here) :])
            rows.append((one.times[0] + self.first_number, one.kind, _words(here), _words(later)))
        return pd.DataFrame(rows, columns=list(columns))

    def text(self) -> str:
        """A sentence."""
        if not self.said:
            return f"{self.name}: there is no difference."
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.found.items()))
        line = f"{self.name}: {counted(len(self.said), 'difference')} ({kinds})"
        if not self.states:
            return f"{line}; nothing was said yet."
        parts = [f"{self.states[state]} {word}" for state, word in _STATES.items() if self.states[state]]
        return f"{line}: {', '.join(parts)}; `undo` takes all of them back (import {self.group})."


HIDDEN = "not shown yet"
"""State of labels that are corrected, and not those that readers see."""
_STATES = {APPLIED: "are in force", ORDERED: "wait to be carried out", MISFIT: "do not fit (see `list --open`)"}


def _is_waiting(states: Counter[str]) -> bool:
    return bool(states[ORDERED] or states[HIDDEN])


def _words(labels: Sequence[int]) -> str:
    return ", ".join(map(str, labels))


def import_path(having: Having, path: Path, author: str, dry_run: bool = False) -> ImportReport:
    """Take over what was edited elsewhere: a CTC folder, TrackMate's XML, or a GEFF.

    Raises
    ------
    WrongRequestError, StorageError
        When it cannot be read, does not belong to the acquisition, or nothing of that is done.
    """
    return import_movie(having, lambda connection, row: open_edited(connection, row, path), author, dry_run)


def import_movie(having: Having, opened: OpenEdited, author: str, dry_run: bool = False) -> ImportReport:
    """Say the differences of an edited movie, all of them as one import; with `dry_run` only tell them.

    Raises
    ------
    WrongRequestError, StorageError
        When it cannot be read, does not belong to the acquisition, or nothing of that is done.
    """
    with snapshot(having.url) as connection:
        row = resolved(connection, having.acquisition_id)
        if row.zarr_path is None or row.state.value not in CORRIGIBLE:
            raise WrongRequestError(f"{row.name} is {row.state.value}: import when some of it is done.")
        movie = opened(connection, row)
        differences = nucleus_differences(
            connection, row, movie, author, lambda done, total: having.progress("compared", done, total)
        )
        report = ImportReport(row.name, row.first_number or 0, list(differences.orders), notes=differences.notes)
        if dry_run:
            return _told(connection, row, movie, differences, author, report)
    importing = _Importing(having, movie, author, report)
    if differences.orders and not importing.say(differences.orders):
        report.notes.append("Links are compared when the corrections of nuclei are in force: import again then.")
        return report
    importing.links(differences)
    return report


def _told(
    connection: Connection,
    row: AcquisitionRow,
    movie: EditedMovie,
    differences: NucleusDifferences,
    author: str,
    report: ImportReport,
) -> ImportReport:
    rules, notes = link_differences(connection, row, movie, differences.names)
    report.said += link_orders(connection, row, rules, author)
    report.notes += notes
    if differences.changed:
        report.notes.append("Links of nuclei that are new are compared when these are there.")
    return report


@dataclass
class _Importing:
    having: Having
    movie: EditedMovie
    author: str
    report: ImportReport

    def say(self, orders: Sequence[CorrectionOrder]) -> bool:
        """Say some together; whether they were carried out."""
        having = self.having

        def said(catalog: Catalog) -> int:
            return catalog.corrections.order_together(having.acquisition_id, orders, self.report.group)

        group, states = having.have(said, self._state, lambda found: _is_waiting(found[1]))
        self.report.group, self.report.states = group, states
        return not _is_waiting(states)

    def _state(self, catalog: Catalog, group: int) -> tuple[int, Counter[str]]:
        states = catalog.corrections.states_together(self.having.acquisition_id, group)
        times = {t for one in self.report.said for t in one.times}  # others may come meanwhile
        hidden = any(number == self.having.acquisition_id and t in times for number, t in catalog.all_unpublished())
        return group, states + Counter({HIDDEN: 1} if hidden else {})

    def links(self, differences: NucleusDifferences) -> None:
        """Say what links differ in, and look again: what was freed may have been joined otherwise."""
        names, before = differences.names, None
        for turn in range(ROUNDS + 1):
            with snapshot(self.having.url) as connection:
                row = resolved(connection, self.having.acquisition_id)
                store = ImageStore.open(str(row.zarr_path))
                if turn == 0:
                    names = found_again(store, self.movie, names, differences.changed)
                rules, notes = link_differences(connection, row, self.movie, names)
                if not rules or rules == before or turn == ROUNDS:
                    self.report.notes += notes
                    break
                orders = list(link_orders(connection, row, rules, self.author))
            before = rules
            self.report.said += orders
            if not self.say(orders):
                self.report.notes.append("More links may differ when these are in force: import again then.")
                return
        if rules:
            self.report.notes.append(
                f"{counted(len(rules), 'link')} left as before: what was said of links there does not hold."
            )
