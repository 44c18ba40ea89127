"""Links of two lineages compared: what is to be said that one becomes the other."""

from __future__ import annotations

import pytest

from tracking.corrections.lineage_differences import NodeLink, lineage_differences, links_of_tracks
from tracking.corrections.rules import LinkRule

A, B, C, D = (0, 1), (1, 1), (1, 2), (1, 3)
EVERYONE = {A, B, C, D, (2, 1)}


@pytest.mark.parametrize(
    ("present", "wanted", "said"),
    [
        ([(A, B)], [(A, B)], []),
        ([(A, B)], [], [LinkRule("end", (A,))]),
        ([(A, B), (A, C)], [], [LinkRule("end", (A,))]),
        ([(A, B)], [(A, C)], [LinkRule("link", (A, C))]),
        ([], [(A, (2, 1))], [LinkRule("link", (A, (2, 1)))]),
        ([(A, B)], [(A, B), (A, C)], [LinkRule("divide", (A, B, C))]),
        ([(A, B), (A, C)], [(A, C)], [LinkRule("unlink", (A, B))]),
        ([(A, B), (A, C)], [(A, D)], [LinkRule("link", (A, D))]),
        ([(A, B), (A, C)], [(A, B), (A, D)], [LinkRule("divide", (A, B, D))]),
    ],
)
def test_what_differs_is_said(present: list[NodeLink], wanted: list[NodeLink], said: list[LinkRule]) -> None:
    found = lineage_differences(present, wanted, EVERYONE)
    assert list(found.rules) == said
    assert found.too_many == found.several_pasts == ()


def test_nuclei_that_are_not_known_are_left_alone() -> None:
    assert lineage_differences([(A, B), (C, (2, 1))], [], {A, C, (2, 1)}).rules == (LinkRule("end", (C,)),)


def test_what_no_lineage_has_is_named() -> None:
    found = lineage_differences([], [(A, B), (A, C), (A, D), (B, (2, 1)), (C, (2, 1))], EVERYONE)
    assert found.too_many == (A,)
    assert found.several_pasts == ((2, 1),)
    assert found.rules == (LinkRule("link", (B, (2, 1))),)


def test_numbers_of_tracks_are_links() -> None:
    links, odd = links_of_tracks({0: [1], 1: [1], 3: [1, 2, 3], 4: [4]}, {2: 1, 3: 9, 4: 3})
    assert sorted(links) == [((0, 1), (1, 1)), ((1, 1), (3, 1)), ((3, 3), (4, 4))]
    assert odd == [2, 3], "one does not begin after its parent, the other's parent is not there"
