"""Graphs of nuclei as edited movies: nodes have places, and mostly say which nucleus of a label image they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import LabelsZYX
from nuset_engine.corrections.drawing import VoxelIndex
from storage.corrections.elsewhere.edited_movie import EditedMovie

REACH = 0.25
"""How far beside the box of its nucleus a node may lie, over the size of that box."""
_BEYOND = 2**31


@dataclass(frozen=True)
class GraphNode:
    """A node of a graph.

    Attributes
    ----------
    number : int
        By which links know it.
    t : int
    place : (z, y, x)
        Voxel.
    label : int or None
        The nucleus that it says it is.
    """

    number: int
    t: int
    place: VoxelIndex
    label: int | None


def movie_of_nodes(
    nodes: Iterable[GraphNode],
    links: Sequence[tuple[int, int]],
    image: Callable[[int], LabelsZYX],
    times: Iterable[int],
    notes: tuple[str, ...] = (),
) -> EditedMovie:
    """Return the movie of a graph over a label image.

    A node is the nucleus that it names, if it lies there, else that in which it lies. Nuclei without a node are none;
    nodes in none, and further ones in the same nucleus, are new.

    Parameters
    ----------
    nodes : iterable of GraphNode
    links : sequence of (number, number)
        Earlier and later.
    image : callable
        Gives the (Z, Y, X) labels of a time point.
    times : iterable of int
        The time points that there are.
    """
    by_time: dict[int, list[GraphNode]] = {t: [] for t in times}
    for node in nodes:
        by_time.setdefault(node.t, []).append(node)
    names: dict[int, tuple[int, int]] = {}
    places: dict[int, dict[int, VoxelIndex]] = {}
    for t, there in by_time.items():
        found = _named(there, image(t)) if there else {}
        names |= {number: (t, name) for number, name in found.items()}
        places[t] = {found[node.number]: node.place for node in there}

    def labels(t: int) -> LabelsZYX:
        whole = image(t)
        kept = np.zeros(int(whole.max(initial=0)) + 1, whole.dtype)
        mine = [name for name in places.get(t, {}) if name < len(kept)]
        kept[mine] = mine
        return kept[whole]

    known = tuple((names[one], names[two]) for one, two in links if one in names and two in names)
    forward = tuple((one, two) if one[0] < two[0] else (two, one) for one, two in known if one[0] != two[0])
    if len(forward) < len(links):
        notes += (f"{len(links) - len(forward)} links join nodes of one time point, or such that are not there.",)
    return EditedMovie(tuple(sorted(by_time)), labels, forward, places, notes)


def _named(nodes: Sequence[GraphNode], labels: LabelsZYX) -> Mapping[int, int]:
    """Give every node of a time point the number of its nucleus, or one of its own."""
    from scipy import ndimage

    boxes = ndimage.find_objects(labels)
    found: dict[int, int] = {}
    taken: set[int] = set()
    for node in nodes:
        label = node.label
        if label is not None and label not in taken and 0 < label <= len(boxes) and _lies_in(node, boxes[label - 1]):
            found[node.number] = label
            taken.add(label)
    for index, node in enumerate(nodes):
        if node.number not in found:
            inside = all(0 <= at < size for at, size in zip(node.place, labels.shape, strict=True))
            label = int(labels[node.place]) if inside else 0
            found[node.number] = label if label and label not in taken else _BEYOND + index
            taken.add(found[node.number])
    return found


def _lies_in(node: GraphNode, box: tuple[slice, ...] | None) -> bool:
    """Say whether a node lies in the box of a nucleus or little beside it."""
    if box is None:
        return False
    reach = [max(1.0, REACH * (side.stop - side.start)) for side in box]
    sides = zip(node.place, box, reach, strict=True)
    return all(side.start - more <= at < side.stop + more for at, side, more in sides)
