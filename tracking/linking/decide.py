"""Links and divisions of one step decided together: one assignment, then exactly wherever a division may pay."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN
from tracking.linking.candidates import CandidateLinks
from tracking.linking.division_scores import scored
from tracking.linking.exact import improve
from tracking.linking.packing import Packing, Solution, Triples


def decide(pairs: CandidateLinks, triples: Triples, score: bool = True) -> Solution:
    """Best links and divisions such that every source and every target is used at most once.

    Without `score` the gains of divisions, which cost time, are left at 0.

    The assignment without divisions is exact. By its dual values only few divisions can improve it; the parts of the
    sample around these are solved exactly, in blocks of bounded size.
    """
    match = pairs.assigned()
    if not len(triples.saving):
        return Solution(np.asarray(match, np.int64), {})
    packing = Packing(pairs, match)
    worth, price = pairs.prices(match)
    improve(packing, pairs, triples, worth, price)
    if score:
        return scored(packing, pairs, triples, worth, price)
    return Solution(np.array(packing.match, np.int64), {s: (a, b, 0.0) for s, (a, b, _) in packing.division.items()})


def joined(solution: Solution, triples: Triples, size: FloatsN) -> Solution:
    """A solution in which each source that was rather cut in two goes on with the larger piece.

    Parameters
    ----------
    solution : Solution
    triples : Triples
        Those that it was chosen from.
    size : (M,) float64
        Of the targets.
    """
    if not solution.divisions:
        return solution
    named = zip(triples.source.tolist(), triples.first.tolist(), triples.second.tolist(), strict=True)
    lead = dict(zip(named, triples.lead.tolist(), strict=True))
    match, divisions = solution.match.copy(), {}
    for source, (first, second, gain) in solution.divisions.items():
        over_fragments = lead[source, first, second]
        if over_fragments > 0:
            divisions[source] = (first, second, min(gain, over_fragments))
        else:
            match[source] = first if size[first] >= size[second] else second
    return Solution(match, divisions)
