"""Images and labels to train on: slices of the time points that people corrected, or of all where nobody did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.query.corrected import corrected_timepoints
from storage.query.question import Question
from storage.query.statements import Selection

if TYPE_CHECKING:
    from nuset_engine.arrays import LabelsZYX
    from storage.export.snapshot import Snapshot

IMAGES, LABELS = "images", "labels"
MOST_SLICES = 8
"""Of a time point: its neighbours show nearly the same."""


def write(snapshot: Snapshot, folder: Path) -> None:
    """Write the folders ``images`` and ``labels`` with a TIFF of the same name in each for every slice."""
    import tifffile

    row = snapshot.acquisition
    chosen = corrected_timepoints(snapshot.connection, row.id)
    if not chosen:
        found = Question.nuclei(snapshot.connection, row.id, Selection(columns=("t",))).frame()
        chosen = sorted({int(t) for t in found["t"]})
    for name in (IMAGES, LABELS):
        (folder / name).mkdir(parents=True)
    for t in chosen:
        images = snapshot.images()
        labels = images.labels(t)
        for z in slices(labels):
            name = f"t{row.source_t(t):04}_z{z:03}.tif"
            plane = images.image(t, row.segmented_channel, slice(z, z + 1))[0]
            kind = np.uint16 if labels[z].max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
            tifffile.imwrite(folder / IMAGES / name, plane, compression="zlib", photometric="minisblack")
            truth = labels[z].astype(kind)
            tifffile.imwrite(folder / LABELS / name, truth, compression="zlib", photometric="minisblack")


def slices(labels: LabelsZYX) -> list[int]:
    """At most `MOST_SLICES` of those in which a nucleus is, evenly spread."""
    there = np.flatnonzero(labels.reshape(len(labels), -1).any(axis=1))
    if len(there) <= MOST_SLICES:
        return [int(z) for z in there]
    return [int(there[i]) for i in np.linspace(0, len(there) - 1, MOST_SLICES).round().astype(int)]
