"""Frame-to-frame linking with trackpy, from where nuclei are expected to where they are."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nuset_engine.arrays import RowsN
from tracking.arrays import PlacesND
from tracking.evidence.neighbours import nearest_pairs
from tracking.linking.candidates import CandidateLinks
from tracking.trackpy_parts import LINKING, LINKING_ERRORS, part

SUBNET_SOURCES = 8
"""Largest subnetwork that trackpy solves, at a cost that grows exponentially; adaptive search splits larger ones."""
ADAPTIVE_STEP = 0.8
ADAPTIVE_STOP = 0.3
"""The range shrinks by the first in crowded places, down to the second times the search range."""


def link(expected: PlacesND, found: PlacesND, search_range: float) -> RowsN:
    """Link nuclei from one frame to the next.

    Parameters
    ----------
    expected : (N, D) float64
        Where the nuclei of the earlier frame are expected now.
    found : (M, D) float64
        Where nuclei are now.
    search_range : float
        Largest distance between the two.

    Returns
    -------
    (N,) int64
        Row in `found`, -1 for none.
    """
    if not len(expected) or not len(found):
        return np.full(len(expected), -1, np.int64)
    try:
        return _link_trackpy(expected, found, search_range)
    except part(LINKING_ERRORS).SubnetOversizeException:
        return link_by_assignment(expected, found, search_range)


def _link_trackpy(expected: PlacesND, found: PlacesND, search_range: float) -> RowsN:
    """Links of trackpy's linker with adaptive search; raises its SubnetOversizeException where that is not enough."""
    linker = _bounded_linker()(
        search_range,
        adaptive_stop=search_range * ADAPTIVE_STOP,
        adaptive_step=ADAPTIVE_STEP,
        link_strategy="recursive",  # with or without numba the same
    )
    linker.init_level(_untied(expected, search_range, 0), 0)
    linker.next_level(_untied(found, search_range, 1), 1)
    particles = np.asarray(linker.particle_ids, np.int64)
    match = np.full(len(expected), -1, np.int64)
    rows = np.flatnonzero(particles < len(expected))
    match[particles[rows]] = rows
    return match


@cache
def _bounded_linker() -> type[Any]:
    """Trackpy's linker with limits of our own."""
    limits = {"MAX_SUB_NET_SIZE_ADAPTIVE": SUBNET_SOURCES, "MAX_NEIGHBORS": 6}
    return type("BoundedLinker", (part(LINKING).Linker,), limits)


def _untied(points: PlacesND, search_range: float, seed: int) -> PlacesND:
    """Points moved by a millionth of the range, always the same way: trackpy breaks ties by memory addresses."""
    return points + 1e-6 * search_range * np.random.default_rng([len(points), seed]).uniform(-1.0, 1.0, points.shape)


def link_by_assignment(expected: PlacesND, found: PlacesND, search_range: float) -> RowsN:
    """The same by one sparse assignment over the nearest few of each, which takes any number of points."""
    source, target, distance = nearest_pairs(expected, found, search_range)
    saving = search_range**2 * (1 + 1e-9) - distance**2
    return CandidateLinks.build(source, target, saving, len(expected), len(found)).assigned()
