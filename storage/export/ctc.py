"""The layout of the Cell Tracking Challenge: ``maskT.tif`` per time point and ``res_track.txt``.

Format: https://public.celltrackingchallenge.net/documents/Naming%20and%20file%20content%20conventions.pdf
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import StorageError
from storage.export.lineage import segments
from storage.query.question import Question
from storage.query.statements import Selection

if TYPE_CHECKING:
    from storage.export.snapshot import Snapshot

LARGEST_NUMBER = 65_535  # masks are 16 bit


def write(snapshot: Snapshot, folder: Path) -> None:
    """Write masks (16 bit, value = track) and the table ``L B E P`` (track, first and last time point, parent).

    The challenge knows no gaps in a track: a track that misses a time point is cut there, its rest is a child of its
    beginning. Nor does it know steps or absent time points: frames count steps, and those that are absent are blank.

    Raises
    ------
    StorageError
        With more tracks than 16 bits can number.
    """
    connection, row = snapshot.connection, snapshot.acquisition
    wanted = Selection(columns=("t", "label", "track_id"))
    nuclei = Question.nuclei(connection, row.id, wanted).frame()
    offset = int(nuclei["t"].min()) % row.step if len(nuclei) else 0
    nuclei["t"] //= row.step
    found = segments(nuclei, Question.tracks(connection, row.id).frame())
    if len(found.segments) > LARGEST_NUMBER:
        raise StorageError(f"{row.name} has {len(found.segments)} tracks, CTC masks hold {LARGEST_NUMBER}: use geff.")
    folder.mkdir()
    lines = [f"{s.number} {s.first_t} {s.last_t} {s.parent}\n" for s in found.segments]
    (folder / "res_track.txt").write_text("".join(lines))
    count = -(-(row.size_t or 0) // row.step)
    for frame in range(count):
        numbers = found.of_nucleus.get(frame, {})
        path = folder / f"mask{frame:0{max(3, len(str(count - 1)))}d}.tif"
        _write_mask(snapshot, path, frame * row.step + offset, numbers)


def _write_mask(snapshot: Snapshot, path: Path, t: int, numbers: Mapping[int, int]) -> None:
    import tifffile

    images = snapshot.images()
    _, _, size_z, size_y, size_x = images.shape
    if numbers:
        labels = images.labels(t)
        colours = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.uint16)
        for label, number in numbers.items():
            if label < len(colours):
                colours[label] = number
        mask = colours[labels]
        if len(colours) <= max(numbers) or ((mask == 0) & (labels > 0)).any():
            raise StorageError(
                f"The labels of time point {snapshot.acquisition.source_t(t)} are not those that the database knows, "
                "it is just being made anew: export again in a moment."
            )
    else:
        mask = np.zeros((size_z, size_y, size_x), dtype=np.uint16)
    tifffile.imwrite(
        path, mask[0] if size_z == 1 else mask, compression="zlib", photometric="minisblack", metadata=None
    )
