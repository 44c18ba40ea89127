"""Families of tracks: who descends from whom, how many divisions ago."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, String, case, cast, func, literal, null, or_, select

from storage.query import statements
from storage.query.filters import Columns
from storage.query.statements import ALL, Selection
from storage.schema import tables

MOST_GENERATIONS = 10_000  # ends the walk in a database that someone else has filled with a circle


def lineage(acquisition_id: int, selection: Selection = ALL) -> Select[Any]:
    """Return the statement for tracks with their place in the lineage, families together, mothers first.

    Beside the columns of tracks: `root_track_id` (the oldest ancestor), `generation` (divisions since then),
    `daughter_1`, `daughter_2`, and `relation` to the track that was asked for: ``self``, ``ancestor``, ``descendant``,
    ``relative``, or nothing without one. With a track only its family is walked through.
    """
    table = tables.tracks
    tree = _tree(acquisition_id, selection.track)
    places: Columns = {
        "root_track_id": tree.c.root_track_id,
        "generation": tree.c.generation,
        "daughter_1": _daughter(func.min),
        "daughter_2": _daughter(func.max),
        "relation": tree.c.relation,
    }
    columns: Columns = {
        **{c.name: c for c in table.columns if c.name not in places},
        **places,
        **statements.as_written(acquisition_id),
    }
    inner = (
        select(*(column.label(name) for name, column in columns.items()))
        .select_from(tree)
        # An outer join, though every track is there: SQLite then begins with the few of the tree.
        .outerjoin(table, (table.c.acquisition_id == acquisition_id) & (table.c.track_id == tree.c.track_id))
        .subquery()
    )
    first, last = selection.bounds()
    query = select(inner)
    query = query.where(inner.c.last_t >= first) if first is not None else query
    query = query.where(inner.c.first_t <= last) if last is not None else query
    order = (inner.c.root_track_id, inner.c.generation, inner.c.track_id)
    return selection.of(query, dict(inner.columns), "lineages").order_by(*order)


def _tree(acquisition_id: int, track: int | None) -> CTE:
    """Return track_id, root_track_id, generation and relation of all tracks, or of one track's family."""
    table = tables.tracks
    mine = table.c.acquisition_id == acquisition_id
    up = None if track is None else _ancestors(acquisition_id, track)
    first = mine & _is_root()
    if up is not None:
        oldest = select(up.c.track_id).order_by(up.c.distance.desc()).limit(1).scalar_subquery()
        first = mine & (table.c.track_id == oldest)
    roots = select(
        table.c.track_id,
        table.c.track_id.label("root_track_id"),
        literal(0).label("generation"),
        _relation(table.c.track_id, track, up, None).label("relation"),
    ).where(first)
    tree = roots.cte("tree", recursive=True)
    child = table.alias("child")
    below = (
        select(
            child.c.track_id,
            tree.c.root_track_id,
            tree.c.generation + 1,
            _relation(child.c.track_id, track, up, tree.c.relation),
        )
        .join(tree, child.c.parent_track_id == tree.c.track_id)
        .where(child.c.acquisition_id == acquisition_id, tree.c.generation < MOST_GENERATIONS)
    )
    return tree.union_all(below)


def _ancestors(acquisition_id: int, track: int) -> CTE:
    """Return the track, its mother, and so on, with their distance in divisions."""
    table = tables.tracks
    mine = table.c.acquisition_id == acquisition_id
    start = select(table.c.track_id, table.c.parent_track_id, literal(0).label("distance"))
    up = start.where(mine, table.c.track_id == track).cte("up", recursive=True)
    mother = table.alias("mother")
    above = (
        select(mother.c.track_id, mother.c.parent_track_id, up.c.distance + 1)
        .join(up, mother.c.track_id == up.c.parent_track_id)
        .where(mother.c.acquisition_id == acquisition_id, up.c.distance < MOST_GENERATIONS)
    )
    return up.union_all(above)


def _is_root() -> ColumnElement[bool]:
    """A track without a mother, or whose mother is not there."""
    table, mother = tables.tracks, tables.tracks.alias("mother")
    known = select(mother.c.id).where(
        mother.c.acquisition_id == table.c.acquisition_id, mother.c.track_id == table.c.parent_track_id
    )
    return or_(table.c.parent_track_id.is_(None), ~known.correlate(table).exists())


def _relation(
    number: ColumnElement[int], track: int | None, up: CTE | None, of_mother: ColumnElement[str] | None
) -> ColumnElement[str]:
    if track is None or up is None:
        return cast(null(), String)
    cases = [(number == track, "self"), (number.in_(select(up.c.track_id)), "ancestor")]
    if of_mother is not None:
        cases.insert(0, (of_mother.in_(("self", "descendant")), "descendant"))
    return cast(case(*cases, else_="relative"), String)


def _daughter(which: Callable[[ColumnElement[int]], ColumnElement[int]]) -> ColumnElement[int]:
    """The daughter with the lowest or the highest number; nothing for the second of one."""
    table, child = tables.tracks, tables.tracks.alias("daughter")
    # The sum keeps SQLite from walking all tracks in order of their numbers until one has this mother.
    numbers = select(which(child.c.track_id + 0)).where(
        child.c.acquisition_id == table.c.acquisition_id, child.c.parent_track_id == table.c.track_id
    )
    if which is func.max:
        numbers = numbers.having(func.count() > 1)
    return numbers.correlate(table).scalar_subquery()
