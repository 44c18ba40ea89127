"""Lineages: invariants and queries.

1 --- +-- 2 --- +-- 4
      |         +-- 5
      +-- 3
"""

from __future__ import annotations

import pandas as pd
import pytest

from tracking.errors import TrackingError
from tracking.graph import Track, TrackGraph


def track(track_id: int, parent: int | None, first: int, last: int) -> Track:
    return Track(track_id, parent, first, last, last - first + 1, True, None if parent is None else 0.9)


LINEAGE = [track(1, None, 0, 3), track(2, 1, 4, 6), track(3, 1, 4, 9), track(4, 2, 7, 9), track(5, 2, 8, 9)]


def test_queries() -> None:
    graph = TrackGraph(LINEAGE)
    assert graph.daughters(1) == (2, 3)
    assert graph.ancestors(5) == (2, 1)
    assert graph.generation(5) == 2
    assert graph.descendants(1) == (2, 3, 4, 5)
    assert graph.roots() == (1,)


@pytest.mark.parametrize(
    ("tracks", "fault"),
    [
        ([*LINEAGE, track(5, None, 0, 0)], "same id"),
        (LINEAGE[:-1], "1 daughters"),
        ([*LINEAGE, track(6, 2, 8, 9)], "3 daughters"),
        ([LINEAGE[0], track(2, 1, 3, 6), LINEAGE[2]], "ends at 3, daughter 2 starts at 3"),
        ([track(2, 1, 4, 6), track(3, 1, 4, 6)], "parent 1 does not exist"),
        ([Track(1, None, 0, 3, 5, True, None)], "5 nuclei"),
    ],
)
def test_broken_lineages_are_refused(tracks: list[Track], fault: str) -> None:
    with pytest.raises(TrackingError, match=fault):
        TrackGraph(tracks)


def test_nodes_must_agree_with_tracks() -> None:
    nodes = pd.DataFrame({"t": [0, 1, 1], "label": [1, 1, 2], "track_id": [1, 1, 1]})
    with pytest.raises(TrackingError, match="two nuclei of one track"):
        TrackGraph([track(1, None, 0, 1)], nodes)
    with pytest.raises(TrackingError, match="contradicts"):
        TrackGraph([track(1, None, 0, 2)], nodes.iloc[:2])
