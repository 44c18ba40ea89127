"""What a replay gives: plain values, which the worker sends and the daemon stages; without the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nuset_engine.arrays import IntsN

DoubtValues = tuple[Any, ...]
"""What `storage.database.records.DOUBT_COLUMNS` say of a nucleus."""
TakenTracks = tuple[IntsN, IntsN, tuple[DoubtValues, ...]]
"""Labels, tracks and doubts of nuclei."""


@dataclass(frozen=True)
class ReplayedTimepoint:
    """What a replay says of one time point.

    Attributes
    ----------
    t : int
    is_final, is_changed : bool
        Whether its tracks are final now, and whether any of them are others than before.
    """

    t: int
    is_final: bool
    is_changed: bool


@dataclass(frozen=True)
class Replayed:
    """The tracks of an acquisition, made anew from its first time point to the last one that the tracker has seen.

    Attributes
    ----------
    tracked_t : int
        That last time point.
    state : bytes
        The tracker's state after it.
    points : tuple of ReplayedTimepoint
    nucleus_ids, track_ids : (N,) int64
        Rows of `nuclei` whose track is another one than before, or doubted otherwise, and their tracks.
    doubts : tuple of N
        How far they are doubted.
    taken : mapping
        The kept results that took part, as their `attempts` by t.
    taken_tracks : mapping
        The nuclei of those, by t.
    tracks : tuple of dict
        Every track, with its measures.
    """

    tracked_t: int
    state: bytes
    points: tuple[ReplayedTimepoint, ...]
    nucleus_ids: IntsN
    track_ids: IntsN
    doubts: tuple[DoubtValues, ...]
    taken: Mapping[int, int]
    taken_tracks: Mapping[int, TakenTracks]
    tracks: tuple[dict[str, Any], ...]

    @property
    def size(self) -> int:
        """How many rows are to be staged."""
        return len(self.nucleus_ids) + sum(len(ids) for ids, *_ in self.taken_tracks.values()) + len(self.tracks)
