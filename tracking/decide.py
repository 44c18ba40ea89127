"""Links and divisions of one step decided together: assignment, then divisions one at a time, then part by part exactly."""

from __future__ import annotations

import numpy as np

from tracking.assignment import Pairs, assign, prices
from tracking.exact import improve
from tracking.packing import MIN_GAIN, Packing, Solution, Triples

PASSES = 3


def decide(pairs: Pairs, triples: Triples) -> Solution:
    """Best links and divisions such that every source and every target is used at most once.

    The assignment without divisions is exact. By its dual values only few divisions can improve it; these are tried one by
    one, and the parts of the sample around them then solved exactly, in blocks of bounded size.
    """
    match = assign(pairs)
    packing = Packing(pairs, match)
    if not len(triples.saving):
        return packing.solution()
    worth, price = prices(pairs, match)
    promise = triples.saving - worth[triples.source] - price[triples.first] - price[triples.second]
    order = np.lexsort((triples.second, triples.first, triples.source, -promise))
    order = order[promise[order] > MIN_GAIN]
    for _ in range(PASSES):
        changed = False
        for index in order:
            triple = (int(triples.source[index]), int(triples.first[index]), int(triples.second[index]))
            changed |= packing.try_division(*triple, float(triples.saving[index]))
        changed |= packing.drop_worthless()
        if not changed:
            break
    improve(packing, pairs, triples, worth, price)
    return packing.solution()
