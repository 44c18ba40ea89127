"""Carrying out corrections on labels: the new ones wait beside the store, and what follows for rows is returned.

Labels are always made from plain ones, with all corrections that count in the order in which they were said. So what is
undone leaves nothing behind, and doing it again after a crash gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Connection, and_, select

from nuset_engine.corrections.edited import EditedLabels, is_same, put_back
from nuset_engine.corrections.edits import EditOutcome, EditScene, NucleusEdit, apply_edits, touched
from nuset_engine.corrections.measured import measure_some
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.measure import PlaneSequence
from nuset_engine.nuclei import Nuclei
from storage.corrections.planes import planes_of
from storage.database.corrections import events
from storage.database.corrections.amendment import AmendedTimepoint, Amendment, LinkOutcome
from storage.database.corrections.events import LINK_KINDS, NUCLEUS_KINDS, Correction
from storage.database.corrections.packed import blocks_at, unpack_text
from storage.database.corrections.wanted import wanted_now
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner
from storage.schema.rows import AcquisitionRow
from storage.schema.states import TimepointState
from storage.schema.tables import nuclei, timepoints

if TYPE_CHECKING:
    from nuset_engine.inference.landscape import LandscapeOf

_NO_NETWORK = "only a service that runs has the network at hand"
USUAL_UM, USUAL_PX = 10.0, 20.0
"""Diameter of nuclei where there is none to be seen."""
LandscapeSource = Callable[[PlaneSequence], "LandscapeOf"]
"""Of the planes of a stack what the network says of boxes of it."""
Matches = dict[tuple[int, int], int | None]
"""The nucleus, by the number of a correction and the place among those that it speaks of."""


def make(
    connection: Connection,
    row: AcquisitionRow,
    owner: Owner | None,
    memory: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    plain: bool = False,
    landscapes: LandscapeSource = lambda planes: lambda box: _NO_NETWORK,
) -> Amendment:
    """Write labels as people say they are, durably and not visible yet, and return what follows for rows.

    Parameters
    ----------
    connection : Connection
        Sees one moment of the database.
    owner : Owner, optional
        Whose store it writes to.
    memory : int
        For how many time points a nucleus may go unseen.
    progress : callable
        Told of time points done and of all.
    plain : bool
        Take all of them off for now.
    landscapes : callable
        Asked where something is to be drawn.

    Raises
    ------
    StorageError
        When store or image cannot be read, or the disk refuses.
    """
    said = events.of_acquisition(connection, row.id)
    wanted = wanted_now(connection, row.id, said, plain)
    place = _Place(connection, row, owner, landscapes)
    dirty = sorted({one.t for one in said if one.kind in NUCLEUS_KINDS and one.counted != wanted[one.id]})
    links = [one for one in said if one.kind in LINK_KINDS and wanted[one.id] and _is_open(one, dirty)]
    found: Matches = {}
    points = []
    for index, t in enumerate(dirty):
        progress(index, len(dirty))
        points.append(_timepoint(place, t, [one for one in said if one.t == t], wanted, links, found))
    outcomes = tuple(_link(connection, row, owner, one, dirty, found) for one in links)
    return Amendment(plain, wanted, tuple(points), outcomes, memory)


def _is_open(one: Correction, dirty: Sequence[int]) -> bool:
    """Say whether it is not known which nuclei a correction of links speaks of."""
    return not one.counted or not one.nodes or any(t in dirty for t in one.times)


@dataclass(frozen=True)
class _Place:
    """Where labels are corrected, and who draws there."""

    connection: Connection
    row: AcquisitionRow
    owner: Owner | None
    landscapes: LandscapeSource


def _timepoint(
    place: _Place,
    t: int,
    said: Sequence[Correction],
    wanted: Mapping[int, bool],
    links: Sequence[Correction],
    found: Matches,
) -> AmendedTimepoint:
    connection, row = place.connection, place.row
    edits = [_edit(one) for one in said if one.kind in NUCLEUS_KINDS and wanted[one.id]]
    if not _is_done(connection, row.id, t):
        reason = "this time point has no result"
        outcomes = tuple(EditOutcome(edit.number, reason=reason) for edit in edits)
        return AmendedTimepoint(t, outcomes, Nuclei.empty(t, row.unit), (), False)
    store = ImageStore.open(str(row.zarr_path), place.owner)
    labels = store.labels(t)
    blocks = blocks_at(connection, row.id, t)
    put_back(labels, blocks)
    edited = EditedLabels(labels, blocks)
    diameter = _usual_diameter(edited, row)
    reserved = {label for one in said for label in one.named("new_labels")}
    with planes_of(row, store, t) as channels:
        planes = channels[row.segmented_channel]
        spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
        scene = EditScene(edited, planes, spacing, diameter, reserved, place.landscapes(planes))
        made = apply_edits(scene, edits)
        there = touched(made, edited)
        table = measure_some(labels, there, channels, row.segmented_channel, row.voxel_size_um, t)
    if edited.blocks:
        store.write_timepoint(t, None, labels)
    for one in links:
        for index, (at, region) in enumerate(zip(one.times, one.regions, strict=True)):
            if at == t:
                found[one.id, index] = edited.find(region)
    return AmendedTimepoint(t, tuple(made), table, tuple(edited.blocks), bool(edited.blocks))


def _edit(one: Correction) -> NucleusEdit:
    kept = tuple(unpack_text(one.changed.get("drawn"))) if one.counted else ()  # drawn of this very result
    return NucleusEdit(one.id, one.kind, one.regions, one.points_px, one.drawn, one.named("new_labels"), kept)


def _is_done(connection: Connection, acquisition_id: int, t: int) -> bool:
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t == t)
    state = connection.execute(select(timepoints.c.state).where(here)).scalar()
    return state == TimepointState.DONE.value


def _usual_diameter(edited: EditedLabels, row: AcquisitionRow) -> float:
    """Median diameter of the plain nuclei of a time point, as balls or discs."""
    spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
    if not len(edited.sizes):
        return USUAL_PX if row.voxel_size_um is None else USUAL_UM
    size = float(np.median(edited.sizes))
    if len(edited.labels) == 1:
        return float(np.sqrt(4 / np.pi * size * spacing[1] * spacing[2]))
    return float(np.cbrt(6 / np.pi * size * np.prod(spacing)))


def _link(
    connection: Connection,
    row: AcquisitionRow,
    owner: Owner | None,
    one: Correction,
    dirty: Sequence[int],
    found: Matches,
) -> LinkOutcome:
    """Which nuclei a correction of links speaks of now."""
    labels = [
        found.get((one.id, index)) if t in dirty else _in_store(connection, row, owner, t, region)
        for index, (t, region) in enumerate(zip(one.times, one.regions, strict=True))
    ]
    nodes = tuple((t, label) for t, label in zip(one.times, labels, strict=True) if label is not None)
    if len(nodes) < len(labels):
        return LinkOutcome(one.id, reason="no nucleus that is there now covers the place of one that was meant")
    if len(set(nodes)) < len(nodes):
        return LinkOutcome(one.id, reason="what was several nuclei is one now")
    return LinkOutcome(one.id, nodes)


def _in_store(
    connection: Connection, row: AcquisitionRow, owner: Owner | None, t: int, region: NucleusRegion
) -> int | None:
    """Return the nucleus that is the one of a region, at a time point whose labels stay as they are."""
    if not _is_done(connection, row.id, t):
        return None
    store = ImageStore.open(str(row.zarr_path), owner)
    if not region.lies_in(store.shape[2:]):
        return None
    box = region.box
    block = store.labels(t, box[0])[:, box[1], box[2]]
    label, count = np.unique(block[region.mask & (block > 0)], return_counts=True)
    if not len(label):
        return None
    best = int(np.argmax(count))
    name = int(label[best])
    here = and_(nuclei.c.acquisition_id == row.id, nuclei.c.t == t, nuclei.c.label == name)
    sides = [nuclei.c[f"bbox_{axis}{end}"] for axis in "zyx" for end in (0, 1)]
    found = connection.execute(select(nuclei.c.volume_px, *sides).where(here)).one_or_none()
    if found is None:
        return None
    volume, *ends = (int(number) for number in found)
    z, y, x = (slice(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True))

    def whole() -> NucleusRegion:
        mask = store.labels(t, z)[:, y, x] == name
        return NucleusRegion.of_mask(mask, (z.start, y.start, x.start)) or region

    return name if is_same(region, int(count[best]), volume, whole) else None
