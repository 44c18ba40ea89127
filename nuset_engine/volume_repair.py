"""Repair of single slices by their neighbours: a section that two nuclei share is divided, pieces of one are joined.

Neighbouring slices vote. A slice says *separate* where one section covers two or more of its own sections, *whole*
where it has one section in its place; the majority over a few slices on both sides decides. So an error in one slice is
outvoted, while the true ends of nuclei (as many slices for as against) are left alone.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nuset_engine.volume_sections import Pairs, SectionStack

INSIDE = 0.6  # share of its area that a section must have inside another to count as a part of it
SMALLEST_PART = 0.1  # of the area of the whole: smaller parts are specks and cast no vote
COVERED = 0.5  # share of a section that the parts in a neighbouring slice must cover
SAME = 0.5  # IoU from which sections of two slices are the same object
ROUNDS = 2  # dividing can make joins possible and the reverse; more rounds change next to nothing
TOUCHING_PX = 2  # pieces of one nucleus lie at most this far apart


def repair(stack: SectionStack, reach: int) -> int:
    """Divide merged and join broken sections of a stack in place.

    Parameters
    ----------
    stack : SectionStack
    reach : int
        Number of slices on each side that vote.

    Returns
    -------
    int
        Number of sections divided or joined.
    """
    changed = 0
    for _ in range(ROUNDS):
        fresh = _divide_all(stack, reach) + _join_all(stack, reach)
        changed += fresh
        if not fresh:
            break
    return changed


def neighbours(z: int, count: int, reach: int) -> list[int]:
    """The slices that vote on slice `z` of `count`, nearest first, the lower one first."""
    return [v for step in range(1, reach + 1) for v in (z - step, z + step) if 0 <= v < count]


def parts_in(stack: SectionStack, z: int, voter: int) -> Pairs:
    """Sections of `z` with the sections of `voter` that are parts of them, only where there are two or more."""
    pairs = stack.pairs(z, voter)
    n = stack.count(z)
    big = stack.areas(voter)[pairs.other] >= SMALLEST_PART * stack.areas(z)[pairs.own]
    part = (pairs.share_other >= INSIDE) & big
    several = np.bincount(pairs.own[part], minlength=n) >= 2
    covered = np.bincount(pairs.own[part], pairs.shared[part], n) >= COVERED * stack.areas(z)
    return _subset(pairs, part & (several & covered)[pairs.own])


def _subset(pairs: Pairs, keep: np.ndarray) -> Pairs:
    """Some of the pairs."""
    return Pairs(*(getattr(pairs, name)[keep] for name in Pairs.__dataclass_fields__))


def _divide_all(stack: SectionStack, reach: int) -> int:
    """Divide every section that its neighbours see as several; all votes are cast before anything changes."""
    plans = [_plan_divisions(stack, z, reach) for z in range(len(stack))]
    edits = [(z, _divide(stack, z, plan)) for z, plan in enumerate(plans) if plan]
    for z, (plane, scores) in edits:
        stack.replace(z, plane, scores)
    return sum(map(len, plans))


def _plan_divisions(stack: SectionStack, z: int, reach: int) -> dict[int, list[tuple[int, np.ndarray]]]:
    """For each section of `z` to divide: the nearest slice on each side that sees it in parts, with these parts."""
    n = stack.count(z)
    balance = np.zeros(n, dtype=np.int64)
    witnesses: list[tuple[int, Pairs]] = []
    for voter in neighbours(z, len(stack), reach) if n else ():
        parts = parts_in(stack, z, voter)
        separate = np.bincount(parts.own, minlength=n) > 0
        pairs = stack.pairs(z, voter)
        same = (pairs.iou >= SAME) | (pairs.share_own >= INSIDE)
        whole = (np.bincount(pairs.own[same], minlength=n) > 0) & ~separate
        balance += separate.astype(np.int64) - whole
        witnesses.append((voter, parts))
    plan: dict[int, list[tuple[int, np.ndarray]]] = {}
    for section in np.flatnonzero(balance > 0):
        sides: dict[bool, tuple[int, np.ndarray]] = {}
        for voter, parts in witnesses:
            others = parts.other[parts.own == section]
            if len(others):
                sides.setdefault(voter > z, (voter, others))
        plan[int(section)] = sorted(sides.values(), key=lambda side: abs(side[0] - z))
    return plan


def _divide(
    stack: SectionStack, z: int, plan: dict[int, list[tuple[int, np.ndarray]]]
) -> tuple[np.ndarray, np.ndarray]:
    """The plane and scores of slice `z` after dividing the planned sections."""
    plane, scores = stack.planes[z].copy(), list(stack.scores[z])
    boxes = stack.boxes(z)
    for section, sides in plan.items():
        box = boxes[section]
        region = plane[box] == section + 1
        nearest = np.argmin(_seed_distances(stack, box, sides), axis=0)
        for part in range(1, int(nearest.max()) + 1):
            mask = region & (nearest == part)
            if mask.any() and (region & (plane[box] == section + 1) & ~mask).any():
                scores.append(scores[section])
                plane[box][mask] = len(scores)
    return plane, np.array(scores)


def _seed_distances(stack: SectionStack, box: tuple[slice, slice], sides: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """(parts, y, x) signed distances to the seeds within a box: the parts of the nearest side, averaged with their
    partners on the other side where they have one."""
    (base, parts), rest = sides[0], sides[1:]
    distances = np.stack([signed_distance(stack.planes[base][box] == part + 1) for part in parts])
    for other, candidates in rest:
        pairs = stack.pairs(base, other)
        for i, part in enumerate(parts):
            mine = (pairs.own == part) & np.isin(pairs.other, candidates)
            if mine.any():
                partner = pairs.other[mine][np.argmax(pairs.shared[mine])]
                distances[i] += signed_distance(stack.planes[other][box] == partner + 1)
                distances[i] /= 2
    return distances


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance to a mask in pixels, negative inside it; far away everywhere for an empty mask."""
    if not mask.any():
        return np.full(mask.shape, float(sum(mask.shape)))
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return ndimage.distance_transform_edt(~mask) - inside


def _join_all(stack: SectionStack, reach: int) -> int:
    """Join all pieces that their neighbours see as one; all votes are cast before anything changes."""
    plans = [_plan_joins(stack, z, reach) for z in range(len(stack))]
    for z, joins in enumerate(plans):
        if joins:
            _join(stack, z, joins)
    return sum(map(len, plans))


def _plan_joins(stack: SectionStack, z: int, reach: int) -> list[tuple[int, int]]:
    """Pairs of touching sections of `z` that more neighbouring slices see as one section than as two."""
    n = stack.count(z)
    voters = neighbours(z, len(stack), reach) if n > 1 else []
    partners: list[np.ndarray] = []
    together: dict[tuple[int, int], int] = {}
    for voter in voters:
        parts = parts_in(stack, voter, z)
        for whole in np.unique(parts.own):
            pieces = np.sort(parts.other[parts.own == whole])
            for i, first in enumerate(pieces):
                for second in pieces[i + 1 :]:
                    together[int(first), int(second)] = together.get((int(first), int(second)), 0) + 1
        partners.append(_partner(stack, z, voter))
    joins = []
    for (first, second), votes in sorted(together.items()):
        apart = sum(p[first] >= 0 and p[second] >= 0 and p[first] != p[second] for p in partners)
        if votes > apart and _touch(stack, z, first, second):
            joins.append((first, second))
    return joins


def _partner(stack: SectionStack, z: int, voter: int) -> np.ndarray:
    """(n,) the section of `voter` that is the same object as each section of `z`, -1 where there is none."""
    pairs = stack.pairs(z, voter)
    partner = np.full(stack.count(z), -1)
    same = np.maximum(pairs.share_own, pairs.share_other) >= SAME
    order = np.argsort(pairs.shared[same], kind="stable")
    partner[pairs.own[same][order]] = pairs.other[same][order]
    return partner


def _touch(stack: SectionStack, z: int, first: int, second: int) -> bool:
    """Whether two sections of a slice lie within `TOUCHING_PX` of each other."""
    a, b = (stack.boxes(z)[i] for i in (first, second))
    box = tuple(slice(max(min(s.start, t.start) - 1, 0), max(s.stop, t.stop) + 1) for s, t in zip(a, b, strict=True))
    crop = stack.planes[z][box]
    near = ndimage.distance_transform_edt(crop != first + 1) <= TOUCHING_PX
    return bool((near & (crop == second + 1)).any())


def _join(stack: SectionStack, z: int, joins: list[tuple[int, int]]) -> None:
    """Join sections of slice `z` and number the rest without holes; a score is the mean by area."""
    n = stack.count(z)
    root = np.arange(n)
    for first, second in joins:
        root[root == root[second]] = root[first]
    roots, names = np.unique(root, return_inverse=True)
    area = stack.areas(z).astype(np.float64)
    weight = np.bincount(names, area, len(roots))
    scores = np.bincount(names, stack.scores[z] * area, len(roots)) / weight
    lookup = np.concatenate([[0], names + 1]).astype(np.uint32)
    stack.replace(z, lookup[stack.planes[z]], scores)
