"""Measurements of some of the nuclei of a stack, the same as all of them together would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nuset_engine.arrays import LabelsZYX
from nuset_engine.measure import PlaneSequence, measure
from nuset_engine.nuclei import TRUST_COLUMNS, Nuclei, Unit
from nuset_engine.reconstruction.volume import Volume
from nuset_engine.voxels import VoxelSize

CERTAIN = 1.0
"""Score of what a person said."""


def measure_some(
    labels: LabelsZYX,
    wanted: Sequence[int],
    channels: Mapping[int, PlaneSequence],
    nuclear_channel: int,
    voxel_size_um: VoxelSize | None,
    t: int,
) -> Nuclei:
    """Measure the nuclei with these labels, ascending; see `measure`. Planes without any of them are not read."""
    unit: Unit = "px" if voxel_size_um is None else "um"
    if not wanted:
        return Nuclei.empty(t, unit)
    names = np.zeros(int(labels.max()) + 1, np.uint32)
    names[list(wanted)] = np.arange(1, len(wanted) + 1)
    own = names[labels]
    found = measure(Volume(own, _trust(own, len(wanted))), channels, nuclear_channel, voxel_size_um, t)
    return Nuclei(t, found.table.assign(label=list(wanted)), unit)


def _trust(labels: LabelsZYX, count: int) -> pd.DataFrame:
    """Columns of trust of what a person said: it is seen where it is, and nothing is suspected."""
    slices = np.zeros(count + 1, np.int64)
    at_border = np.zeros(count + 1, bool)
    for z, plane in enumerate(labels):
        present = np.unique(plane[plane > 0])
        slices[present] += 1
        at_border[np.unique(np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]]))] = True
        if len(labels) > 1 and z in (0, len(labels) - 1):
            at_border[present] = True
    table = {
        "score": np.full(count, CERTAIN),
        "slices_seen": slices[1:],
        "slices_expected": slices[1:],
        "gap_bridged": False,
        "split_suspected": False,
        "merge_suspected": False,
        "touches_border": at_border[1:],
    }
    index = pd.RangeIndex(1, count + 1, name="label")
    return pd.DataFrame(table, index=index).astype({"score": "float64", **TRUST_COLUMNS})
