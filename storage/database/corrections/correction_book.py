"""What the one writer does with corrections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from storage.database.book import Book
from storage.database.corrections import events, wanted
from storage.database.corrections.amend import amend
from storage.database.corrections.amendment import Amended, Amendment
from storage.database.corrections.events import Correction, CorrectionOrder


class CorrectionBook(Book):
    """The part of the catalog that knows about corrections; every method is one transaction."""

    def order(self, acquisition_id: int, said: CorrectionOrder) -> int:
        """Write down what a person says, to be carried out; return its number."""
        with self._transaction() as connection:
            return events.order(connection, acquisition_id, said, self._now())

    def order_together(self, acquisition_id: int, said: Sequence[CorrectionOrder], group: int | None = None) -> int:
        """Write down what is said at once, or with what was said under `group`; return the number of the first."""
        with self._transaction() as connection:
            return events.order_together(connection, acquisition_id, said, group, self._now())

    def states_together(self, acquisition_id: int, group: int) -> Counter[str]:
        """Count the states of corrections that were said together."""
        with self._transaction() as connection:
            return events.states_together(connection, acquisition_id, group)

    def undo(self, acquisition_id: int, number: int | None, author: str, together: bool = False) -> int:
        """Take a correction back, the last one by default; return the number of the event that does.

        The last one is taken back with all that were said together with it, another one where `together` says so.

        Raises
        ------
        WrongRequestError
            When there is none, or it is taken back already.
        """
        with self._transaction() as connection:
            return events.undo(connection, acquisition_id, number, author, self._now(), together)

    def listed(self, acquisition_id: int) -> list[dict[str, Any]]:
        """Return what was said of an acquisition, and what undid it, in that order."""
        with self._transaction() as connection:
            return events.listed(connection, acquisition_id)

    def of(self, acquisition_id: int) -> list[Correction]:
        """Return what was said of an acquisition, in that order."""
        with self._transaction() as connection:
            return events.of_acquisition(connection, acquisition_id)

    def due(self) -> tuple[int, ...]:
        """Return the acquisitions whose rows are not yet as people say, or are to be plain again."""
        with self._transaction() as connection:
            return wanted.due(connection)

    def are_on(self, acquisition_id: int) -> bool:
        """Say whether the rows of an acquisition are corrected now."""
        with self._transaction() as connection:
            return wanted.are_on_now(connection, acquisition_id)

    def only_links(self, acquisition_id: int) -> bool:
        """Say whether what is due of an acquisition speaks of links alone: no labels change."""
        with self._transaction() as connection:
            return wanted.only_links(connection, acquisition_id)

    def are_held(self, acquisition_id: int) -> bool:
        """Say whether nothing that was said counts now: time points are done again, or it was set aside."""
        with self._transaction() as connection:
            return wanted.are_held(connection, acquisition_id)

    def amend(self, acquisition_id: int, amendment: Amendment) -> Amended:
        """Bring rows and tracks to what people say; the labels wait beside the store by now.

        Raises
        ------
        StaleJobError
            When more was said meanwhile: nothing changes.
        """
        with self._transaction() as connection:
            return amend(connection, acquisition_id, amendment, self._now())
