"""The nuclei and plain tracks around corrections, read from rows whose tracks are plain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from sqlalchemy import Connection, Table, and_, func, or_, select

from nuset_engine.arrays import FlagsN, IntsN, MatrixNM
from storage.database.corrections.events import LINK_KINDS, Correction
from storage.database.corrections.track_rows import chunks
from storage.database.track_measures import MeasureScale
from storage.schema.tables import nuclei, plain_nuclei, timepoints, tracks
from tracking.corrections.rules import LinkRule, NodeKey, PlainTrack, SceneNodes, SceneTracks
from tracking.evidence.motion import spacing
from tracking.evidence.neighbours import nearest

LABELS = 2**33
"""More than any label."""
LOOSENING = ("merge", "split")
"""Kinds after which the links of nuclei are found anew, although one of them keeps its label."""
NEIGHBOURS = 4.0
"""How far from a correction nuclei are looked at, over the distance between neighbours."""


@dataclass(frozen=True)
class AroundCorrections:
    """What `tracking.corrections` takes."""

    nodes: SceneNodes
    tracks: SceneTracks
    rules: tuple[LinkRule, ...]


def around(
    connection: Connection, acquisition_id: int, fitting: Sequence[Correction], scale: MeasureScale, memory: int
) -> AroundCorrections | None:
    """Read what lies around corrections that fit; None where none of them says anything of tracks."""
    rules = tuple(LinkRule(one.kind, one.nodes) for one in ruling(fitting))
    edits = [one for one in fitting if one.kind not in LINK_KINDS and (one.named("made") or _other(one))]
    named = {one.t for one in edits} | {t for rule in rules for t, _ in rule.nodes}
    if not named:
        return None
    all_times = _times(connection, acquisition_id)
    times = _windows(all_times, named, memory + 2)
    reach = (memory + 1) * scale.step
    known = _tracks(connection, acquisition_id, times[0] - reach, times[-1] + reach)
    everyone = _nodes(connection, acquisition_id, times, edits, scale)
    nodes = _near(everyone, rules, known, (memory + 2) * scale.step)
    return AroundCorrections(nodes, SceneTracks(known, times, all_times, reach), rules)


def ruling(fitting: Sequence[Correction]) -> list[Correction]:
    """Those of links, in the order in which they were said."""
    return [one for one in fitting if one.kind in LINK_KINDS]


def members(connection: Connection, acquisition_id: int, track_ids: Collection[int]) -> dict[int, list[NodeKey]]:
    """Return all nuclei that plain tracks ever had, in order of t."""
    found: dict[int, set[NodeKey]] = {track_id: set() for track_id in track_ids}
    for table in (nuclei, plain_nuclei):
        for some in chunks(track_ids):
            which = and_(table.c.acquisition_id == acquisition_id, table.c.track_id.in_(some))
            for track_id, t, label in connection.execute(
                select(table.c.track_id, table.c.t, table.c.label).where(which)
            ):
                found[int(track_id)].add((int(t), int(label)))
    return {track_id: sorted(nodes) for track_id, nodes in found.items()}


def _other(one: Correction) -> tuple[int, ...]:
    return (*one.named("changed"), *one.named("removed"))


def _times(connection: Connection, acquisition_id: int) -> tuple[int, ...]:
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.nuclei_count.is_not(None))
    query = select(timepoints.c.t).where(here).order_by(timepoints.c.t)
    return tuple(int(t) for t in connection.execute(query).scalars())


def _windows(all_times: Sequence[int], named: Collection[int], margin: int) -> tuple[int, ...]:
    chosen: set[int] = set()
    for index, t in enumerate(all_times):
        if t in named:
            chosen.update(all_times[max(0, index - margin) : index + margin + 1])
    return tuple(sorted(chosen))


def _nodes(
    connection: Connection, acquisition_id: int, times: Sequence[int], edits: Sequence[Correction], scale: MeasureScale
) -> SceneNodes:
    made = _keys((one.t, label) for one in edits for label in one.named("made"))
    loose = _keys((one.t, label) for one in edits if one.kind in LOOSENING for label in one.named("labels"))
    present = _rows(connection, nuclei, acquisition_id, times, scale)
    plain = _rows(connection, plain_nuclei, acquisition_id, times, scale)
    there, replaced = present[:, 0] * LABELS + present[:, 1], plain[:, 0] * LABELS + plain[:, 1]
    is_gone = np.isin(replaced, made) | ~np.isin(replaced, there)
    rows = np.concatenate([present, plain[is_gone]])
    keys = np.concatenate([there, replaced[is_gone]])
    gone = np.arange(len(rows)) >= len(present)
    with np.errstate(divide="ignore"):
        size = np.log(rows[:, 6]) / 3.0
    return SceneNodes(
        t=rows[:, 0].astype(np.int64),
        label=rows[:, 1].astype(np.int64),
        track=rows[:, 2].astype(np.int64),
        place=rows[:, 3:6],
        size=np.where(np.isfinite(size), size, np.nan),
        gone=gone,
        loosened=gone & np.isin(keys, loose),
        redrawn=~gone & np.isin(keys, replaced) & ~np.isin(keys, made),
    )


def _keys(nodes: Iterable[NodeKey]) -> IntsN:
    return np.array([t * LABELS + label for t, label in nodes], np.int64)


def _rows(
    connection: Connection, table: Table, acquisition_id: int, times: Sequence[int], scale: MeasureScale
) -> MatrixNM:
    """Time point, label, track (0: none), place and voxels (0: not known) of nuclei: (N, 7), in order of the first."""
    places = [table.c[f"centroid_{axis}_{scale.unit}"] for axis in "zyx"]
    columns = [table.c.t, table.c.label, func.coalesce(table.c.track_id, 0), *places]
    columns.append(func.coalesce(table.c.volume_px, 0))
    found: list[tuple[float, ...]] = []
    for some in chunks(times):
        which = and_(table.c.acquisition_id == acquisition_id, table.c.t.in_(some))
        query = select(*columns).where(which).order_by(table.c.t, table.c.label)
        found += [tuple(row) for row in connection.execute(query)]
    return np.array(found, np.float64).reshape(-1, 7)


def _near(nodes: SceneNodes, rules: Sequence[LinkRule], known: Mapping[int, PlainTrack], span: int) -> SceneNodes:
    """The nuclei of tracks that come near a correction while it matters, and of their parents and daughters."""
    named = {node for rule in rules for node in rule.nodes}
    seeds = nodes.gone | nodes.redrawn | (nodes.track == 0)
    seeds |= np.isin(nodes.t * LABELS + nodes.label, _keys(named))
    if not seeds.any():  # what was added is deleted again: nothing is left around which tracks could differ
        return _chosen(nodes, seeds)
    middle = nodes.place[nodes.t == nodes.t[np.flatnonzero(seeds)[0]]]
    reach = NEIGHBOURS * (spacing(middle) or np.inf)
    if not np.isfinite(reach):
        return nodes
    at = np.concatenate([nodes.place, (nodes.t * (reach / span))[:, None]], axis=1)
    distance, _ = nearest(at[seeds], at, 1)
    close = set(nodes.track[distance[:, 0] <= np.sqrt(2.0) * reach].tolist())
    family = {one.parent_track_id for one in known.values() if one.track_id in close} - {None}
    family |= {one.track_id for one in known.values() if one.parent_track_id in close | family}
    kept = seeds | np.isin(nodes.track, np.array(sorted({int(one) for one in close | family if one}), np.int64))
    return _chosen(nodes, kept)


def _chosen(nodes: SceneNodes, kept: FlagsN) -> SceneNodes:
    return SceneNodes(**{field.name: getattr(nodes, field.name)[kept] for field in fields(SceneNodes)})


def _tracks(connection: Connection, acquisition_id: int, first: int, last: int) -> dict[int, PlainTrack]:
    names = ("track_id", "parent_track_id", "first_t", "last_t", "division_score", "is_final")
    which = and_(tracks.c.acquisition_id == acquisition_id, tracks.c.first_t <= last, tracks.c.last_t >= first)
    rows = connection.execute(select(*(tracks.c[name] for name in names)).where(which))
    return {int(row[0]): PlainTrack(*row) for row in rows}


def track_records(connection: Connection, acquisition_id: int, track_ids: Collection[int]) -> dict[int, PlainTrack]:
    """Return the records of plain tracks and of their daughters."""
    names = ("track_id", "parent_track_id", "first_t", "last_t", "division_score", "is_final")
    found: dict[int, PlainTrack] = {}
    for some in chunks(track_ids):
        family = or_(tracks.c.track_id.in_(some), tracks.c.parent_track_id.in_(some))
        which = and_(tracks.c.acquisition_id == acquisition_id, family)
        rows = connection.execute(select(*(tracks.c[name] for name in names)).where(which))
        found |= {int(row[0]): PlainTrack(*row) for row in rows}
    return found
