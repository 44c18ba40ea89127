"""Slices that were missed: blank ones, and those in which everything lies elsewhere than in the slices around them.

A frame that the camera dropped is blank; a stage that was still moving shows its nuclei displaced. Neither tells where
nuclei are, so both are bridged.
"""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FlagsN
from nuset_engine.reconstruction.sections import SectionStack

CONTRADICTED = 1.2  # slices around agree with each other by this much better than with what lies between them
LONGEST_RUN = 3  # contradicted slices in a row


def dismiss(stack: SectionStack) -> list[int]:
    """Empty the slices that the slices around them contradict, in place.

    In a stack without faults neighbours agree better than slices further apart do. Where it is the other way round,
    the slices between them are displaced. Slices at the ends have neighbours on one side only and stay.

    Returns
    -------
    list of int
        The slices that were emptied, ascending.
    """
    emptied: list[int] = []
    seen = [z for z in range(len(stack)) if stack.count(z)]
    place = 1
    while place < len(seen) - 1:
        run = _contradicted(stack, seen, place)
        for z in seen[place : place + run]:
            stack.replace(z, np.zeros_like(stack.planes[z]), stack.scores[z][:0], stack.brightness[z][:0])
        emptied += seen[place : place + run]
        del seen[place : place + run]
        place += 1
    return emptied


def is_blank(stack: SectionStack) -> FlagsN:
    """(Z,) bool: no section in this slice, though there are some both before and after it."""
    empty = np.array([stack.count(z) == 0 for z in range(len(stack))], dtype=bool)
    shown = np.flatnonzero(~empty)
    if len(shown):
        empty[: shown[0]] = empty[shown[-1] + 1 :] = False
    return empty & bool(len(shown))


def _contradicted(stack: SectionStack, seen: list[int], place: int) -> int:
    """Number of slices from `seen[place]` on that those around them contradict."""
    before = seen[place - 1]
    for run in range(1, min(LONGEST_RUN, len(seen) - 1 - place) + 1):
        first, last, after = seen[place], seen[place + run - 1], seen[place + run]
        around = min(confirmed(stack, before, after), confirmed(stack, after, before))
        # Two slices on either side: where one of them missed a nucleus, the next shows that it is no displacement.
        within = max(
            *(confirmed(stack, first, z) for z in seen[max(0, place - 2) : place]),
            *(confirmed(stack, last, z) for z in seen[place + run : place + run + 2]),
        )
        if around > CONTRADICTED * within:
            return run
    return 0


def confirmed(stack: SectionStack, z: int, other: int) -> float:
    """How far slice `other` confirms what slice `z` shows, 0 to 1: largest overlaps over the smaller section, by area.

    Neither broken nor fused sections lower it, nor does what `z` does not show.
    """
    pairs, areas = stack.pairs(z, other), stack.areas(z)
    best = np.zeros(len(areas))
    np.maximum.at(best, pairs.own, pairs.over_smaller)
    return float(best @ areas / areas.sum())
