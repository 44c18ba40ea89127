"""Light that flickers from slice to slice, as that of a lamp, taken off the brightness of sections.

Along a nucleus the brightness rises and falls, and it dips between two that are stacked. Where a slice is brighter than
those on both sides, and these are darker than they should be in turn, in the nuclei of the slice alike while their
areas stay, the light has changed and not the nuclei. Through dips of such a kind columns would be cut.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, RowsN
from nuset_engine.reconstruction.link import Nodes

LEAST_NUCLEI = 3  # that say how the light of a slice differs
STEADY_AREA = 0.5  # range of the logarithms of areas in three slices up to which a nucleus can say it
FLICKERS = 0.6  # logarithm; sheets of nuclei in register reach 0.3, light that changes by half between slices 0.8
SMOOTH = 0.05  # how little of a course that is slow over slices is taken for the light's


def evenly_lit(nodes: Nodes, columns: list[RowsN], count: int) -> Nodes:
    """The sections with the brightness that they would have if the light of all slices were the same.

    Parameters
    ----------
    nodes : Nodes
    columns : list of (n,) int
        Rows of sections that lie on each other.
    count : int
        Slices of the stack.

    Returns
    -------
    Nodes
        The same object where the light does not flicker.
    """
    bend, known = _bends(nodes, columns, count)
    three = known[1:-1] & known[:-2] & known[2:]
    leap = bend[1:-1] - (bend[:-2] + bend[2:]) / 2
    if not (leap[three] >= FLICKERS).any():
        return nodes
    return replace(nodes, brightness=nodes.brightness / np.exp(_course(bend, known))[nodes.z])


def _bends(nodes: Nodes, columns: list[RowsN], count: int) -> tuple[FloatsN, FlagsN]:
    """(Z,) by how much each slice is brighter than the mean of its neighbours, as a logarithm; and where it is known.

    It is the median over the nuclei that are seen in all three slices with about the same area.
    """
    rows, owner = np.concatenate(columns), np.repeat(np.arange(len(columns)), [len(column) for column in columns])
    z, three = nodes.z[rows], np.arange(max(0, len(rows) - 2))[:, None] + np.arange(3)
    with np.errstate(divide="ignore", invalid="ignore"):
        light, area = np.log(nodes.brightness[rows])[three], np.log(nodes.area[rows])[three]
    together = (owner[three[:, 0]] == owner[three[:, 2]]) & (np.diff(z[three], axis=1) == 1).all(axis=1)
    able = together & np.isfinite(light).all(axis=1) & (np.ptp(area, axis=1) < STEADY_AREA)
    found, middle = light[able, 1] - (light[able, 0] + light[able, 2]) / 2, z[three[able, 1]]
    known = np.bincount(middle, minlength=count) >= LEAST_NUCLEI
    bend = np.zeros(count)
    for slice_ in np.flatnonzero(known):
        bend[slice_] = np.median(found[middle == slice_])
    return bend, known


def _course(bend: FloatsN, known: FlagsN) -> FloatsN:
    """(Z,) logarithm of the light whose bends are these, and that is no further from even than it must be."""
    bends = np.eye(len(bend)) - (np.eye(len(bend), k=1) + np.eye(len(bend), k=-1)) / 2
    seen = bends[known]
    course = np.linalg.solve(seen.T @ seen + SMOOTH * np.eye(len(bend)), seen.T @ bend[known])
    return course.astype(np.float64)
