"""What became of tracks in one transaction: begun, divided, ended, final, and what of that is taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, select

from storage.schema.event_kinds import BORN, DIVIDED, ENDED, FINAL, NOT_BORN, NOT_DIVIDED, NOT_ENDED
from storage.schema.tables import tracks

if TYPE_CHECKING:
    from tracking.tracker import TrackUpdate

_AT_ONCE = 400  # values in a statement that every SQLite takes


@dataclass(frozen=True)
class KnownTrack:
    """What an event can tell of a track."""

    parent: int | None
    first_t: int
    last_t: int
    count: int
    is_final: bool
    score: float | None = None


KnownTracks = Mapping[int, KnownTrack]


def all_of(connection: Connection, acquisition_id: int) -> KnownTracks:
    """Return every track of an acquisition."""
    return dict(_read(connection, tracks.c.acquisition_id == acquisition_id))


def of_update(connection: Connection, acquisition_id: int, update: TrackUpdate) -> tuple[KnownTracks, KnownTracks]:
    """Return the tracks of which an update may change what events tell: as rows say it now, and as it will be.

    What begins before the frames that are not final yet stays as it is: of an ordinary update these are few.
    """
    told = told_by(update)
    since = min((frame.t for frame in update.frames if frame.is_final), default=float("-inf"))
    moved = {number for number, one in told.items() if one.first_t >= since or one.is_final}
    gone = set(update.removed_tracks)
    mine = tracks.c.acquisition_id == acquisition_id
    before = dict(_among(connection, mine, tracks.c.track_id, moved | gone))
    parents = {one.parent for one in before.values()} | {told[number].parent for number in moved} | moved
    before |= _among(connection, mine, tracks.c.parent_track_id, parents - {None})
    now = {**before, **{number: told[number] for number in moved | (told.keys() & before.keys())}}
    return before, {number: one for number, one in now.items() if number not in gone}


def told_by(update: TrackUpdate) -> KnownTracks:
    """Return the tracks of an update."""
    return {
        one.track_id: KnownTrack(
            one.parent_track_id, one.first_t, one.last_t, one.nuclei_count, one.is_final, _float(one.division_score)
        )
        for one in update.tracks
    }


def of_records(records: Iterable[Mapping[str, Any]]) -> KnownTracks:
    """Return tracks that are about to become all that there are."""
    return {
        int(one["track_id"]): KnownTrack(
            one["parent_track_id"],
            one["first_t"],
            one["last_t"],
            one["nuclei_count"],
            bool(one["is_final"]),
            one["division_score"],
        )
        for one in records
    }


def changes(before: KnownTracks, now: KnownTracks, seen: tuple[int, int]) -> dict[str, list[Any]]:
    """Return as facts of an event how tracks differ; `seen` are the last time points of the tracker, then and now.

    A track that goes on up to there did not end: it was not looked for any further.
    """
    found: dict[str, list[Any]] = {
        BORN: [[n, first] for n, first in sorted(_born(now) - _born(before))],
        NOT_BORN: [[n, first] for n, first in sorted(_born(before) - _born(now))],
    }
    old, new = _divided(before), _divided(now)
    found[DIVIDED] = [[*_division(one), now[one[1][0]].score] for one in sorted(new - old)]
    found[NOT_DIVIDED] = [_division(one) for one in sorted(old - new)]
    ended, ends = (_ended(*which) for which in ((before, old, seen[0]), (now, new, seen[1])))
    found[ENDED] = [[n, t] for n, t in sorted(ends - ended)]
    found[NOT_ENDED] = [[n, t] for n, t in sorted(ended - ends)]
    found[FINAL] = sorted(n for n, one in now.items() if one.is_final and before.get(n) != one)
    return {name: values for name, values in found.items() if values}


_Division = tuple[int, tuple[int, ...], int]


def _born(known: KnownTracks) -> set[tuple[int, int]]:
    return {(number, one.first_t) for number, one in known.items() if one.parent is None}


def _divided(known: KnownTracks) -> set[_Division]:
    daughters: dict[int, list[int]] = defaultdict(list)
    for number, one in known.items():
        if one.parent is not None:
            daughters[one.parent].append(number)
    return {
        (parent, tuple(sorted(found)), min(known[one].first_t for one in found))
        for parent, found in daughters.items()
        if len(found) > 1
    }


def _ended(known: KnownTracks, divided: Collection[_Division], last_t: int) -> set[tuple[int, int]]:
    parents = {parent for parent, _, _ in divided}
    return {
        (number, one.last_t)
        for number, one in known.items()
        if one.is_final and one.last_t < last_t and number not in parents
    }


def _division(one: _Division) -> list[Any]:
    parent, daughters, t = one
    return [parent, list(daughters), t]


def _among(
    connection: Connection, mine: ColumnElement[bool], column: ColumnElement[Any], values: Collection[Any]
) -> Iterator[tuple[int, KnownTrack]]:
    ordered: Sequence[Any] = sorted(values)
    for start in range(0, len(ordered), _AT_ONCE):
        yield from _read(connection, mine & column.in_(ordered[start : start + _AT_ONCE]))


def _read(connection: Connection, which: ColumnElement[bool]) -> Iterator[tuple[int, KnownTrack]]:
    columns = ("track_id", "parent_track_id", "first_t", "last_t", "nuclei_count", "is_final", "division_score")
    rows = connection.execute(select(*(tracks.c[name] for name in columns)).where(which))
    yield from map(_known, rows.all())


def _known(row: Sequence[Any]) -> tuple[int, KnownTrack]:
    number, parent, first, last, count, final, score = row
    return int(number), KnownTrack(None if parent is None else int(parent), first, last, count, bool(final), score)


def _float(score: float | None) -> float | None:
    return None if score is None else float(score)
