"""What a person would have to say of links, that a lineage becomes one that was edited elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tracking.corrections.rules import LinkRule, NodeKey

NodeLink = tuple[NodeKey, NodeKey]
"""A nucleus, and a later one that it goes on as."""


@dataclass(frozen=True)
class LineageDifferences:
    """What is to be said, and of which nuclei something cannot: they go on as more than two, or come from several."""

    rules: tuple[LinkRule, ...]
    too_many: tuple[NodeKey, ...] = ()
    several_pasts: tuple[NodeKey, ...] = ()


def lineage_differences(
    present: Iterable[NodeLink], wanted: Iterable[NodeLink], known: Collection[NodeKey]
) -> LineageDifferences:
    """Return what makes the wanted links of the present ones.

    Only what nuclei go on as is compared: each comes from one at most, so what they come from follows.

    Parameters
    ----------
    present, wanted : iterable of (node, node)
        Links, earlier and later.
    known : collection of node
        The nuclei that the wanted links speak of; of others nothing is said.
    """
    there = set(known)
    now = _successors(link for link in present if set(link) <= there)
    links = sorted({(one, two) for one, two in wanted if one in there and two in there and one[0] < two[0]})
    past: dict[NodeKey, NodeKey] = {}
    several = [two for one, two in links if past.setdefault(two, one) != one]
    goal = _successors((one, two) for one, two in links if past[two] == one)
    too_many = [node for node, later in goal.items() if len(later) > 2]
    rules = [
        rule
        for node in sorted(there)
        if node not in too_many and (rule := _rule(node, now.get(node, ()), goal.get(node, ()))) is not None
    ]
    return LineageDifferences(tuple(rules), tuple(sorted(too_many)), tuple(sorted(set(several))))


def _successors(links: Iterable[NodeLink]) -> Mapping[NodeKey, tuple[NodeKey, ...]]:
    found: dict[NodeKey, tuple[NodeKey, ...]] = {}
    for one, two in links:
        found[one] = tuple(sorted((*found.get(one, ()), two)))
    return found


def _rule(node: NodeKey, now: tuple[NodeKey, ...], goal: tuple[NodeKey, ...]) -> LinkRule | None:
    """What is to be said of what a nucleus goes on as."""
    if now == goal:
        return None
    if not goal:
        return LinkRule("end", (node,))
    if len(goal) == 2:
        return LinkRule("divide", (node, *goal))
    if len(now) == 2 and goal[0] in now:
        return LinkRule("unlink", (node, now[0] if goal[0] == now[1] else now[1]))
    return LinkRule("link", (node, *goal))


def links_of_tracks(
    nodes: Mapping[int, Collection[int]], parents: Mapping[int, int]
) -> tuple[list[NodeLink], list[int]]:
    """Return the links of a movie whose nuclei carry the number of their track, and tracks with an impossible parent.

    Parameters
    ----------
    nodes : mapping of t to track numbers
        Which tracks have a nucleus there.
    parents : mapping of track to track
    """
    times: dict[int, list[int]] = {}
    for t in sorted(nodes):
        for track in nodes[t]:
            times.setdefault(track, []).append(t)
    links = [((one, track), (two, track)) for track, seen in times.items() for one, two in pairwise(seen)]
    odd = []
    for track, parent in sorted(parents.items()):
        if track not in times:
            continue
        if parent in times and times[parent][-1] < times[track][0]:
            links.append(((times[parent][-1], parent), (times[track][0], track)))
        else:
            odd.append(track)
    return links, odd
