"""Images and labels to train on: slices of the time points that people corrected, or of all where nobody did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.corrections.seen import seen_part
from storage.query.corrected import corrected_timepoints, spoken_of
from storage.query.question import Question
from storage.query.statements import Selection

if TYPE_CHECKING:
    from nuset_engine.arrays import LabelsYX, LabelsZYX, MaskYX, MaskZYX, PlaneYX
    from storage.export.snapshot import Snapshot

IMAGES, LABELS, SEEN = "images", "labels", "seen"
MOST_SLICES = 8
"""Of a time point: its neighbours show nearly the same."""


def write(snapshot: Snapshot, folder: Path) -> None:
    """Write the folders ``images`` and ``labels`` with a TIFF of the same name in each for every slice.

    Of corrected time points ``seen`` is written as well: where somebody looked it is not 0. Where nobody corrected
    anything, all of all time points is taken.
    """
    corrected = corrected_timepoints(snapshot.connection, snapshot.acquisition.id)
    chosen = corrected or _all_timepoints(snapshot)
    write_slices(snapshot, folder, chosen, "", seen=bool(corrected))


def write_slices(snapshot: Snapshot, folder: Path, times: Sequence[int], prefix: str, seen: bool) -> None:
    """Write slices of time points into the folders of `write`, their names after a prefix."""
    row = snapshot.acquisition
    for name in (IMAGES, LABELS, SEEN) if seen else (IMAGES, LABELS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for t in times:
        images = snapshot.images()
        labels = images.labels(t)
        part = _seen(snapshot, t, labels) if seen else np.ones(labels.shape, bool)
        for z in slices(labels, part):
            plane = images.image(t, row.segmented_channel, slice(z, z + 1))[0]
            write_slice(
                folder, f"{prefix}t{row.source_t(t):04}_z{z:03}.tif", plane, labels[z], part[z] if seen else None
            )


def write_slice(folder: Path, name: str, plane: PlaneYX, labels: LabelsYX, seen: MaskYX | None) -> None:
    """Write a slice (Y, X), its labels, and where somebody looked if that is known, into folders that are there."""
    import tifffile

    kind = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    planes = {IMAGES: plane, LABELS: labels.astype(kind)} | ({} if seen is None else {SEEN: seen.astype(np.uint8)})
    for what, pixels in planes.items():
        tifffile.imwrite(folder / what / name, pixels, compression="zlib", photometric="minisblack")


def _all_timepoints(snapshot: Snapshot) -> list[int]:
    found = Question.nuclei(snapshot.connection, snapshot.acquisition.id, Selection(columns=("t",))).frame()
    return sorted({int(t) for t in found["t"]})


def _seen(snapshot: Snapshot, t: int, labels: LabelsZYX) -> MaskZYX:
    said = spoken_of(snapshot.connection, snapshot.acquisition.id, t)
    return seen_part(labels, said.labels, said.places, snapshot.acquisition.voxel_size_um or (1.0, 1.0, 1.0))


def slices(labels: LabelsZYX, seen: MaskZYX) -> list[int]:
    """At most `MOST_SLICES` of those in which there is something that was seen, evenly spread."""
    there = np.flatnonzero((seen & (labels > 0)).reshape(len(labels), -1).any(axis=1))
    if not len(there):  # a person took all nuclei away
        there = np.flatnonzero(seen.reshape(len(labels), -1).any(axis=1))
    if len(there) <= MOST_SLICES:
        return [int(z) for z in there]
    return [int(there[i]) for i in np.linspace(0, len(there) - 1, MOST_SLICES).round().astype(int)]
