"""Time points that are numbered in steps: every third frame of a movie is numbered 0, 3, 6, and nothing is missing.

Whatever counts time points (memory, divisions, cycles) then counts steps.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import pairwise

LEAST_FILES = 3
"""Time points over which a step has to be seen."""


def step_of(numbers: Collection[int]) -> int:
    """Return the constant step of numbers; 1 where there is none, or too few tell.

    The step has to be seen at least twice, and every number has to fit it; further ones may be absent.
    """
    found = sorted(set(numbers))
    gaps = [later - earlier for earlier, later in pairwise(found)]
    if len(found) < LEAST_FILES or 1 in gaps:
        return 1
    step = math.gcd(*gaps)
    return step if gaps.count(step) >= LEAST_FILES - 1 else 1


def off_step(numbers: Collection[int], step: int) -> tuple[int, ...]:
    """Return the numbers that do not fit a step from the lowest one on."""
    found = sorted(numbers)
    return tuple(number for number in found if (number - found[0]) % step)


def absent(numbers: Collection[int], step: int = 1) -> tuple[int, ...]:
    """Return the numbers between the lowest and the highest one that the step would have, and that are not there."""
    if not numbers:
        return ()
    there = set(numbers)
    return tuple(number for number in range(min(there), max(there), step) if number not in there)
