"""The table of nuclei: one row per nucleus of one time point, `regionprops` names of scikit-image, units in the names.

Lengths and volumes in micrometres are NaN where the voxel size is unknown (`unit` is then "px"); the pixel columns are
always filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from nuset_engine.arrays import PointsND, PointsZYX
from nuset_engine.errors import EngineError

if TYPE_CHECKING:
    import pandas as pd  # takes longer to load than many a program that only knows the columns takes in all

Unit = Literal["um", "px"]

TRUST_COLUMNS: Mapping[str, str] = {
    "slices_seen": "int64",  # slices in which the network found the nucleus
    "slices_expected": "int64",  # slices that a nucleus of this width spans in this stack
    "gap_bridged": "bool",  # at least one slice was missed and filled in
    "split_suspected": "bool",  # may be only a part of a nucleus
    "merge_suspected": "bool",  # may be more than one nucleus
    "touches_border": "bool",  # cut off by the edge of the image or of the stack
}

# Ordered names and dtypes. Integer columns that are not known (tables of positions alone) are 0.
NUCLEI_COLUMNS: Mapping[str, str] = {
    "label": "int64",
    "score": "float64",
    "centroid_z_um": "float64",
    "centroid_y_um": "float64",
    "centroid_x_um": "float64",
    "centroid_z_px": "float64",
    "centroid_y_px": "float64",
    "centroid_x_px": "float64",
    "volume_um3": "float64",  # stacks only
    "area_um2": "float64",  # single planes only
    "volume_px": "int64",
    "equivalent_diameter_um": "float64",
    "bbox_z0": "int64",
    "bbox_y0": "int64",
    "bbox_x0": "int64",
    "bbox_z1": "int64",
    "bbox_y1": "int64",
    "bbox_x1": "int64",
    "extent": "float64",  # volume over volume of the bounding box
    "axis_major_length_um": "float64",
    "axis_minor_length_um": "float64",
    "elongation": "float64",  # longest over shortest axis
    "intensity_mean": "float64",
    "intensity_std": "float64",
    "intensity_min": "float64",
    "intensity_max": "float64",
    **TRUST_COLUMNS,
}

INTENSITY_STATISTICS = ("mean", "std", "min", "max")


def channel_columns(channel: int) -> tuple[str, ...]:
    """Names of the intensity columns of a channel that is not the nuclear one: ``channel_<k>_mean`` and so on."""
    return tuple(f"channel_{channel}_{statistic}" for statistic in INTENSITY_STATISTICS)


@dataclass(frozen=True)
class Nuclei:
    """All nuclei of one time point.

    Attributes
    ----------
    t : int
        Time point, 0-based.
    table : pandas.DataFrame
        One row per nucleus: the columns of `NUCLEI_COLUMNS` in their order, then any others (`channel_columns`, columns
        that a user's table brought along). The index counts from 0.
    unit : "um" or "px"
        What lengths are measured in.
    """

    t: int
    table: pd.DataFrame
    unit: Unit = "um"

    def __post_init__(self) -> None:
        """Refuse tables that lack columns, and bring the ones there are into order and type."""
        if self.unit not in ("um", "px"):
            raise EngineError(f"The unit of nuclei is {self.unit!r}, which is not known; use 'um' or 'px'.")
        missing = [name for name in NUCLEI_COLUMNS if name not in self.table.columns]
        if missing:
            raise EngineError(f"The table of nuclei lacks the columns {', '.join(missing)}; build it with `measure`.")
        columns = [*NUCLEI_COLUMNS, *(name for name in self.table.columns if name not in NUCLEI_COLUMNS)]
        table = self.table.reset_index(drop=True)
        if list(table.columns) != columns:
            table = table[columns]
        given = zip(NUCLEI_COLUMNS.items(), table.dtypes, strict=False)
        wrong = {name: wanted for (name, wanted), dtype in given if dtype != wanted}
        table = table.astype(wrong) if wrong else table  # for a few nuclei, casts take longer than all else
        if not table["label"].is_unique:
            raise EngineError(f"Two nuclei of time point {self.t} have the same label; labels must be unique.")
        object.__setattr__(self, "table", table)

    def __len__(self) -> int:
        """Number of nuclei."""
        return len(self.table)

    def positions(self) -> PointsZYX:
        """Centroids as (N, 3) float64, axes z, y, x, in `unit`."""
        columns = [f"centroid_{axis}_{self.unit}" for axis in "zyx"]
        return self.table[columns].to_numpy(dtype=np.float64, copy=True)

    @classmethod
    def empty(cls, t: int, unit: Unit = "um") -> Nuclei:
        """A time point without nuclei."""
        import pandas as pd

        return cls(t, pd.DataFrame({name: np.zeros(0, dtype) for name, dtype in NUCLEI_COLUMNS.items()}), unit)

    @classmethod
    def from_positions(cls, t: int, positions: PointsND, unit: Unit = "um", **columns: ArrayLike) -> Nuclei:
        """Nuclei of which little more than the positions is known.

        Parameters
        ----------
        t : int
            Time point.
        positions : (N, 3) or (N, 2) array
            Centroids z, y, x or y, x in `unit`; for y, x alone z is 0.
        unit : "um" or "px"
        **columns
            Further columns, each of N values or one value for all: those of `NUCLEI_COLUMNS` (for example `volume_um3`,
            `equivalent_diameter_um`, `label`, which otherwise counts from 1) or any others.

        Raises
        ------
        EngineError
            If `positions` has another shape.
        """
        import pandas as pd

        points = np.asarray(positions, dtype=np.float64)
        if points.size == 0:
            points = points.reshape(0, 3)
        if points.ndim != 2 or points.shape[1] not in (2, 3):
            raise EngineError(f"Positions have shape {points.shape}; give (N, 3) for z, y, x or (N, 2) for y, x.")
        points = np.pad(points, ((0, 0), (3 - points.shape[1], 0)))
        unknown: dict[str, float | int | bool] = {"float64": np.nan, "int64": 0, "bool": False}
        values: dict[str, ArrayLike] = {name: unknown[dtype] for name, dtype in NUCLEI_COLUMNS.items()}
        values["label"] = np.arange(1, len(points) + 1)
        values.update({f"centroid_{axis}_{unit}": points[:, i] for i, axis in enumerate("zyx")})
        values.update(columns)
        return cls(t, pd.DataFrame(values, index=pd.RangeIndex(len(points))), unit)
