"""Which nuclei of an acquisition were in mitosis, as its divisions tell, and of which nobody knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, func, select

from storage.schema.rows import AcquisitionRow
from storage.schema.tables import corrections, nuclei, timepoints, tracks

MOST_DOUBT = 0.1
"""Divisions that are wrong less often than this are undoubted."""
MARGIN_FRAMES = 1
"""So many frames before those of a mitosis, it may have begun."""


@dataclass(frozen=True)
class MitoticNuclei:
    """What divisions tell of the nuclei of an acquisition.

    Attributes
    ----------
    mothers : mapping of int to tuple of (t, label)
        By track, each mother in its last frames before it divides.
    unknown : mapping of int to set of int
        By time point, labels of nuclei that may be in mitosis.
    doubtful : int
        Divisions that are not among those: nobody said that they are right.
    ordinary : tuple of int
        Time points at which some nucleus is known not to be in mitosis, in order.
    """

    mothers: Mapping[int, tuple[tuple[int, int], ...]]
    unknown: Mapping[int, frozenset[int]] = field(default_factory=dict)
    doubtful: int = 0
    ordinary: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Track:
    first_t: int
    last_t: int
    parent: int | None
    doubt: float | None


def mitotic_nuclei(
    connection: Connection, row: AcquisitionRow, frames: int = 1, undoubted: bool = False
) -> MitoticNuclei:
    """Read which nuclei were in mitosis.

    Parameters
    ----------
    connection : Connection
        Sees one moment of the database.
    row : AcquisitionRow
    frames : int
        How long a mitosis lasts: a mother is taken in so many of its last frames. In so many after a division daughters
        may still be condensed, and nobody knows.
    undoubted : bool
        Take, besides divisions that a person confirmed or drew, those that are hardly ever wrong.

    Returns
    -------
    MitoticNuclei
        A track that ends otherwise may have divided unseen, and one that begins may have been born so: of their last
        and first frames nothing is known, either.
    """
    known = _tracks(connection, row.id)
    daughters: dict[int, list[_Track]] = defaultdict(list)
    for track in known.values():
        if track.parent is not None:
            daughters[track.parent].append(track)
    said = _said(connection, row.id)
    chosen = {
        mother
        for mother, born in daughters.items()
        if mother in known
        and all(one.first_t == known[mother].last_t + row.step for one in born)
        and (mother in said or (undoubted and all(_is_sure(one) for one in born)))
    }
    lasts, margin = frames * row.step, MARGIN_FRAMES * row.step
    begin = _first_t(connection, row.id)
    mothers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    unknown: dict[int, set[int]] = defaultdict(set)
    ordinary: set[int] = set()
    here = nuclei.c.acquisition_id == row.id
    query = select(nuclei.c.t, nuclei.c.label, nuclei.c.track_id).where(here).order_by(nuclei.c.t, nuclei.c.label)
    for t, label, number in connection.execute(query):
        mine = known.get(number)
        if mine is None:
            unknown[t].add(int(label))
        elif number in chosen and t > mine.last_t - lasts:
            mothers[number].append((int(t), int(label)))
        elif t > mine.last_t - lasts - margin or (mine.first_t > begin and t < mine.first_t + lasts):
            unknown[t].add(int(label))
        else:
            ordinary.add(int(t))
    return MitoticNuclei(
        {mother: tuple(nodes) for mother, nodes in sorted(mothers.items())},
        {t: frozenset(labels) for t, labels in unknown.items()},
        len(daughters) - len(chosen),
        tuple(sorted(ordinary)),
    )


def _is_sure(daughter: _Track) -> bool:
    return daughter.doubt is not None and daughter.doubt <= MOST_DOUBT


def _tracks(connection: Connection, acquisition_id: int) -> dict[int, _Track]:
    names = ("track_id", "first_t", "last_t", "parent_track_id", "doubt")
    query = select(*(tracks.c[name] for name in names)).where(tracks.c.acquisition_id == acquisition_id)
    return {
        int(number): _Track(int(first), int(last), *rest) for number, first, last, *rest in connection.execute(query)
    }


def _said(connection: Connection, acquisition_id: int) -> Collection[int]:
    """Tracks of mothers whose division a person confirmed or drew."""
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.kind == "divide")
    query = select(corrections.c.changed).where(mine, corrections.c.state == "applied")
    found: set[int] = set()
    for changed in connection.scalars(query):
        t, label = (changed or {}).get("nodes", [[-1, -1]])[0]
        here = and_(nuclei.c.acquisition_id == acquisition_id, nuclei.c.t == int(t), nuclei.c.label == int(label))
        number = connection.scalar(select(nuclei.c.track_id).where(here))
        found |= set() if number is None else {int(number)}
    return found


def _first_t(connection: Connection, acquisition_id: int) -> int:
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.nuclei_count.is_not(None))
    return int(connection.scalar(select(func.min(timepoints.c.t)).where(here)) or 0)
