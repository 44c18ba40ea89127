"""How thick nuclei of a stack are for their width, measured where many of them are stacked."""

from __future__ import annotations

import numpy as np

from nuset_engine.reconstruction.columns import Scale, measured_scale
from nuset_engine.reconstruction.link import Nodes, Reach, columns_of, link
from nuset_engine.reconstruction.sections import SectionStack
from nuset_engine.reconstruction.volume import reconstruct

VOXEL = (1.0, 0.3, 0.3)
RADIUS_UM, CELL = 4.5, 50


def crowd(single: int, stacked: int) -> np.ndarray:
    """Balls alone, and balls under another that overlaps them half from the side, of which slices make one column."""
    z, y, x = np.mgrid[:24, :CELL, :CELL]
    cells = []
    for number in range(single + stacked):
        places = [(6.0, 22, 20), (14.2, 28, 28)][: 1 + (number >= single)]
        radii = [(z - a) ** 2 + ((y - b) * 0.3) ** 2 + ((x - c) * 0.3) ** 2 for a, b, c in places]
        cells.append(np.where(np.min(radii, axis=0) < RADIUS_UM**2, number + 1, 0))
    return np.concatenate(cells, axis=2).astype(np.int32)


class Slice:
    """A slice of a volume."""

    def __init__(self, plane: np.ndarray) -> None:
        present, names = np.unique(plane, return_inverse=True)
        self.labels = names.reshape(plane.shape).astype(np.int32)
        self.scores = np.ones(len(present) - 1, np.float32)


def test_stacked_nuclei_do_not_make_single_ones_seem_thin() -> None:
    stack = SectionStack()
    for plane in crowd(6, 12):
        item = Slice(plane)
        stack.append(item.labels, item.scores)
    nodes = Nodes.of(stack)
    columns = columns_of(link(stack, nodes, Reach(np.zeros(24, bool), 0, 0), 0.2, 0.5))
    assert len(columns) == 18
    scale = measured_scale(Scale(1.0, 0.09), nodes, columns, np.zeros(24, bool))
    assert 0.85 < scale.thickness_per_width < 1.15


def test_single_nuclei_among_stacked_ones_are_no_suspected_parts() -> None:
    volume = reconstruct([Slice(plane) for plane in crowd(6, 12)], VOXEL)
    assert len(volume.trust) == 30
    assert not volume.trust["split_suspected"].any()
