"""Tracks rebuilt from the stored tables: a time point came late, its source changed, or the state cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nuset_engine.nuclei import Nuclei

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import TimepointJob
    from tracking.graph import Track
    from tracking.params import TrackingParams
    from tracking.tracker import FrameTracks, TrackUpdate


def replay(
    catalog: Catalog, job: TimepointJob, nuclei: Nuclei, params: TrackingParams | None
) -> tuple[TrackUpdate, bytes]:
    """Track an acquisition anew from its first frame, with `nuclei` in their place.

    Returns
    -------
    update : TrackUpdate
        What holds after the last frame: every frame, every track, nothing removed.
    state : bytes
        The tracker's state, for the frames to come.
    """
    from tracking.tracker import Tracker

    tracker = Tracker(params)
    frames = with_replaced(catalog.stored_nuclei(job.acquisition_id), nuclei)
    update = merged(tracker.advance(frame) for frame in frames)
    return update, tracker.state()


def replay_all(catalog: Catalog, acquisition_id: int, params: TrackingParams | None) -> tuple[TrackUpdate, bytes]:
    """Track an acquisition of which nothing more will come anew, from its first frame to the end of all tracks.

    Returns
    -------
    update, state
        As `replay` gives them, after `Tracker.finish`.
    """
    from tracking.tracker import Tracker

    tracker = Tracker(params)

    def updates() -> Iterator[TrackUpdate]:
        for frame in catalog.stored_nuclei(acquisition_id):
            yield tracker.advance(frame)
        yield tracker.finish()

    return merged(updates()), tracker.state()


def with_replaced(frames: Iterable[Nuclei], nuclei: Nuclei) -> Iterator[Nuclei]:
    """Give the frames in order with `nuclei` at its time point, in place of an old one if there is one."""
    waiting = True
    for frame in frames:
        if waiting and frame.t >= nuclei.t:
            waiting = False
            yield nuclei
        if frame.t != nuclei.t:
            yield frame
    if waiting:
        yield nuclei


def merged(updates: Iterable[TrackUpdate]) -> TrackUpdate:
    """Return the one update that leaves behind what the given ones leave behind, applied in turn to nothing."""
    from tracking.tracker import TrackUpdate

    frames: dict[int, FrameTracks] = {}
    tracks: dict[int, Track] = {}
    for update in updates:
        frames.update({frame.t: frame for frame in update.frames})
        for number in update.removed_tracks:
            tracks.pop(number, None)
        tracks.update({track.track_id: track for track in update.tracks})
    return TrackUpdate(
        frames=tuple(frames[t] for t in sorted(frames)),
        tracks=tuple(tracks[number] for number in sorted(tracks)),
        removed_tracks=(),
    )
