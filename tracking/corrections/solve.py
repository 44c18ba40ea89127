"""Links around corrections: what a person said is kept, what hung on it is joined anew, and the rest stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracking.corrections.local_links import NONE, LocalLinks
from tracking.corrections.rejoin import Constraints, rejoin
from tracking.corrections.rules import LinkRule, SceneNodes, SceneTracks

CERTAIN = 1.0
"""Score of a division that a person gave."""
_Division = tuple[int, tuple[int, int], float | None]


def solve(nodes: SceneNodes, around: SceneTracks, rules: Sequence[LinkRule]) -> LocalLinks:
    """Return the links after corrections.

    Parameters
    ----------
    nodes : SceneNodes
        Around every correction.
    around : SceneTracks
    rules : sequence of LinkRule
        In the order in which they were said: a later one counts.
    """
    links = LocalLinks(nodes, around)
    broken = _take_out(links)
    _cut_long_gaps(links, around.reach)
    constraints = Constraints()
    for index, rule in enumerate(rules):
        rows = [links.rows.get(node) for node in rule.nodes]
        known = [row for row in rows if row is not None]
        if len(known) < len(rows) or (rule.kind == "undivide" and known[0] not in links.daughters):
            links.misfits.add(index)
        else:
            _RULES[rule.kind](links, constraints, known)
    rejoin(links, around.reach, constraints)
    for division in broken:
        _restore(links, constraints, division)
    return links


def _take_out(links: LocalLinks) -> list[_Division]:
    """Take out nuclei that are gone; return the divisions in which one was, others being in its place."""
    nodes = links.nodes
    broken: list[_Division] = []
    for row in np.flatnonzero(nodes.gone & ~nodes.loosened).tolist():
        links.bridge(row)
    for row in np.flatnonzero(nodes.loosened).tolist():
        mothers = [one for one in (row, links.before[row]) if one in links.daughters]
        broken += [(one, links.daughters[one], links.scores[one]) for one in mothers]
        links.cut_after(row)
        links.cut_before(row)
    links.freed -= set(np.flatnonzero(nodes.gone).tolist())
    return broken


def _cut_long_gaps(links: LocalLinks, reach: int) -> None:
    """Links over more time than a nucleus may go unseen, since those between are gone."""
    t = links.nodes.t
    for row, after in enumerate(list(links.after)):
        if after >= 0 and t[after] - t[row] > reach and links.plain_after[row] != after:
            links.cut_after(row)


def _link(links: LocalLinks, constraints: Constraints, rows: list[int]) -> None:
    one, two = rows
    constraints.never.discard((one, two))
    constraints.ended.discard(one)
    constraints.fixed.add(two)
    if links.after[one] == two:
        return
    constraints.parted[one, two] = {links.after[one], *links.daughters.get(one, ()), links.before[two]} - {one, two}
    links.cut_after(one)
    links.cut_before(two)
    links.join(one, two)


def _unlink(links: LocalLinks, constraints: Constraints, rows: list[int]) -> None:
    one, two = rows
    constraints.never.add((one, two))
    if links.before[two] == one:
        links.cut_before(two)


def _divide(links: LocalLinks, constraints: Constraints, rows: list[int]) -> None:
    mother, one, two = rows
    constraints.ended.discard(mother)
    constraints.fixed |= {one, two}
    constraints.never -= {(mother, one), (mother, two)}
    score = links.scores.get(mother) if set(links.daughters.get(mother, ())) == {one, two} else None
    links.cut_after(mother)
    for daughter in (one, two):
        links.cut_before(daughter)
    links.join_division(mother, (one, two), CERTAIN if score is None else score)


def _undivide(links: LocalLinks, constraints: Constraints, rows: list[int]) -> None:
    (mother,) = rows
    links.cut_after(mother)


def _end(links: LocalLinks, constraints: Constraints, rows: list[int]) -> None:
    (last,) = rows
    links.cut_after(last)
    constraints.ended.add(last)


_RULES = {"link": _link, "unlink": _unlink, "divide": _divide, "undivide": _undivide, "end": _end}


def _restore(links: LocalLinks, constraints: Constraints, division: _Division) -> None:
    """Let a division in which a nucleus was replaced go on with who is in its place, if that is clear."""
    mother, pair, score = division
    made = links.nodes.track == 0
    there = [one for one in pair if not links.nodes.gone[one]]
    if len(there) == 2:  # the mother was replaced
        found = [links.before[one] for one in there if links.before[one] >= 0]
        if len(found) == 1 and made[found[0]] and _may_bear(links, constraints, found[0], there):
            _bear(links, found[0], there, score)
        elif len(found) == 2 and all(made[one] for one in found):
            older = [links.before[one] for one in found if links.before[one] >= 0]
            if len(older) == 1 and _may_bear(links, constraints, older[0], found):
                _bear(links, older[0], found, score)
    elif len(there) == 1 and links.after[mother] == there[0]:
        lost = next(one for one in pair if links.nodes.gone[one])
        orphans = [
            row
            for row in np.flatnonzero(made & (links.nodes.t == links.nodes.t[lost])).tolist()
            if _may_bear(links, constraints, mother, (there[0], row))
        ]
        if orphans:
            place = links.nodes.place
            nearest = min(orphans, key=lambda row: float(np.linalg.norm(place[row] - place[lost])))
            _bear(links, mother, (there[0], nearest), score)


def _may_bear(links: LocalLinks, constraints: Constraints, mother: int, pair: Sequence[int]) -> bool:
    """Say whether a nucleus may divide into two: nothing that a person said is against it."""
    free = all(links.before[one] in (NONE, mother) for one in pair)
    later = all(links.nodes.t[one] > links.nodes.t[mother] for one in pair)
    fixed = any(one in constraints.fixed for one in pair)
    banned = any((mother, one) in constraints.never for one in pair)
    return free and later and mother not in links.daughters and not fixed and not banned


def _bear(links: LocalLinks, mother: int, pair: Sequence[int], score: float | None) -> None:
    one, two = pair
    links.after[mother] = NONE
    links.join_division(mother, (one, two), score)
