"""Corrections that do not fit what is there now: with what was meant, what is there, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from nuset_engine.arrays import LabelsYX, MaskYX, PlaneYX
from nuset_engine.corrections.drawing import VoxelIndex
from nuset_engine.corrections.region import NucleusRegion
from storage.corrections.planes import planes_of
from storage.database.corrections import events
from storage.database.corrections.events import MISFIT, Correction
from storage.errors import StorageError
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import resolved, snapshot
from storage.schema.rows import AcquisitionRow

MARGIN_PX = 24
"""How much is shown around what was meant, at least; as much as it is wide where that is more."""
_ADVICE = {
    "covers the place": "say it of what is there ({there}), or take it back: {undo}",
    "several nuclei is one": "if that is right, take it back: {undo}; else split {there}",
    "a nucleus already": "it is found now: {undo}",
    "stands out": "draw it: `add --mask FILE`, then {undo}",
    "cover all of it": "it is taken by {there}: redraw that one, or take it back: {undo}",
    "lies outside": "split {there} by points within it, then {undo}",
    "does not divide": "nothing is left to take away: {undo}",
    "has no result": "process the time point: `nusetd retry`; it is tried again then",
}


@dataclass(frozen=True, eq=False)
class MisfitPanel:
    """A plane around one nucleus that was meant.

    Attributes
    ----------
    source_t : int
    image : (Y, X)
    meant : (Y, X) bool
        Where it was, or was drawn; points are single pixels.
    present : (Y, X) labels
        What is there now.
    """

    source_t: int
    image: PlaneYX
    meant: MaskYX
    present: LabelsYX


@dataclass(frozen=True, eq=False)
class OpenCorrection:
    """A correction that does not fit.

    Attributes
    ----------
    id, source_t, kind, labels, author
        As in the table `corrections`.
    there : tuple of int
        Nuclei that lie where those that were meant lay.
    reason, to_do : str
    panels : tuple of MisfitPanel
        One for each nucleus or place.
    """

    id: int
    source_t: int
    kind: str
    labels: tuple[int, ...]
    there: tuple[int, ...]
    reason: str
    to_do: str
    panels: tuple[MisfitPanel, ...]


def open_corrections(url: str, acquisition_id: int) -> Iterator[OpenCorrection]:
    """Give the corrections of an acquisition that do not fit, in the order in which they were said.

    Raises
    ------
    StorageError
        When labels or image cannot be read.
    """
    with snapshot(url) as connection:
        row = resolved(connection, acquisition_id)
        for one in events.of_acquisition(connection, row.id):
            if one.state == MISFIT and one.undone_by is None:
                yield _described(connection, row, one)


def _described(connection: Connection, row: AcquisitionRow, one: Correction) -> OpenCorrection:
    places = list(zip(one.times, one.regions, strict=False))
    if one.drawn is not None:
        places.append((one.t, one.drawn))
    places += [(one.t, _at(point)) for point in one.points_px]
    store = ImageStore.open(str(row.zarr_path))
    shown = [_panel(row, store, t, region) for t, region in places if t in store.published_timepoints]
    there = tuple(sorted({int(n) for panel in shown for n in np.unique(panel.present[panel.meant]) if n}))
    reason = one.reason or ""
    advice = next((text for part, text in _ADVICE.items() if part in reason), "say it anew, or take it back: {undo}")
    named = ", ".join(map(str, there)) or "nothing"
    to_do = advice.format(there=named, undo=f"`undo {one.id}`")
    return OpenCorrection(one.id, one.source_t, one.kind, one.labels, there, reason, to_do, tuple(shown))


def _at(point: VoxelIndex) -> NucleusRegion:
    return NucleusRegion(point, np.ones((1, 1, 1), bool))


def _panel(row: AcquisitionRow, store: ImageStore, t: int, region: NucleusRegion) -> MisfitPanel:
    """The plane in which most of a region lies."""
    z = int(np.argmax(region.mask.sum(axis=(1, 2)))) + region.corner[0]
    z = min(z, store.shape[2] - 1)
    window = tuple(
        slice(max(0, part.start - more), max(0, min(size, part.stop + more)))
        for part, size in zip(region.box[1:], store.shape[3:], strict=True)
        for more in [max(MARGIN_PX, part.stop - part.start)]
    )
    present = store.labels(t, slice(z, z + 1))[0][window]
    meant = np.zeros(store.shape[3:], bool)
    inside = region.mask[min(z - region.corner[0], len(region.mask) - 1)]
    part = meant[region.box[1:]]
    part |= inside[: part.shape[0], : part.shape[1]]
    return MisfitPanel(row.source_t(t), _image(row, store, t, z)[window], meant[window], present)


def _image(row: AcquisitionRow, store: ImageStore, t: int, z: int) -> PlaneYX:
    """A plane of the nuclear channel; blank where the source is not there."""
    try:
        with planes_of(row, store, t) as channels:
            return np.asarray(channels[row.segmented_channel][z])
    except StorageError:
        return np.zeros(store.shape[3:], np.uint8)
