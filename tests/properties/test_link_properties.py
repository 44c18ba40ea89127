"""Whatever people say of links, in whichever order: it holds, and what follows is tracks and families."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np
import pytest
from cases.linked import TIMES, LinkedMovie

from tracking.corrections.local_links import LocalLinks
from tracking.corrections.rules import LinkRule, NodeKey

KINDS = ("link", "unlink", "divide", "undivide", "end")


def odd_movie(rng: np.random.Generator) -> LinkedMovie:
    """Few tracks that wander, some of which divide or have gaps, and nuclei that are gone, replaced, new or redrawn."""
    count = int(rng.integers(1, 7))
    movie = LinkedMovie(count)
    movie.place = {node: (0.0, y + rng.normal(0, 2), x + rng.normal(0, 3)) for node, (_, y, x) in movie.place.items()}
    for mother, needed in ((1, 3), (4, 6)):
        if count >= needed and rng.random() < 0.6:
            movie.divide(mother, int(rng.integers(0, 6)), mother + 1, mother + 2)
    ends = {node for mine in movie.members().values() for node in (mine[0], mine[-1])}
    for node in [node for node in movie.place if node not in ends and rng.random() < 0.08]:
        del movie.place[node], movie.track[node]
    for t, label in list(movie.place):
        pick = rng.random()
        if pick < 0.06:
            movie.remove((t, label))
        elif pick < 0.12:
            movie.remove((t, label), loosened=True)
            if rng.random() < 0.8:
                movie.make((t, label if rng.random() < 0.5 else label + 50), 10 * label + rng.normal(0, 2))
            if rng.random() < 0.5:
                movie.make((t, label + 60), 10.0 * label + 5)
        elif pick < 0.16:
            movie.moved.add((t, label))
        elif pick < 0.18:
            movie.make((t, label + 80), float(rng.uniform(0, 60)))
    return movie


def odd_rule(nodes: Collection[NodeKey], rng: np.random.Generator) -> LinkRule | None:
    """Something of nuclei that are there, most of it of one time point and the next."""
    there = sorted(nodes)
    kind, one = str(rng.choice(KINDS)), there[int(rng.integers(len(there)))]
    if kind in ("undivide", "end"):
        return LinkRule(kind, (one,))
    later = [t for t in TIMES if t > one[0]]
    then = later[0] if later and rng.random() < 0.7 else int(rng.choice(later or [-1]))
    others = [node for node in there if node[0] == then]
    wanted = 2 if kind == "divide" else 1
    if len(others) < wanted:
        return None
    chosen = rng.choice(len(others), wanted, replace=False).tolist()
    return LinkRule(kind, (one, *(others[index] for index in chosen)))


def assert_families(movie: LinkedMovie, owner: dict[NodeKey, int]) -> None:
    """Every nucleus has a track, mothers are there before their daughters, and have two."""
    assert set(owner) == set(movie.place)
    times: dict[int, list[int]] = {}
    for t, label in sorted(owner):
        times.setdefault(owner[t, label], []).append(t)
    assert all(times[mother][-1] < times[daughter][0] for daughter, mother in movie.parents.items())
    assert set(Counter(movie.parents.values()).values()) <= {2}


def assert_holds(rule: LinkRule, links: LocalLinks) -> None:
    """What was said last is so."""
    one, *others = (links.rows[node] for node in rule.nodes)
    if rule.kind == "link":
        at = one
        while links.after[at] >= 0 and at != others[0]:
            at = links.after[at]
        assert at == others[0]
    elif rule.kind == "unlink":
        assert links.before[others[0]] != one
    elif rule.kind == "divide":
        assert set(links.daughters[one]) == set(others)
    elif rule.kind == "end":
        assert links.is_open(one)
    else:
        assert one not in links.daughters


def check(seed: int) -> None:
    """A movie, and what is said of it."""
    rng = np.random.default_rng(seed)
    movie = odd_movie(rng)
    said = [odd_rule(movie.place, rng) for _ in range(int(rng.integers(0, 7)))] if movie.place else []
    rules = [rule for rule in said if rule is not None]
    assert_families(movie, movie.solved(rules))
    links = movie.solutions(rules)[0]
    if rules and len(rules) - 1 not in links.misfits:
        assert_holds(rules[-1], links)


def test_what_is_said_of_links_holds_and_leaves_tracks_and_families() -> None:
    for seed in range(40):
        check(seed)


@pytest.mark.long
def test_what_is_said_of_links_holds_a_thousand_times() -> None:
    for seed in range(40, 3000):
        check(seed)
