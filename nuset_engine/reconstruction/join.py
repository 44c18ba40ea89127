"""Joining of sections that are pieces of one nucleus, by what neighbouring slices see in their place."""

from __future__ import annotations

from collections import Counter

import numpy as np

from nuset_engine.arrays import IntsN
from nuset_engine.reconstruction.outline import SHAPE_VOTES, TOUCHING_PX, apart_votes
from nuset_engine.reconstruction.sections import SectionStack
from nuset_engine.reconstruction.votes import partners_in, parts_in, voters


def join_sections(stack: SectionStack, reach: int) -> int:
    """Join pieces of one nucleus, in place; all votes are cast before anything changes.

    Returns
    -------
    int
        Number of pairs joined.
    """
    plans = [_plan(stack, z, reach) for z in range(len(stack))]
    for z, joins in enumerate(plans):
        if joins:
            _join(stack, z, joins)
    return sum(map(len, plans))


def _plan(stack: SectionStack, z: int, reach: int) -> list[tuple[int, int]]:
    """Pairs of touching sections of `z` that neighbouring slices, and their shape, take for one."""
    n = stack.count(z)
    together: Counter[tuple[int, int]] = Counter()
    partners: list[IntsN] = []
    for voter in voters(z, len(stack), reach) if n > 1 else ():
        parts = parts_in(stack, voter, z)
        for whole in np.unique(parts.own):
            pieces = np.sort(parts.other[parts.own == whole]).tolist()
            together.update((a, b) for i, a in enumerate(pieces) for b in pieces[i + 1 :])
        partners.append(partners_in(stack, z, voter))
    joins = []
    for (a, b), votes in sorted(together.items()):
        apart = sum(bool(p[a] >= 0 and p[b] >= 0 and p[a] != p[b]) for p in partners)
        if votes - apart > -SHAPE_VOTES:
            shape = _shape(stack, z, a, b)
            if shape is not None and votes - apart - shape > 0:
                joins.append((a, b))
    return joins


def _shape(stack: SectionStack, z: int, first: int, second: int) -> float | None:
    """The votes of shape for two nuclei, None where the sections do not touch."""
    boxes = stack.boxes(z)
    both = zip(boxes[first], boxes[second], strict=True)
    margin = TOUCHING_PX + 1
    y, x = (slice(max(min(s.start, t.start) - margin, 0), max(s.stop, t.stop) + margin) for s, t in both)
    crop = stack.planes[z][y, x]
    return apart_votes(crop == first + 1, crop == second + 1)


def _join(stack: SectionStack, z: int, joins: list[tuple[int, int]]) -> None:
    """Join sections of slice `z` and number the rest without holes; score and brightness are means by area."""
    root = np.arange(stack.count(z))
    for first, second in joins:
        root[root == root[second]] = root[first]
    roots, names = np.unique(root, return_inverse=True)
    area = stack.areas(z).astype(np.float64)
    whole = np.bincount(names, area, len(roots))
    scores, brightness = (
        np.bincount(names, values * area, len(roots)) / whole for values in (stack.scores[z], stack.brightness[z])
    )
    lookup = np.concatenate([[0], names + 1]).astype(np.uint32)
    stack.replace(z, lookup[stack.planes[z]], scores, brightness)
