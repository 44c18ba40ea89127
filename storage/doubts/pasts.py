"""Tracks as far as doubts need them: who descends from whom, and what precedes a nucleus."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, and_, select, true

from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei, plain_nuclei, timepoints, tracks
from tracking.corrections.rules import NodeKey


@dataclass(frozen=True)
class TrackEnds:
    """A track as far as doubts need it."""

    track_id: int
    parent: int | None
    first_t: int
    last_t: int
    nuclei_count: int


@dataclass(frozen=True)
class Family:
    """All tracks of an acquisition, and who descends from whom."""

    tracks: Mapping[int, TrackEnds]
    daughters: Mapping[int, tuple[int, ...]]
    below: Mapping[int, int]
    """Nuclei of each track and of all that descend from it."""

    @classmethod
    def read(cls, connection: Connection, acquisition_id: int) -> Family:
        """From the rows."""
        names = ("track_id", "parent_track_id", "first_t", "last_t", "nuclei_count")
        query = select(*(tracks.c[name] for name in names)).where(tracks.c.acquisition_id == acquisition_id)
        known = {int(row[0]): TrackEnds(*row) for row in connection.execute(query)}
        daughters: dict[int, tuple[int, ...]] = {}
        for one in known.values():
            if one.parent is not None:
                daughters[one.parent] = (*daughters.get(one.parent, ()), one.track_id)
        below: dict[int, int] = {}
        for one in sorted(known.values(), key=lambda track: -track.first_t):
            below[one.track_id] = one.nuclei_count + sum(below.get(d, 0) for d in daughters.get(one.track_id, ()))
        return cls(known, daughters, below)


@dataclass(frozen=True)
class PastNucleus:
    """The nucleus before a gap of a track: where it is, and the first time point of the gap."""

    node: NodeKey
    place: tuple[float, ...]
    place_px: tuple[float, ...]
    next_t: int


class Pasts:
    """What precedes nuclei in their tracks; all that it needs is read at once."""

    def __init__(self, connection: Connection, row: AcquisitionRow) -> None:
        here = and_(timepoints.c.acquisition_id == row.id, timepoints.c.nuclei_count.is_not(None))
        self._times = list(connection.execute(select(timepoints.c.t).where(here).order_by(timepoints.c.t)).scalars())
        self._corrected: set[tuple[int, int]] = set()
        for table, some in ((nuclei, nuclei.c.corrected), (plain_nuclei, true())):
            query = select(table.c.track_id, table.c.t).where(table.c.acquisition_id == row.id, some)
            self._corrected |= {(int(track or 0), int(t)) for track, t in connection.execute(query)}
        self._nuclei: dict[int, list[RowMapping]] = {}
        places = [nuclei.c[f"centroid_{axis}_{unit}"] for unit in sorted({row.unit, "px"}) for axis in "zyx"]
        columns = (nuclei.c.track_id, nuclei.c.t, nuclei.c.label, *places)
        long = tracks.c.nuclei_count * row.step <= tracks.c.last_t - tracks.c.first_t
        gappy = select(tracks.c.track_id).where(tracks.c.acquisition_id == row.id, long)
        which = and_(nuclei.c.acquisition_id == row.id, nuclei.c.track_id.in_(gappy))
        for one in connection.execute(select(*columns).where(which).order_by(nuclei.c.t)).mappings():
            self._nuclei.setdefault(int(one["track_id"]), []).append(one)
        self._row = row

    def is_corrected(self, track: TrackEnds, t: int) -> bool:
        """Say whether a person said what is or is not before it: how it goes on was doubted when that was otherwise."""
        before = bisect_left(self._times, t) - 1
        return before >= 0 and (track.track_id, self._times[before]) in self._corrected

    def across_gap(self, track: TrackEnds, t: int) -> PastNucleus | None:
        """Return the nucleus from which a later one goes on, where there are time points in between; else None."""
        known = self._nuclei.get(track.track_id, [])
        at = bisect_left([int(one["t"]) for one in known], t)
        if at == 0:
            return None
        before = known[at - 1]
        following = self._times[bisect_left(self._times, int(before["t"])) + 1]
        if following >= t:
            return None
        return PastNucleus((int(before["t"]), int(before["label"])), *places_of(before, self._row), following)


def places_of(nucleus: RowMapping, row: AcquisitionRow) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return where a nucleus is, in the unit of its acquisition and in voxels."""
    place, voxel = (
        tuple(float(nucleus[f"centroid_{axis}_{unit}"] or 0.0) for axis in "zyx") for unit in (row.unit, "px")
    )
    return place, voxel


def between(one: Sequence[float], two: Sequence[float], share: float) -> tuple[float, float, float]:
    """Return the place (z, y, x) that is a share of the way from one to another."""
    z, y, x = (a + share * (b - a) for a, b in zip(one, two, strict=True))
    return z, y, x
