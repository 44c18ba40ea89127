"""Filling of the slices in which a nucleus was missed, from its sections before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nuset_engine.volume_link import Nodes
from nuset_engine.volume_outline import signed_distance
from nuset_engine.volume_sections import SectionStack


@dataclass(frozen=True)
class Gap:
    """A nucleus seen in slices `low` and `high` but in none between; its sections there have these labels."""

    nucleus: int
    low: int
    high: int
    low_label: int
    high_label: int


def gaps_of(nodes: Nodes, columns: list[np.ndarray]) -> list[Gap]:
    """The gaps of all columns; nucleus n is column n - 1."""
    gaps = []
    for number, column in enumerate(columns, start=1):
        z = nodes.z[column]
        for k in np.flatnonzero(np.diff(z) > 1).tolist():
            labels = column[k : k + 2] - nodes.offset[z[k : k + 2]] + 1
            gaps.append(Gap(number, int(z[k]), int(z[k + 1]), int(labels[0]), int(labels[1])))
    return gaps


def fill(stack: SectionStack, gaps: list[Gap], painted: dict[int, np.ndarray]) -> None:
    """Paint the bridged slices in place.

    Outlines are interpolated by signed distance (Raya and Udupa 1990, shape-based interpolation). Only background is
    painted; a pixel that two nuclei ask for goes to the one in which it lies deeper.

    Parameters
    ----------
    stack : SectionStack
        Labels of sections.
    gaps : list of Gap
    painted : mapping of slice to (Y, X) uint32
        Labels of nuclei of the slices that hold a gap.
    """
    depth: dict[int, np.ndarray] = {}
    for gap in gaps:
        for z, box, distance in _interpolated(stack, gap):
            if z not in depth:
                taken = np.where(painted[z] > 0, -np.inf, 0.0)
                depth[z] = taken.astype(np.float32)
            wins = distance < depth[z][box]
            depth[z][box][wins] = distance[wins]
            painted[z][box][wins] = gap.nucleus


def _interpolated(stack: SectionStack, gap: Gap) -> Iterator[tuple[int, tuple[slice, slice], np.ndarray]]:
    """Slice, box and signed distance in it for each slice of a gap."""
    low, high = stack.planes[gap.low] == gap.low_label, stack.planes[gap.high] == gap.high_label
    box = _box(low | high)
    before, after = signed_distance(low[box]), signed_distance(high[box])
    for z in range(gap.low + 1, gap.high):
        weight = (z - gap.low) / (gap.high - gap.low)
        yield z, box, (before * (1 - weight) + after * weight).astype(np.float32)


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Bounding box of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
