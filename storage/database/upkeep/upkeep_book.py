"""The part of the catalog for results after they are made: moved, forgotten, problems dismissed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import select

from storage.connection.database_folder import folder_of
from storage.database.book import Book
from storage.database.corrections import events
from storage.database.sources.taken_files import Source
from storage.database.upkeep import dismissal, forgetting, merging, relocation, superseded
from storage.naming import Place
from storage.schema.rows import AcquisitionRow, acquisition_row
from storage.schema.states import AcquisitionState
from storage.schema.tables import acquisitions, forgotten_sources


class UpkeepBook(Book):
    """Every method is one transaction.

    Parameters
    ----------
    transaction : callable
        Gives a transaction of the one writer.
    now : callable
        The present moment as text.
    """

    def move(self, old: Place, new: Place) -> relocation.Relocated:
        """Write down that all stores and sources in a folder (or the one that it is) lie elsewhere now.

        Raises
        ------
        WrongRequestError
            When something else is known under the new path already.
        """
        with self._transaction() as connection:
            return relocation.relocate(connection, old, new)

    def take(self, other: UpkeepBook, number: int) -> merging.TakenOver:
        """Take over the acquisition with this number in another database, with results and corrections."""
        with self._transaction() as target, other._transaction() as source:
            return merging.take(source, target, number)

    def take_rest(self, other: UpkeepBook) -> None:
        """Take over from another database what is of no acquisition."""
        with self._transaction() as target, other._transaction() as source:
            merging.take_rest(source, target)

    def refuse_under_way(self, acquisition_id: int) -> None:
        """Refuse to forget an acquisition that is just being worked on.

        Raises
        ------
        UnknownAcquisitionError, WrongRequestError
        """
        with self._transaction() as connection:
            forgetting.refuse_under_way(connection, acquisition_id)

    def forget_some(self, acquisition_id: int) -> bool:
        """Remove some of an acquisition's rows; True when nothing is left of it.

        Raises
        ------
        UnknownAcquisitionError
        WrongRequestError
            When it is being processed.
        """
        with self._transaction() as connection:
            return forgetting.forget_some(connection, acquisition_id, self._now())

    def forgotten_files(self, folder: Path) -> list[Source]:
        """Return the files in a folder whose results were forgotten, as they looked when they were taken."""
        inside = forgotten_sources.c.path.startswith(str(folder).rstrip("/") + "/", autoescape=True)
        with self._transaction() as connection:
            rows = connection.execute(select(forgotten_sources).where(inside)).mappings().all()
        return [Source(row["path"], row["size"], row["mtime_ns"], row["files"], row["readable"]) for row in rows]

    def superseded(self, series_id: int) -> list[AcquisitionRow]:
        """Return the results of single files that are done in a series by now."""
        with self._transaction() as connection:
            return superseded.superseded(connection, series_id)

    def dismiss(self, numbers: Iterable[int] | None) -> int:
        """Have the problems of these acquisitions (None: of all) told no more; return of how many there were some."""
        with self._transaction() as connection:
            return dismissal.dismiss(connection, numbers, self._now())

    def files_with_problems(self, most: int) -> Mapping[int, tuple[Path, ...]]:
        """Return, by acquisition, the files that could not be processed and are told of."""
        with self._transaction() as connection:
            return dismissal.files_with_problems(connection, most)

    def complete_before(self, moment: str, most: int) -> list[AcquisitionRow]:
        """Return the acquisitions that are complete since before a moment, oldest first; not what people corrected."""
        table = acquisitions
        query = select(table).where(table.c.state == AcquisitionState.COMPLETE.value, table.c.completed_at < moment)
        query = query.where(~events.are_said(table.c.id))
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(table.c.completed_at, table.c.id).limit(most)).mappings().all()
            return [acquisition_row(row, folder_of(connection)) for row in rows]
