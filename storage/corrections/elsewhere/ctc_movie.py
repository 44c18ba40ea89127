"""A folder of the Cell Tracking Challenge as an edited movie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sqlalchemy import Connection, func, select

from nuset_engine.arrays import LabelsZYX
from storage.corrections.elsewhere.edited_movie import EditedMovie, movie_of_tracks
from storage.files.ctc_folder import open_ctc_folder, read_labels
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei


def ctc_movie(connection: Connection, row: AcquisitionRow, path: Path) -> EditedMovie:
    """Read masks and table of tracks; frames count steps, as `nusetd export` writes them.

    The table says who descends from whom. Where a track has nuclei, the masks say.

    Raises
    ------
    StorageError
        When the folder is no such folder.
    """
    folder = open_ctc_folder(path)
    first = connection.execute(select(func.min(nuclei.c.t)).where(nuclei.c.acquisition_id == row.id)).scalar()
    offset = int(first or 0) % row.step
    files = {frame * row.step + offset: mask for frame, mask in sorted(folder.masks.items())}
    nodes = {t: set(np.unique(read_labels(mask)).tolist()) - {0} for t, mask in files.items()}
    parents = {int(track): int(parent) for track, _, _, parent in folder.tracks.tolist() if parent}

    def labels(t: int) -> LabelsZYX:
        mask = read_labels(files[t])
        return mask[None] if mask.ndim == 2 else mask

    return movie_of_tracks(nodes, parents, labels)
