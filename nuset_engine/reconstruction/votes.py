"""How neighbouring slices see the sections of a slice."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FlagsN, IntsN
from nuset_engine.reconstruction.sections import SectionPairs, SectionStack

INSIDE = 0.6  # share of its area that a section must have inside another to count as a part of it
SMALLEST_PART = 0.1  # of the area of the whole: smaller parts are specks and cast no vote
COVERED = 0.5  # share of a section that the parts in a neighbouring slice must cover
SAME = 0.5  # IoU, or share of one in the other, from which sections of two slices are the same object


def voters(z: int, count: int, reach: int) -> list[int]:
    """The slices that vote on slice `z` of `count`, nearest first, the lower one first."""
    return [v for step in range(1, reach + 1) for v in (z - step, z + step) if 0 <= v < count]


def parts_in(stack: SectionStack, z: int, voter: int) -> SectionPairs:
    """Sections of `z` with the sections of `voter` that are parts of them, only where there are two or more."""
    pairs = stack.pairs(z, voter)
    n = stack.count(z)
    big = stack.areas(voter)[pairs.other] >= SMALLEST_PART * stack.areas(z)[pairs.own]
    part = (pairs.share_other >= INSIDE) & big
    several = np.bincount(pairs.own[part], minlength=n) >= 2
    covered = np.bincount(pairs.own[part], pairs.shared[part], n) >= COVERED * stack.areas(z)
    return pairs.where(part & (several & covered)[pairs.own])


def wholes_in(stack: SectionStack, z: int, voter: int) -> FlagsN:
    """(n,) bool: `voter` has one section in the place of each section of `z`."""
    pairs = stack.pairs(z, voter)
    same = (pairs.iou >= SAME) | (pairs.share_own >= INSIDE)
    return np.bincount(pairs.own[same], minlength=stack.count(z)) > 0


def partners_in(stack: SectionStack, z: int, voter: int) -> IntsN:
    """(n,) the section of `voter` that is the same object as each section of `z`, -1 where there is none."""
    pairs = stack.pairs(z, voter)
    partner = np.full(stack.count(z), -1)
    same = pairs.where(pairs.over_smaller >= SAME)
    order = np.argsort(same.shared, kind="stable")
    partner[same.own[order]] = same.other[order]
    return partner
