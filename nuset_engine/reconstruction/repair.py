"""Repair of single slices by their neighbours: a section that two nuclei share is divided, pieces of one are joined.

Neighbouring slices vote. A slice says *separate* where one section covers two or more of its own sections, *whole*
where it has one section in its place; the majority over a few slices on both sides decides, together with the shape of
the pieces. So an error in one slice is outvoted, while the true ends of nuclei (as many slices for as against) are left
alone.
"""

from __future__ import annotations

from nuset_engine.reconstruction.divide import divide_sections
from nuset_engine.reconstruction.join import join_sections
from nuset_engine.reconstruction.sections import SectionStack

ROUNDS = 2  # dividing can make joins possible and the reverse; more rounds change next to nothing


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
        fresh = divide_sections(stack, reach) + join_sections(stack, reach)
        changed += fresh
        if not fresh:
            break
    return changed
