"""Plain values that corrected tracks are made from: nuclei, tracks, and what a person said of links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, PointsZYX

NodeKey = tuple[int, int]
"""A nucleus: its time point and label."""

LINK_KINDS = ("link", "unlink", "divide", "undivide", "end")


@dataclass(frozen=True)
class LinkRule:
    """What a person said of the links of nuclei: a constraint that every solution keeps.

    Attributes
    ----------
    kind : str
        ``link`` and ``unlink`` (from the first nucleus to the second), ``divide`` (the first into the two others),
        ``undivide`` and ``end`` (of the track of the nucleus, which is its last one then).
    nodes : tuple of NodeKey
    """

    kind: str
    nodes: tuple[NodeKey, ...]


@dataclass(frozen=True)
class PlainTrack:
    """A track as the tracker left it."""

    track_id: int
    parent_track_id: int | None
    first_t: int
    last_t: int
    division_score: float | None
    is_final: bool = True


@dataclass(frozen=True)
class SceneNodes:
    """Nuclei of the time points around corrections: all that there are, and the plain ones that are gone.

    Attributes
    ----------
    t, label : (N,) int64
    track : (N,) int64
        Plain track; 0 for a nucleus that a correction made.
    place : (N, 3) float64
    size : (N,) float64
        Logarithm of the diameter, NaN where not known.
    gone : (N,) bool
        It is there no more.
    loosened : (N,) bool
        It is gone, and others, that a correction made, are in its place.
    redrawn : (N,) bool
        It is the same one, and its voxels are others.
    """

    t: IntsN
    label: IntsN
    track: IntsN
    place: PointsZYX
    size: FloatsN
    gone: FlagsN
    loosened: FlagsN
    redrawn: FlagsN


@dataclass(frozen=True)
class SceneTracks:
    """The plain tracks of an acquisition that have nuclei at those time points, or descend from such.

    Attributes
    ----------
    tracks : mapping of id to PlainTrack
    times : tuple of int
        The time points around corrections, ascending.
    all_times : tuple of int
        Those of the whole acquisition.
    reach : int
        Over how much time a link may go.
    """

    tracks: Mapping[int, PlainTrack]
    times: tuple[int, ...]
    all_times: tuple[int, ...]
    reach: int
