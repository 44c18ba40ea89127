"""Which kind of edited movie a path is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, and_, select

from storage.corrections.elsewhere.ctc_movie import ctc_movie
from storage.corrections.elsewhere.edited_movie import EditedMovie
from storage.corrections.elsewhere.geff_movie import geff_movie
from storage.corrections.elsewhere.trackmate_movie import is_trackmate, trackmate_movie
from storage.errors import WrongRequestError
from storage.files.ctc_folder import is_ctc_folder
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AcquisitionRow
from storage.schema.states import TimepointState
from storage.schema.tables import timepoints


def open_edited(connection: Connection, row: AcquisitionRow, path: Path) -> EditedMovie:
    """Look into what was edited elsewhere.

    Raises
    ------
    WrongRequestError
        When it is of none of the kinds that can be read.
    StorageError
        When it cannot be read.
    """
    if not path.exists():
        raise WrongRequestError(f"{path} is not there: name a CTC folder, a TrackMate XML file or a GEFF.")
    return _as_far_as_it_goes(_opened(connection, row, path))


def _opened(connection: Connection, row: AcquisitionRow, path: Path) -> EditedMovie:
    if is_ctc_folder(path):
        return ctc_movie(connection, row, path)
    times = done_times(connection, row.id)
    if path.is_file() and is_trackmate(path):
        return trackmate_movie(row, path, times, ImageStore.open(str(row.zarr_path)).labels)
    if path.is_dir() and any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs")):
        return geff_movie(row, path, times)
    raise WrongRequestError(
        f"{path} is neither a folder with res_track.txt or man_track.txt (CTC), nor TrackMate's XML, nor a GEFF."
    )


def _as_far_as_it_goes(movie: EditedMovie) -> EditedMovie:
    """Return a movie up to its last nucleus: it may be of a time when what is behind that was not done yet."""
    last = next((t for t in reversed(movie.times) if movie.places.get(t) or movie.labels(t).any()), -1)
    return replace(movie, times=tuple(t for t in movie.times if t <= last))


def done_times(connection: Connection, acquisition_id: int) -> Sequence[int]:
    """Return the time points that have a result, ascending."""
    done = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state == TimepointState.DONE.value)
    return [int(t) for t in connection.execute(select(timepoints.c.t).where(done).order_by(timepoints.c.t)).scalars()]
