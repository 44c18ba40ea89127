"""Division of sections that two or more nuclei share, by what neighbouring slices see in their place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import DistancesNYX, IntsN, LabelsYX, MaskYX
from nuset_engine.reconstruction.outline import SHAPE_VOTES, apart_votes, signed_distance
from nuset_engine.reconstruction.sections import SectionPairs, SectionStack
from nuset_engine.reconstruction.votes import parts_in, voters, wholes_in

SMALLEST_PIECE = 0.05  # of the area of the section: smaller pieces are not worth a division


@dataclass(frozen=True)
class Suspect:
    """A section that neighbours see as several.

    Attributes
    ----------
    section : int
    balance : int
        Slices that see it as several, less those that see one.
    witnesses : list of (slice, sections)
        The nearest slice on each side that sees it as several, with its parts there; the nearer one first.
    """

    section: int
    balance: int
    witnesses: list[tuple[int, IntsN]]


def divide_sections(stack: SectionStack, reach: int) -> int:
    """Divide what is several nuclei, in place; all votes are cast before anything changes.

    Returns
    -------
    int
        Number of sections divided.
    """
    suspects = [_suspects(stack, z, reach) for z in range(len(stack))]
    edits = [_divided(stack, z, found) for z, found in enumerate(suspects)]
    changed = 0
    for z, (plane, origin) in enumerate(edits):
        if len(origin) > stack.count(z):
            changed += len(origin) - stack.count(z)
            stack.replace(z, plane, stack.scores[z][origin], stack.brightness[z][origin])
    return changed


def _suspects(stack: SectionStack, z: int, reach: int) -> list[Suspect]:
    """Sections of `z` that at least one voter sees as several and that shape could tip to be."""
    n = stack.count(z)
    balance = np.zeros(n, dtype=np.int64)
    seen: list[tuple[int, SectionPairs]] = []
    for voter in voters(z, len(stack), reach) if n else ():
        parts = parts_in(stack, z, voter)
        several = np.bincount(parts.own, minlength=n) > 0
        balance += several.astype(np.int64) - (wholes_in(stack, z, voter) & ~several)
        seen.append((voter, parts))
    suspects = []
    for section in np.flatnonzero(balance > -SHAPE_VOTES).tolist():
        sides: dict[bool, tuple[int, IntsN]] = {}
        for voter, parts in seen:
            others = parts.other[parts.own == section]
            if len(others):
                sides.setdefault(voter > z, (voter, others))
        if sides:
            nearest_first = sorted(sides.values(), key=lambda side: abs(side[0] - z))
            suspects.append(Suspect(section, int(balance[section]), nearest_first))
    return suspects


def _divided(stack: SectionStack, z: int, suspects: list[Suspect]) -> tuple[LabelsYX, IntsN]:
    """The plane of slice `z` after dividing the suspects for which votes and shape agree, and which section each new
    section is from."""
    origin = list(range(stack.count(z)))
    if not suspects:
        return stack.planes[z], np.array(origin, dtype=np.int64)
    plane = stack.planes[z].copy()
    boxes = stack.boxes(z)
    for suspect in suspects:
        box = boxes[suspect.section]
        pieces = _pieces(stack, box, plane[box] == suspect.section + 1, suspect.witnesses)
        if len(pieces) > 1 and suspect.balance + _shape(pieces) > 0:
            for piece in pieces[1:]:
                origin.append(suspect.section)
                plane[box][piece] = len(origin)
    return plane, np.array(origin)


def _pieces(
    stack: SectionStack, box: tuple[slice, slice], region: MaskYX, witnesses: list[tuple[int, IntsN]]
) -> list[MaskYX]:
    """Masks of the pieces of a section within its box: every pixel goes to the nearest seed."""
    nearest = np.argmin(_seed_distances(stack, box, witnesses), axis=0)
    pieces = [region & (nearest == seed) for seed in range(int(nearest.max()) + 1)]
    least = SMALLEST_PIECE * np.count_nonzero(region)
    return pieces if all(np.count_nonzero(piece) > least for piece in pieces) else [region]


def _shape(pieces: list[MaskYX]) -> float:
    """The votes of shape, those of the two pieces that look most like one."""
    votes = [apart_votes(a, b) for i, a in enumerate(pieces) for b in pieces[i + 1 :]]
    return min((vote for vote in votes if vote is not None), default=SHAPE_VOTES)


def _seed_distances(stack: SectionStack, box: tuple[slice, slice], witnesses: list[tuple[int, IntsN]]) -> DistancesNYX:
    """(parts, y, x) signed distances to the seeds within a box: the parts of the nearest witness, averaged with their
    partners on the other side where they have one."""
    (base, parts), rest = witnesses[0], witnesses[1:]
    distances = np.stack([signed_distance(stack.planes[base][box] == part + 1) for part in parts])
    for other, candidates in rest:
        pairs = stack.pairs(base, other)
        for i, part in enumerate(parts):
            mine = (pairs.own == part) & np.isin(pairs.other, candidates)
            if mine.any():
                partner = pairs.other[mine][np.argmax(pairs.shared[mine])]
                distances[i] = (distances[i] + signed_distance(stack.planes[other][box] == partner + 1)) / 2
    return distances
