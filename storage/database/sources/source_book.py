"""Where sources lie: which files were taken, which of them only look different, and which lie elsewhere by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, select, union, update

from storage.connection.database_folder import folder_of
from storage.database import claims, registration
from storage.database.book import Book
from storage.database.readings import former
from storage.database.registration import GEOMETRY, source_key
from storage.database.sources import taken_files
from storage.description import Description
from storage.found import Found
from storage.given_facts import GivenFacts
from storage.readers import names
from storage.readers.fingerprint import is_former, same_content
from storage.schema.rows import AcquisitionRow, acquisition_row
from storage.schema.tables import acquisitions, requests, sources, timepoints

_NOTHING = GivenFacts()


@dataclass(frozen=True)
class Elsewhere:
    """A source with the same content at another path: it was moved, if nothing of it is there any more.

    Attributes
    ----------
    source_path : str
    files : tuple of Path
        What held its time points.
    """

    source_path: str
    files: tuple[Path, ...]


class SourceBook(Book):
    """The part of the catalog that knows about sources; every method is one transaction.

    Parameters
    ----------
    transaction : callable
        Gives a transaction of the one writer.
    now : callable
        The present moment as text.
    """

    def taken(self, folder: Path) -> list[taken_files.Source]:
        """Return the files that were taken, or set aside, from a folder and the folders inside."""
        with self._transaction() as connection:
            return taken_files.under(connection, folder)

    def given(self, source_path: str | Path) -> GivenFacts:
        """Return what a person said of a source alone: a file with all its images, or a series."""
        key = source_key(source_path)
        here = (acquisitions.c.source_key == key) | acquisitions.c.source_key.startswith(f"{key}#", autoescape=True)
        query = select(acquisitions.c.given).where(here).order_by(acquisitions.c.id.desc())
        with self._transaction() as connection:
            return next((GivenFacts.restored(said) for said in connection.execute(query).scalars() if said), _NOTHING)

    def to_replace(
        self, description: Description, model_sha256: str, params: Mapping[str, Any], any_channel: bool = True
    ) -> int | None:
        """Return the acquisition that the same source was taken for before, with other facts than now.

        With `any_channel` the nuclear channel is one of these facts, and other weights or parameters do not count where
        there is no result of the present ones.
        """
        with self._transaction() as connection:
            return former.to_replace(connection, description, model_sha256, params, any_channel)

    def note_stages(self, acquisition_id: int, stages_um: Mapping[int, tuple[float, float]]) -> None:
        """Write down where the stage stood, (y, x), at time points of an acquisition."""
        if not stages_um:
            return
        with self._transaction() as connection:
            for t, (y, x) in stages_um.items():
                here = (timepoints.c.acquisition_id == acquisition_id) & (timepoints.c.t == t)
                place = {"stage_y_um": float(y), "stage_x_um": float(x)}
                connection.execute(update(timepoints).where(here).values(place))

    def confirm(self, found: Found, taken: Iterable[taken_files.Source] = ()) -> int | None:
        """Return the acquisition that has the content that was found at its source's path; None when none has.

        Fingerprints of versions before are brought up to date, and the files are noted as taken.
        """
        with self._transaction() as connection:
            key = source_key(found.description.source_path)
            here = (acquisitions.c.source_key == key) & acquisitions.c.zarr_path.is_not(None)
            newest_first = select(acquisitions).where(here).order_by(acquisitions.c.id.desc())
            for row in connection.execute(newest_first).mappings().all():
                known = _matching(connection, row, found)
                if known is not None:
                    registration.refresh(connection, known.values(), _shifted(found, row))
                    taken_files.note(connection, int(row["id"]), taken)
                    return int(row["id"])
        return None

    def returned(self, path: Path) -> tuple[int, ...]:
        """Queue again what failed of a file that was away and is back as it was; return the acquisitions' ids."""
        with self._transaction() as connection:
            return claims.retry_file(connection, str(path), self._now())

    def results(self, source_path: str | Path) -> list[AcquisitionRow]:
        """Return all acquisitions of a source, oldest first."""
        mine = select(acquisitions).where(acquisitions.c.source_key == source_key(source_path))
        with self._transaction() as connection:
            rows = connection.execute(mine.order_by(acquisitions.c.id)).mappings().all()
            return [acquisition_row(row, folder_of(connection)) for row in rows]

    def take_again(self, acquisition_id: int, request: int, answer: str) -> tuple[Path, ...]:
        """Have the files of an acquisition count as new ones, and answer the request for it in the same transaction.

        So whoever is stopped right afterwards still takes them. Returned are the files.
        """
        with self._transaction() as connection:
            row = connection.execute(select(acquisitions).where(acquisitions.c.id == acquisition_id)).mappings().one()
            named = [str(path) for path in _files(connection, row)]
            named.append(str(names.file_of_image(Path(row["source_path"]))))
            mine = (sources.c.acquisition_id == acquisition_id) | sources.c.path.in_(named)
            paths = connection.execute(select(sources.c.path).where(mine).order_by(sources.c.path)).scalars().all()
            unlike = {"size": -1, "mtime_ns": -1}  # as no file looks
            connection.execute(update(sources).where(mine).values(unlike))
            answered = {"accepted": True, "answer": answer, "answered_at": self._now()}
            connection.execute(update(requests).where(requests.c.id == request).values(answered))
            return tuple(Path(path) for path in paths)

    def elsewhere(self, found: Found) -> tuple[Elsewhere, ...]:
        """Return the sources at other paths with the content of one that is not known at its own."""
        description = found.description
        with self._transaction() as connection:
            key = source_key(description.source_path)
            here = acquisitions.c.source_key == key
            if connection.execute(select(acquisitions.c.id).where(here).limit(1)).first() or not found.fingerprints:
                return ()
            places: dict[str, Elsewhere] = {}
            for row in _alike(connection, found):
                if row["source_path"] not in places and _matching(connection, row, found) is not None:
                    places[row["source_path"]] = Elsewhere(row["source_path"], _files(connection, row))
            return tuple(places.values())

    def relocate(self, source_path: str, found: Found) -> None:
        """Write down that all results of a source, which was moved, come from where it was found."""
        description, key = found.description, source_key(source_path)
        with self._transaction() as connection:
            rows = connection.execute(select(acquisitions).where(acquisitions.c.source_key == key)).mappings().all()
            for row in rows:
                for path in _files(connection, row):  # whatever comes to lie there is another file
                    connection.execute(delete(sources).where(sources.c.path == str(path)))
                _move_timepoints(connection, row, description)
                values = {
                    "source_path": str(description.source_path),
                    "source_key": source_key(description.source_path),
                }
                connection.execute(update(acquisitions).where(acquisitions.c.id == row["id"]).values(values))


def _shifted(found: Found, row: RowMapping) -> dict[int, str]:
    """Return the fingerprints by the time points as the row counts them."""
    shift = found.description.shift_from(row["first_number"])
    return {t + shift: text for t, text in found.fingerprints.items()}


def _matching(connection: Connection, row: RowMapping, found: Found) -> dict[int, RowMapping] | None:
    """Return what is written of the time points that were found, where all of them have the same content."""
    seen = _shifted(found, row)
    shift = found.description.shift_from(row["first_number"])
    known = registration.known(connection, int(row["id"]), seen)
    former = {t + shift: text for t, text in found.former.items()}
    same = known.keys() == seen.keys() and all(
        same_content(known[t]["fingerprint"], seen[t], former.get(t)) for t in seen
    )
    return known if same and seen else None


def _alike(connection: Connection, found: Found) -> list[RowMapping]:
    """Return the acquisitions, other than by reference, that have the geometry and the first fingerprint found."""
    description, first = found.description, min(found.fingerprints)
    geometry = {name: getattr(description, name) for name in GEOMETRY} | {"dtype": description.dtype.name}
    times = (first - 1, first, first + 1)  # one file per time point: the first number may count as 0 there and 1 here
    texts = [timepoints.c.fingerprint.in_(_texts(found, first)), *_file_text(connection, found)]
    alike = union(*(select(timepoints.c.acquisition_id).where(timepoints.c.t.in_(times), text) for text in texts))
    query = (
        select(acquisitions)
        .where(*(acquisitions.c[name] == value for name, value in geometry.items()))
        .where(acquisitions.c.zarr_path.is_not(None), acquisitions.c.id.in_(alike))
        .order_by(acquisitions.c.id.desc())
    )
    rows = connection.execute(query).mappings().all()
    return [row for row in rows if row["params"].get("image") != "reference"]


def _texts(found: Found, t: int) -> list[str]:
    return [found.fingerprints[t], *([found.former[t]] if t in found.former else [])]


def _file_text(connection: Connection, found: Found) -> list[ColumnElement[bool]]:
    """Return the condition for the former fingerprint of a file, whatever its time of change; none where none is kept.

    Fingerprints of now begin with their version, which is above every digit: so one look tells that none is former.
    """
    parts = found.former.get(min(found.fingerprints), "").split("-")
    lowest = connection.execute(select(func.min(timepoints.c.fingerprint))).scalar()
    if len(parts) != 3 or not is_former(lowest):
        return []
    return [timepoints.c.fingerprint.like(f"{parts[0]}-%-{parts[2]}")]


def _files(connection: Connection, row: RowMapping) -> tuple[Path, ...]:
    """Return what holds the time points of an acquisition, as far as it is known."""
    here = timepoints.c.acquisition_id == row["id"]
    named = connection.execute(select(timepoints.c.source_file).where(here).distinct()).scalars()
    paths = {Path(name) for name in named if name} or {Path(row["source_path"])}
    return tuple(sorted(names.file_of_image(path) for path in paths))


def _move_timepoints(connection: Connection, row: RowMapping, found: Description) -> None:
    """Write where each time point lies now: with its number in the new name, for one file per time point."""
    here, to = timepoints.c.acquisition_id == row["id"], str(found.source_path)
    if row["first_number"] is None or "*" not in Path(to).name:
        file = found.file_of(found.time_points[0]) if row["first_number"] is None else to
        connection.execute(update(timepoints).where(here).values(source_file=str(file)))
        return
    before, _, behind = Path(row["source_path"]).name.partition("*")
    for point in connection.execute(select(timepoints.c.id, timepoints.c.source_file).where(here)).mappings().all():
        name = Path(point["source_file"] or "").name
        number = name[len(before) : len(name) - len(behind)]
        moved = str(Path(to).with_name(Path(to).name.replace("*", number, 1))) if name else None
        connection.execute(update(timepoints).where(timepoints.c.id == point["id"]).values(source_file=moved))
