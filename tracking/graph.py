"""Tracks and how they descend from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from tracking.errors import TrackingError


@dataclass(frozen=True)
class Track:
    """One nucleus from its birth or first sight to its division or last sight.

    Attributes
    ----------
    track_id : int
    parent_track_id : int or None
        The track that divided into this one.
    first_t, last_t : int
    nuclei_count : int
        Time points at which it was seen.
    is_final : bool
        Nothing about it will change any more, unless an acquisition goes on that was said to be finished.
    division_score : float or None
        Score in 0..1 of the division that it comes from.
    doubt, end_doubt : float or None
        Probabilities that how it begins and how it ends are wrong; None where there is nothing to doubt, or nobody did.
    """

    track_id: int
    parent_track_id: int | None
    first_t: int
    last_t: int
    nuclei_count: int
    is_final: bool
    division_score: float | None
    doubt: float | None = None
    end_doubt: float | None = None


class TrackGraph:
    """A forest of tracks; its invariants are checked on construction.

    Parameters
    ----------
    tracks : iterable of Track
    nodes : pandas.DataFrame, optional
        One row per nucleus with the columns t, label, track_id.

    Raises
    ------
    TrackingError
        All broken invariants: two tracks with one id, a parent that is missing or lasts beyond the birth of its
        daughters, a parent with one daughter or more than two, two nuclei of one track at one time, nodes that
        contradict the tracks.
    """

    def __init__(self, tracks: Iterable[Track], nodes: pd.DataFrame | None = None) -> None:
        """Check and index the tracks."""
        ordered = sorted(tracks, key=lambda track: track.track_id)
        self.tracks: dict[int, Track] = {track.track_id: track for track in ordered}
        self.nodes = nodes
        self._daughters: dict[int, tuple[int, ...]] = {}
        for track in ordered:
            if track.parent_track_id is not None:
                known = self._daughters.get(track.parent_track_id, ())
                self._daughters[track.parent_track_id] = (*known, track.track_id)
        faults = self._track_faults(len(ordered)) + self._node_faults()
        if faults:
            shown = "; ".join(faults[:5]) + ("; and more" if len(faults) > 5 else "")
            raise TrackingError(f"These tracks are no lineage: {shown}.")

    def _track_faults(self, count: int) -> list[str]:
        """What is wrong with tracks and parents."""
        faults = ["two tracks have the same id"] if count != len(self.tracks) else []
        faults += [
            f"track {track.track_id} has {track.nuclei_count} nuclei from t = {track.first_t} to {track.last_t}"
            for track in self.tracks.values()
            if track.last_t < track.first_t or not 1 <= track.nuclei_count <= track.last_t - track.first_t + 1
        ]
        for parent, daughters in self._daughters.items():
            if parent not in self.tracks:
                faults.append(f"parent {parent} does not exist")
                continue
            if len(daughters) != 2:
                faults.append(f"parent {parent} has {len(daughters)} daughters, not two")
            faults += [
                f"parent {parent} ends at {self.tracks[parent].last_t}, daughter {d} starts at {self.tracks[d].first_t}"
                for d in daughters
                if self.tracks[d].first_t <= self.tracks[parent].last_t
            ]
        return faults

    def _node_faults(self) -> list[str]:
        """What is wrong between nodes and tracks."""
        if self.nodes is None or self.nodes.empty:
            return []
        faults = ["two nuclei of one track at one time"] if self.nodes.duplicated(["t", "track_id"]).any() else []
        spans = self.nodes.groupby("track_id")["t"].agg(["min", "max", "size"])
        for track_id, first, last, size in spans.itertuples():
            track = self.tracks.get(int(track_id))
            if track is None:
                faults.append(f"nuclei belong to track {track_id}, which does not exist")
            elif (track.first_t, track.last_t, track.nuclei_count) != (first, last, size):
                faults.append(f"track {track_id} contradicts its nuclei")
        return faults

    def daughters(self, track_id: int) -> tuple[int, ...]:
        """The two daughters of a track, or none."""
        return self._daughters.get(track_id, ())

    def ancestors(self, track_id: int) -> tuple[int, ...]:
        """Parent, grandparent and so on, nearest first."""
        line: list[int] = []
        parent = self.tracks[track_id].parent_track_id
        while parent is not None:
            line.append(parent)
            parent = self.tracks[parent].parent_track_id
        return tuple(line)

    def generation(self, track_id: int) -> int:
        """How many divisions lie before a track."""
        return len(self.ancestors(track_id))

    def descendants(self, track_id: int) -> tuple[int, ...]:
        """Daughters, granddaughters and so on, generation by generation."""
        found: list[int] = []
        edge = list(self.daughters(track_id))
        while edge:
            found += edge
            edge = [d for track in edge for d in self.daughters(track)]
        return tuple(found)

    def roots(self) -> tuple[int, ...]:
        """Tracks without a parent."""
        return tuple(track.track_id for track in self.tracks.values() if track.parent_track_id is None)
