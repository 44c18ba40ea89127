"""A movie as somebody edited it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from nuset_engine.arrays import LabelsZYX
from nuset_engine.corrections.drawing import VoxelIndex
from tracking.corrections.lineage_differences import NodeLink, links_of_tracks


@dataclass(frozen=True, eq=False)
class EditedMovie:
    """What it shows; its nuclei have numbers of their own.

    Attributes
    ----------
    times : tuple of int
        The time points that it speaks of, ascending.
    labels : callable
        Gives the (Z, Y, X) labels of one of them: numbers of nuclei.
    links : sequence of (node, node)
        Which nucleus (t, number) goes on as which.
    places : mapping of t to mapping of number to (z, y, x)
        Voxels of nuclei; of those that have no label it is all that is known of them.
    notes : tuple of str
        What of it cannot be taken over, a sentence each.
    """

    times: tuple[int, ...]
    labels: Callable[[int], LabelsZYX]
    links: tuple[NodeLink, ...]
    places: Mapping[int, Mapping[int, VoxelIndex]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def movie_of_tracks(
    nodes: Mapping[int, Collection[int]],
    parents: Mapping[int, int],
    labels: Callable[[int], LabelsZYX],
    notes: tuple[str, ...] = (),
) -> EditedMovie:
    """Return a movie in which nuclei carry the number of their track.

    Parameters
    ----------
    nodes : mapping of t to numbers
        Which are there.
    parents : mapping of track to track
    labels : callable
        Gives the (Z, Y, X) labels of a time point.
    """
    links, odd = links_of_tracks(nodes, parents)
    if odd:
        notes += (f"The parents of tracks {_some(odd)} are not there before them: that they descend is left out.",)
    return EditedMovie(tuple(sorted(nodes)), labels, tuple(links), notes=notes)


def _some(numbers: Collection[int], most: int = 8) -> str:
    """A few of several numbers."""
    named = ", ".join(map(str, sorted(numbers)[:most]))
    return named if len(numbers) <= most else f"{named} and {len(numbers) - most} more"
