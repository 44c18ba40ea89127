"""Nuclei that are found in two fragments: the other explanation of two nuclei where one was.

The segmentation now and then cuts a nucleus in two, and may go on doing so. The fragments lie where the nucleus was and
together have the size that it usually has, while daughters are small from the start: their mother has condensed.
"""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN
from tracking.evidence.costs import size_cost, step_cost
from tracking.evidence.endings import FRAGMENT
from tracking.evidence.expectation import CostModel, Expectation
from tracking.evidence.frame import Frame
from tracking.evidence.sources import Sources


def fragments_cost(
    sources: Sources,
    frame: Frame,
    expected: Expectation,
    triples: tuple[RowsN, RowsN, RowsN],
    model: CostModel,
) -> FloatsN:
    """Cost of each source, first and second target (E,) if both are fragments of the source, without their separation.

    That of the separation is the same as for daughters. Infinite where the sizes are not known.
    """
    source, first, second = triples
    belief = model.belief
    volume = np.exp(3.0 * frame.size)
    both = volume[first] + volume[second]
    share = volume[first] / both
    share = np.where(np.isnan(share), 0.5, share)[:, None]
    centre = share * frame.positions[first] + (1.0 - share) * frame.positions[second]
    off2 = ((centre - expected.place[source]) ** 2).sum(axis=1)
    change = np.log(both) / 3.0 - sources.usual[source]
    suspect = frame.suspect[first] | frame.suspect[second]
    chance = np.where(suspect, max(belief.cut, FRAGMENT), belief.cut)
    cost = step_cost(off2, expected.spread[source], model.dimensions, model.scale) + size_cost(change, belief)
    return np.where(np.isnan(change), np.inf, cost - np.log(chance))
