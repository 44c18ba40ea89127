"""What is told of tracks: of an update as much as of all tracks, and what of it is taken back."""

from __future__ import annotations

from typing import Any

import pytest
from cases.stored import register

from storage.database.catalog import Catalog
from storage.database.ledger import track_changes
from storage.database.ledger.track_changes import KnownTrack, changes
from tests.unit.tracking.test_pinned import movie
from tracking.params import TrackingParams
from tracking.tracker import Tracker


def known(parent: int | None, first: int, last: int, final: bool = False, score: float | None = None) -> KnownTrack:
    return KnownTrack(parent, first, last, last - first + 1, final, score)


ALONE = {0: known(None, 0, 4, True), 7: known(None, 2, 5)}
FAMILY = {7: known(None, 0, 2, True), 8: known(7, 3, 5, score=0.75), 9: known(7, 4, 5, score=0.5)}


@pytest.mark.parametrize(
    ("before", "now", "seen", "told"),
    [
        ({}, {}, (0, 0), {}),
        (ALONE, ALONE, (5, 5), {}),
        ({}, ALONE, (0, 5), {"born": [[0, 0], [7, 2]], "ended": [[0, 4]], "final": [0]}),
        (ALONE, {7: ALONE[7]}, (5, 5), {"not_born": [[0, 0]], "not_ended": [[0, 4]]}),
        (ALONE, ALONE, (4, 5), {"ended": [[0, 4]]}),  # only now it is known that nobody came after it
        (ALONE, ALONE, (5, 4), {"not_ended": [[0, 4]]}),
        ({7: FAMILY[7]}, FAMILY, (2, 5), {"divided": [[7, [8, 9], 3, 0.75]]}),  # at the earlier of them
        (FAMILY, {7: FAMILY[7]}, (5, 5), {"not_divided": [[7, [8, 9], 3]], "ended": [[7, 2]]}),
        ({}, {8: FAMILY[8]}, (5, 5), {}),  # one daughter alone is none
        (ALONE, {**ALONE, 0: known(None, 1, 4, True)}, (5, 5), {"born": [[0, 1]], "not_born": [[0, 0]], "final": [0]}),
        ({7: known(None, 0, 5)}, {7: known(None, 0, 5, True)}, (5, 5), {"final": [7]}),
    ],
)
def test_events_say_how_tracks_differ(
    before: dict[int, KnownTrack], now: dict[int, KnownTrack], seen: tuple[int, int], told: dict[str, Any]
) -> None:
    assert changes(before, now, seen) == told


@pytest.mark.parametrize("at_once", [2, 400])
def test_an_update_tells_what_all_tracks_would(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Though it looks at few of them: those that begin, end or lose a parent, and their families."""
    monkeypatch.setattr(track_changes, "_AT_ONCE", at_once)
    row = register(catalog)
    crowd = movie(2, seed=11)
    catalog.add_timepoints(row.id, {nuclei.t: "a" for nuclei in crowd})
    tracker, told, last_t = Tracker(TrackingParams(lag_frames=4, memory_frames=1)), set[str](), 0
    for nuclei in crowd:
        job = catalog.claim_next()
        assert job is not None
        update = tracker.advance(nuclei)
        with catalog._transaction() as connection:
            some = track_changes.of_update(connection, row.id, update)
            before = track_changes.all_of(connection, row.id)
        catalog.commit_timepoint(job, nuclei, update, tracker.state())
        with catalog._transaction() as connection:
            after = track_changes.all_of(connection, row.id)
        seen, last_t = (last_t, nuclei.t), nuclei.t
        assert changes(*some, seen) == changes(before, after, seen)
        told |= changes(*some, seen).keys()
    assert {"born", "divided", "not_divided", "ended", "final"} <= told
