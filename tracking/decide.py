"""Links and divisions of one step decided together: one assignment, then exactly wherever a division may pay."""

from __future__ import annotations

from tracking.assignment import Pairs, assign, prices
from tracking.exact import improve
from tracking.packing import Packing, Solution, Triples


def decide(pairs: Pairs, triples: Triples) -> Solution:
    """Best links and divisions such that every source and every target is used at most once.

    The assignment without divisions is exact. By its dual values only few divisions can improve it; the parts of the
    sample around these are solved exactly, in blocks of bounded size.
    """
    match = assign(pairs)
    packing = Packing(pairs, match)
    if not len(triples.saving):
        return packing.solution()
    worth, price = prices(pairs, match)
    improve(packing, pairs, triples, worth, price)
    return packing.solution()
