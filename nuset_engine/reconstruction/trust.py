"""How far a reconstructed nucleus can be trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nuset_engine.arrays import FlagsN, RowsN
from nuset_engine.nuclei import TRUST_COLUMNS
from nuset_engine.reconstruction.bridge import Gap
from nuset_engine.reconstruction.columns import Scale, depth_of, likeliest_cut
from nuset_engine.reconstruction.link import Nodes
from nuset_engine.reconstruction.sections import SectionStack
from nuset_engine.reconstruction.votes import parts_in, voters

SUSPICIOUS_EVIDENCE = -1.0  # a column spared by less than this
SUSPICIOUS_THICKNESS = 1.7  # of what nuclei of this width have in this stack
SUSPICIOUS_THINNESS = 0.5
STACKED_OVERLAP = 0.5


def trust_table(stack: SectionStack, nodes: Nodes, columns: list[RowsN], gaps: list[Gap], scale: Scale) -> pd.DataFrame:
    """Score and `nuclei.TRUST_COLUMNS` of all nuclei, index `label` from 1.

    A split is suspected where a nucleus is less than half as thick as its width asks for and goes on in a neighbour
    above or below; a merge where it is far too thick, was only just not cut, or has a section that the
    slices on both sides see as several. Of a single plane one slice is expected.
    """
    peak = np.array([nodes.area[c].max() for c in columns])
    depth = np.array([depth_of(nodes, c) for c in columns], dtype=np.int64)
    expected = np.clip(np.rint(scale.slices(peak)), 1, None if len(stack) > 1 else 1).astype(np.int64)
    border = _touches_border(stack, nodes, columns)
    bridged = np.zeros(len(columns), dtype=bool)
    bridged[[gap.nucleus - 1 for gap in gaps]] = True
    thin = (depth < SUSPICIOUS_THINNESS * expected) & ~border
    table = {
        "score": [float(np.average(nodes.score[c], weights=nodes.area[c])) for c in columns],
        "slices_seen": [len(np.unique(nodes.z[c])) for c in columns],
        "slices_expected": expected,
        "gap_bridged": bridged,
        "split_suspected": thin & _goes_on(stack, nodes, columns),
        "merge_suspected": (depth > SUSPICIOUS_THICKNESS * expected) | _nearly_two(stack, nodes, columns, scale),
        "touches_border": border,
    }
    index = pd.RangeIndex(1, len(columns) + 1, name="label")
    return pd.DataFrame(table, index=index).astype({"score": "float64", **TRUST_COLUMNS})


def _touches_border(stack: SectionStack, nodes: Nodes, columns: list[RowsN]) -> FlagsN:
    """(N,) bool: has a pixel on the edge of a plane, or is in the first or last slice of a stack."""
    at_edge = np.zeros(len(nodes.z), dtype=bool)
    for z, plane in enumerate(stack.planes):
        edge = np.unique(np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])).astype(np.int64)
        at_edge[nodes.offset[z] + edge[edge > 0] - 1] = True
    if len(stack) > 1:
        at_edge |= (nodes.z == 0) | (nodes.z == len(stack) - 1)
    return np.array([at_edge[c].any() for c in columns], dtype=bool)


def _goes_on(stack: SectionStack, nodes: Nodes, columns: list[RowsN]) -> FlagsN:
    """(N,) bool: another nucleus covers most of this one's end, or is mostly covered by it."""
    owner = np.full(len(nodes.z), -1)
    for number, column in enumerate(columns):
        owner[column] = number
    goes_on = np.zeros(len(columns), dtype=bool)
    for number, column in enumerate(columns):
        for row, step in ((int(column[0]), -1), (int(column[-1]), 1)):
            z = int(nodes.z[row])
            if not 0 <= z + step < len(stack):
                continue
            pairs = stack.pairs(z, z + step)
            near = (pairs.own == row - nodes.offset[z]) & (pairs.over_smaller >= STACKED_OVERLAP)
            others = owner[nodes.offset[z + step] + pairs.other[near]]
            goes_on[number] |= bool(((others >= 0) & (others != number)).any())
    return goes_on


def _nearly_two(stack: SectionStack, nodes: Nodes, columns: list[RowsN], scale: Scale) -> FlagsN:
    """(N,) bool: has was only just not cut, or has a section that neighbours on both sides see as several."""
    several = np.zeros(len(nodes.z), dtype=bool)
    for z in range(len(stack)):
        seen = [parts_in(stack, z, voter).own for voter in voters(z, len(stack), 1)]
        if len(seen) == 2:
            several[nodes.offset[z] + np.intersect1d(seen[0], seen[1])] = True
    cuts = [likeliest_cut(nodes, column, scale) for column in columns]
    nearly = [cut is not None and cut.evidence > SUSPICIOUS_EVIDENCE for cut in cuts]
    return np.array([n or several[c].any() for n, c in zip(nearly, columns, strict=True)], dtype=bool)
