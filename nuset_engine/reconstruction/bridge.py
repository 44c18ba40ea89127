"""Filling of the slices in which a nucleus was missed, from its sections before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import IntsN, LabelsYX, MaskYX, PlaneF32
from nuset_engine.reconstruction.link import Nodes
from nuset_engine.reconstruction.outline import signed_distance
from nuset_engine.reconstruction.sections import SectionStack


@dataclass(frozen=True)
class Gap:
    """A nucleus seen in slices `low` and `high` but in none between; its sections there have these labels."""

    nucleus: int
    low: int
    high: int
    low_label: int
    high_label: int


def gaps_of(nodes: Nodes, columns: list[IntsN]) -> list[Gap]:
    """The gaps of all columns; nucleus n is column n - 1."""
    gaps = []
    for number, column in enumerate(columns, start=1):
        z = nodes.z[column]
        for k in np.flatnonzero(np.diff(z) > 1).tolist():
            labels = column[k : k + 2] - nodes.offset[z[k : k + 2]] + 1
            gaps.append(Gap(number, int(z[k]), int(z[k + 1]), int(labels[0]), int(labels[1])))
    return gaps


def fill(stack: SectionStack, gaps: list[Gap], z: int, plane: LabelsYX) -> None:
    """Paint a bridged slice in place.

    Outlines are interpolated by signed distance (Raya and Udupa 1990, shape-based interpolation). Only background is
    painted; a pixel that two nuclei ask for goes to the one in which it lies deeper.

    Parameters
    ----------
    stack : SectionStack
        Labels of sections in the slices at both ends of the gaps.
    gaps : list of Gap
        Those that slice `z` lies in.
    z : int
    plane : (Y, X) uint32
        Labels of nuclei of slice `z`.
    """
    if not gaps:
        return
    depth = np.where(plane > 0, -np.inf, 0.0).astype(np.float32)
    for gap in gaps:
        box, distance = _interpolated(stack, gap, z)
        wins = distance < depth[box]
        depth[box][wins] = distance[wins]
        plane[box][wins] = gap.nucleus


def _interpolated(stack: SectionStack, gap: Gap, z: int) -> tuple[tuple[slice, slice], PlaneF32]:
    """Box and signed distance in it of a nucleus in slice `z` of its gap."""
    low, high = stack.planes[gap.low] == gap.low_label, stack.planes[gap.high] == gap.high_label
    box = _box(low | high)
    weight = (z - gap.low) / (gap.high - gap.low)
    return box, (signed_distance(low[box]) * (1 - weight) + signed_distance(high[box]) * weight).astype(np.float32)


def _box(mask: MaskYX) -> tuple[slice, slice]:
    """Bounding box of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
