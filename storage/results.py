"""Results for people who write Python: tables as pandas, images and labels as lazy arrays, and corrections of them.

    import storage

    embryo = storage.open("results")["embryo"]
    large = embryo.nuclei(where="volume_um3 > 300", t=(0, 10), columns=["t", "track_id", "volume_um3"])
    last = embryo.labels()[-1].compute()

Every call sees the database as it is then, also while the service writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage import naming
from storage.errors import StorageError, WrongRequestError
from storage.omezarr import places
from storage.query.answers import to_pandas
from storage.query.following import follower
from storage.query.following.lines import Line
from storage.query.question import Question
from storage.query.snapshots import resolved, snapshot
from storage.query.statements import Selection, TimeRange
from storage.schema.rows import AcquisitionRow

if TYPE_CHECKING:
    import dask.array
    import zarr

    from storage.corrections.asking import Corrector


class Results:
    """All acquisitions of one database.

    Parameters
    ----------
    path_or_url : an output folder, a database file, or a database URL
    """

    def __init__(self, path_or_url: str | Path) -> None:
        self.url = naming.database_url(path_or_url)
        with snapshot(self.url):
            pass  # says at once when there is nothing to read

    def __repr__(self) -> str:
        return f"Results({self.url!r})"

    def __getitem__(self, acquisition: int | str) -> AcquisitionResults:
        """Return the acquisition with this name or id.

        Raises
        ------
        UnknownAcquisitionError
        """
        with snapshot(self.url) as connection:
            return AcquisitionResults(self.url, resolved(connection, acquisition))

    def __iter__(self) -> Iterator[AcquisitionResults]:
        """Give all acquisitions, oldest first."""
        return iter([self[int(number)] for number in self.acquisitions()["id"]])

    def acquisitions(self, where: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row per acquisition."""
        return Question.acquisitions(self.url, Selection(where=where, columns=columns)).frame()

    def follow(
        self,
        cursor: str | None = None,
        *,
        where: str | None = None,
        events: bool = False,
        until_now: bool = False,
        ending: Event | None = None,
    ) -> Iterator[Line]:
        """Give what is committed, line by line, of all acquisitions, and wait for more; see `nusetd follow`.

        Parameters
        ----------
        cursor : one that a line carried; ``start`` for all that was ever committed; None for what comes from now on
        where : a filter for nuclei
        events : without rows of nuclei and tracks
        until_now : end instead of waiting
        ending : end when another thread sets it

        Raises
        ------
        WrongRequestError
        """
        return _followed(self.url, None, cursor, where, events, until_now, ending)

    def sql(self, query: str, **values: object) -> pd.DataFrame:
        """Return what your own SELECT finds; it cannot write.

        Parameters
        ----------
        query : SQL in which ``:name`` stands for a value
        **values : the values by name

        Raises
        ------
        WrongRequestError
            When the database does not understand it.
        """
        with snapshot(self.url) as connection:
            try:
                found = connection.execute(text(query), values)
                return pd.DataFrame(found.all(), columns=list(found.keys()))
            except DBAPIError as error:
                raise WrongRequestError(f"The query cannot be answered ({error.orig}): check it.") from error


@dataclass(frozen=True)
class AcquisitionResults:
    """One acquisition: its tables and arrays.

    Attributes
    ----------
    url : str
        Of the database.
    about : AcquisitionRow
        What it is and what made its results, as it was when it was asked for.
    """

    url: str
    about: AcquisitionRow

    @property
    def name(self) -> str:
        """Its name."""
        return self.about.name

    def nuclei(
        self,
        where: str | None = None,
        t: TimeRange | None = None,
        track: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return one row per nucleus and time point; see `storage.query.statements.Selection`."""
        wanted = Selection(where=where, t=t, track=track, columns=columns)
        return Question.nuclei(self.url, self.about.id, wanted).frame()

    def nuclei_pages(self, where: str | None = None, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Give the nuclei in pages, for tables that do not fit into memory."""
        with Question.nuclei(self.url, self.about.id, Selection(where=where, columns=columns)).pages() as pages:
            yield from map(to_pandas, pages)

    def tracks(
        self, where: str | None = None, t: TimeRange | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return one row per track."""
        return Question.tracks(self.url, self.about.id, Selection(where=where, t=t, columns=columns)).frame()

    def lineage(self, track: int | None = None, where: str | None = None) -> pd.DataFrame:
        """Return tracks with root, generation and daughters; with `track` only its family."""
        return Question.lineage(self.url, self.about.id, Selection(track=track, where=where)).frame()

    def follow(
        self,
        cursor: str | None = None,
        *,
        where: str | None = None,
        events: bool = False,
        until_now: bool = False,
        ending: Event | None = None,
    ) -> Iterator[Line]:
        """Give what is committed of it, line by line, and wait for more; see `Results.follow`."""
        return _followed(self.url, self.about.id, cursor, where, events, until_now, ending)

    def divisions(self) -> pd.DataFrame:
        """Return one row per division: mother, daughters, when, where, volumes."""
        return self._view("divisions", "t, parent_track_id")

    def counts(self) -> pd.DataFrame:
        """Return nuclei and divisions of every time point."""
        return self._view("counts_over_time", "t")

    def image(self, level: int = 0) -> dask.array.Array:
        """Return the image (T, C, Z, Y, X), lazily; level 1 has half the size in y and x, and so on."""
        return self._lazy(self.stored_image(level), "", level)

    def labels(self, level: int = 0) -> dask.array.Array:
        """Return the labels of nuclei (T, Z, Y, X), lazily: the column ``label`` of nuclei, 0 where there is none."""
        return self._lazy(self.stored_labels(level), "labels/nuclei", level)

    def track_labels(self, level: int = 0) -> dask.array.Array:
        """Return the labels of tracks (T, Z, Y, X), lazily: ``track_id``, of the time points whose tracks are final."""
        return self._lazy(self._stored("labels/tracks", level), "labels/tracks", level)

    def stored_image(self, level: int = 0) -> zarr.Array[Any]:
        """Return the image (T, C, Z, Y, X) as it lies in the store, for who reads single planes of it."""
        if self.about.params.get("image") == "none":
            raise StorageError(f"{self.name} was stored without its image: it is in {self.about.source_path}.")
        return self._stored("", level)

    def stored_labels(self, level: int = 0) -> zarr.Array[Any]:
        """Return the labels of nuclei (T, Z, Y, X) as they lie in the store, for who reads single planes of them."""
        return self._stored("labels/nuclei", level)

    @property
    def correct(self) -> Corrector:
        """What can be said of its nuclei and links, by you; see `storage.corrections.asking`."""
        from storage.corrections.asking import Corrector

        return Corrector(self.url, self.about.id)

    def _view(self, name: str, order: str) -> pd.DataFrame:
        query = f"SELECT * FROM {name} WHERE acquisition_id = :number ORDER BY {order}"
        return Results(self.url).sql(query, number=self.about.id).drop(columns=["acquisition_id", "acquisition"])

    def _stored(self, name: str, level: int) -> zarr.Array[Any]:
        import zarr

        path = self.about.zarr_path
        if path is None:
            raise StorageError(f"{self.name} has no images: it was set aside ({self.about.error}).")
        try:
            group = zarr.open_group(places.store_at(path) if naming.is_url(path) else path, mode="r")
            array = group[f"{name}/{level}" if name else str(level)]
            if not isinstance(array, zarr.Array):
                raise KeyError(level)
        except (FileNotFoundError, KeyError, ValueError) as error:
            raise StorageError(
                f"{path} has no array {name or 'of the image'} at level {level}: it was moved or has fewer levels."
            ) from error
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({error.strerror or error}): check it.") from error
        return array

    def _lazy(self, array: zarr.Array[Any], name: str, level: int) -> dask.array.Array:
        import dask.array

        place = f"{self.about.zarr_path}/{name}/{level}/{array.shape[0]}"
        lazy: dask.array.Array = dask.array.from_array(array, chunks=array.chunks, name=place)
        return lazy


def _followed(
    url: str,
    acquisition: int | None,
    cursor: str | None,
    where: str | None,
    events: bool,
    until_now: bool,
    ending: Event | None,
) -> Iterator[Line]:
    """What is wrong is said at once, not with the first line."""
    with snapshot(url) as connection:
        scope = follower.scope_of(connection, acquisition, where, events)
        begin = follower.begin(connection, cursor)
    return follower.follow(url, scope, begin, until_now=until_now, ending=ending)
