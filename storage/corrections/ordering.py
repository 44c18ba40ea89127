"""From what a person says, in time points as they are written and micrometres, to an order that finds its nuclei again.

The nuclei are those that people see now; of each its voxels are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, func, select

from nuset_engine.arrays import Mask
from nuset_engine.corrections.drawing import VoxelIndex
from nuset_engine.corrections.region import NucleusRegion
from storage.corrections.outlines import new_nucleus, redrawn
from storage.corrections.persons_word import COUNTS, PersonsWord, well_formed
from storage.database.corrections.events import MOST, CorrectionOrder
from storage.errors import LabelsChangingError, WrongRequestError
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AcquisitionRow
from storage.schema.states import TimepointState
from storage.schema.tables import nuclei, timepoints, tracks
from storage.spans import spoken
from tracking.corrections.rules import LinkRule

__all__ = ["PersonsWord", "ordered"]


def ordered(connection: Connection, row: AcquisitionRow, word: PersonsWord, author: str) -> CorrectionOrder:
    """Return the order that a person's word is.

    Raises
    ------
    WrongRequestError
        When it speaks of what is not there, or says too little.
    LabelsChangingError
        When the labels are just being replaced.
    StorageError
        When they cannot be read.
    """
    word = well_formed(word)
    _refuse_incomplete(word)
    if row.zarr_path is None:
        raise WrongRequestError(f"{row.name} has no results: it was set aside ({row.error}).")
    t = _timepoint(connection, row, word.source_t)
    nodes = [(t, label) for label in word.labels]
    if word.kind == "undivide":
        nodes = [_last_of_track(connection, row, t, word.labels[0])]
    if word.to:
        later = _later(connection, row, t, word.source_to_t)
        nodes += [(later, label) for label in word.to]
    store = ImageStore.open(row.zarr_path)
    rows = [_nucleus(connection, row, at, label) for at, label in nodes]
    if word.kind == "end":
        _refuse_ended(connection, row, rows[0])
    regions = tuple(_region(row, store, one) for one in rows)
    drawn = _drawn(row, store, word.mask)
    if word.outline is not None:
        shape, spacing = store.shape[2:], row.voxel_size_um or (1.0, 1.0, 1.0)
        drawn = redrawn(word.outline, regions[0], shape) if regions else new_nucleus(word.outline, shape, spacing)
    points = tuple(_voxel(row, store, point) for point in word.points)
    return _of_rows(word.kind, rows, regions, t, points, drawn, author)


def order_of_links(
    connection: Connection, row: AcquisitionRow, store: ImageStore, rule: LinkRule, author: str
) -> CorrectionOrder:
    """Return the order that a rule for the links of nuclei that are there is.

    Raises
    ------
    WrongRequestError
        When one of them is not there.
    StorageError
        When the labels cannot be read.
    """
    rows = [_nucleus(connection, row, at, label) for at, label in rule.nodes]
    regions = tuple(_region(row, store, one) for one in rows)
    return _of_rows(rule.kind, rows, regions, rule.nodes[0][0], (), None, author)


def _of_rows(
    kind: str,
    rows: Sequence[RowMapping],
    regions: tuple[NucleusRegion, ...],
    t: int,
    points: tuple[VoxelIndex, ...],
    drawn: NucleusRegion | None,
    author: str,
) -> CorrectionOrder:
    place = regions[0].centre if regions else drawn.centre if drawn is not None else points[0]
    z, y, x = (float(at) for at in place)
    return CorrectionOrder(
        kind=kind,
        times=tuple(int(one["t"]) for one in rows) or (t,),
        labels=tuple(int(one["label"]) for one in rows),
        tracks=tuple(one["track_id"] for one in rows),
        regions=regions,
        place_px=(z, y, x),
        points_px=points,
        drawn=drawn,
        author=author,
    )


def _refuse_incomplete(word: PersonsWord) -> None:
    here, later = COUNTS[word.kind]
    if len(set(word.labels)) < len(word.labels) or len(set(word.to)) < len(word.to):
        raise WrongRequestError(f"To {word.kind}, name different nuclei.")
    if len(word.labels) != here if here is not None else len(word.labels) < 2:
        raise WrongRequestError(f"To {word.kind}, name {'two nuclei or more' if here is None else 'one nucleus'}.")
    if len(word.to) != later:
        raise WrongRequestError(f"To {word.kind}, name {'two daughters' if later == 2 else 'the nucleus that it is'}.")
    if word.kind == "split" and len(word.points) < 2:
        raise WrongRequestError("To split a nucleus, give two points within it, or more.")
    is_drawn = word.mask is not None or word.outline is not None
    if word.kind == "add" and (len(word.points) == 1) == is_drawn:
        raise WrongRequestError("To add a nucleus, give one point within it, or a mask.")
    if word.kind == "redraw" and not is_drawn:
        raise WrongRequestError("To redraw a nucleus, give a mask.")


def _timepoint(connection: Connection, row: AcquisitionRow, source_t: int) -> int:
    t = source_t - (row.first_number or 0)
    if abs(t) > MOST:
        raise _no_timepoint(connection, row, source_t)
    here = and_(timepoints.c.acquisition_id == row.id, timepoints.c.t == t)
    state = connection.execute(select(timepoints.c.state).where(here)).scalar()
    if state is None:
        raise _no_timepoint(connection, row, source_t)
    if state != TimepointState.DONE.value:
        raise WrongRequestError(f"Time point {source_t} of {row.name} is {state}: correct it when it is done.")
    return t


def _no_timepoint(connection: Connection, row: AcquisitionRow, source_t: int) -> WrongRequestError:
    there = select(timepoints.c.t).where(timepoints.c.acquisition_id == row.id)
    numbers = (row.source_t(int(t)) for t in connection.execute(there).scalars())
    return WrongRequestError(f"{row.name} has no time point {source_t}: {spoken(numbers)} are there.")


def _later(connection: Connection, row: AcquisitionRow, t: int, source_to_t: int | None) -> int:
    if source_to_t is not None:
        later = _timepoint(connection, row, source_to_t)
        if later <= t:
            raise WrongRequestError(f"Time point {source_to_t} is not after {row.source_t(t)}: links go forward.")
        return later
    done = and_(timepoints.c.acquisition_id == row.id, timepoints.c.state == TimepointState.DONE.value)
    query = select(func.min(timepoints.c.t)).where(done, timepoints.c.t > t)
    found = connection.execute(query).scalar()
    if found is None:
        raise WrongRequestError(f"{row.name} has no time point after {row.source_t(t)}.")
    return int(found)


def _nucleus(connection: Connection, row: AcquisitionRow, t: int, label: int) -> RowMapping:
    here = and_(nuclei.c.acquisition_id == row.id, nuclei.c.t == t, nuclei.c.label == label)
    found = connection.execute(select(nuclei).where(here)).mappings().one_or_none() if abs(label) <= MOST else None
    if found is None:
        there = select(nuclei.c.label).where(nuclei.c.acquisition_id == row.id, nuclei.c.t == t)
        labels = spoken(int(one) for one in connection.execute(there).scalars())
        where = f"time point {row.source_t(t)} of {row.name}"
        raise WrongRequestError(f"There is no nucleus {label} at {where}: the labels there are {labels}.")
    return found


def _last_of_track(connection: Connection, row: AcquisitionRow, t: int, label: int) -> tuple[int, int]:
    """The last nucleus of the track of one, which has to divide."""
    track = _nucleus(connection, row, t, label)["track_id"]
    born = and_(tracks.c.acquisition_id == row.id, tracks.c.parent_track_id == track)
    if track is None or connection.execute(select(tracks.c.id).where(born).limit(1)).first() is None:
        raise WrongRequestError(f"Track {track} of nucleus {label} does not divide.")
    mine = and_(nuclei.c.acquisition_id == row.id, nuclei.c.track_id == track)
    last = connection.execute(select(nuclei.c.t, nuclei.c.label).where(mine).order_by(nuclei.c.t.desc()).limit(1)).one()
    return int(last[0]), int(last[1])


def _refuse_ended(connection: Connection, row: AcquisitionRow, nucleus: RowMapping) -> None:
    track = nucleus["track_id"]
    later = and_(nuclei.c.acquisition_id == row.id, nuclei.c.track_id == track, nuclei.c.t > nucleus["t"])
    born = and_(tracks.c.acquisition_id == row.id, tracks.c.parent_track_id == track)
    goes_on = connection.execute(select(nuclei.c.id).where(later).limit(1)).first()
    divides = connection.execute(select(tracks.c.id).where(born).limit(1)).first()
    if goes_on is None and divides is None:
        raise WrongRequestError(f"Track {track} ends with nucleus {nucleus['label']} already.")


def _region(row: AcquisitionRow, store: ImageStore, nucleus: RowMapping) -> NucleusRegion:
    t, label = int(nucleus["t"]), int(nucleus["label"])
    low = tuple(int(nucleus[f"bbox_{axis}0"]) for axis in "zyx")
    z, y, x = (slice(first, int(nucleus[f"bbox_{axis}1"])) for axis, first in zip("zyx", low, strict=True))
    region = NucleusRegion.of_mask(store.labels(t, z)[:, y, x] == label, (low[0], low[1], low[2]))
    if region is None or region.size != nucleus["volume_px"]:
        raise LabelsChangingError(
            f"Labels of time point {row.source_t(t)} of {row.name} are just being replaced: say it again in a moment."
        )
    return region


def _drawn(row: AcquisitionRow, store: ImageStore, mask: Mask | None) -> NucleusRegion | None:
    if mask is None:
        return None
    if mask.ndim == 2:
        mask = mask[None]
    if mask.shape != store.shape[2:]:
        raise WrongRequestError(f"The mask has the shape {mask.shape}, the stacks of {row.name} {store.shape[2:]}.")
    drawn = NucleusRegion.of_mask(mask)
    if drawn is None:
        raise WrongRequestError("The mask is empty: draw the nucleus with another value than 0.")
    return drawn


def _voxel(row: AcquisitionRow, store: ImageStore, point: Sequence[float]) -> tuple[int, int, int]:
    spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
    known = all(math.isfinite(at) for at in point)
    z, y, x = (round(at / size) if known else -1 for at, size in zip(point, spacing, strict=True))
    if any(not 0 <= at < size for at, size in zip((z, y, x), store.shape[2:], strict=True)):
        place = ", ".join(f"{at:g}" for at in point)
        unit = "voxels, as its voxel size is not known" if row.voxel_size_um is None else "micrometres, not in voxels"
        last = " x ".join(f"0-{(size - 1) * step:g}" for size, step in zip(store.shape[2:], spacing, strict=True))
        raise WrongRequestError(
            f"The place {place} lies outside the stack of {row.name}: give z,y,x in {unit}, within {last}."
        )
    return z, y, x
