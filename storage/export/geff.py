"""GEFF, the Graph Exchange File Format: every nucleus a node, every link an edge, in a Zarr folder.

Format: https://liveimagetrackingtools.org/geff
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from storage import naming
from storage.errors import StorageError
from storage.export.lineage import edges_of
from storage.query.question import Question
from storage.query.statements import Selection

if TYPE_CHECKING:
    from geff._typing import PropDictNpArray

    from storage.export.snapshot import Snapshot
    from storage.schema.rows import AcquisitionRow

# Measurements that travel along with each node, beside its place and its track.
PROPERTIES = (
    "label",
    "track_id",
    "score",
    "volume_um3",
    "area_um2",
    "intensity_mean",
    "doubt",
    "link_doubt",
    "end_doubt",
)


def write(snapshot: Snapshot, path: Path) -> None:
    """Write the lineage graph.

    Nodes are numbered by the rows of the table of nuclei. An edge joins a nucleus to the next of its track, and the
    last one of a parent to the first ones of its daughters. Places are in micrometres, or in pixels without voxel size;
    times are those of the label image, and the axis' scale makes seconds of them where the interval is known. The label
    image is named by its path from the graph, or by its URL.

    Raises
    ------
    StorageError
        When the package ``geff`` is not installed.
    """
    try:
        import geff
        from geff.core_io import write_arrays
    except ImportError as error:
        raise StorageError("GEFF needs the package geff: `pip install geff`, then export again.") from error
    connection, row = snapshot.connection, snapshot.acquisition
    places = [f"centroid_{axis}_{row.unit}" for axis in "zyx"]
    wanted = Selection(columns=("id", "t", *places, *PROPERTIES))
    nuclei = Question.nuclei(connection, row.id, wanted).frame()
    edges = edges_of(nuclei, Question.tracks(connection, row.id).frame())
    properties = {name: _property(nuclei[column]) for name, column in zip("tzyx", ("t", *places), strict=True)}
    properties |= {name: _property(nuclei[name]) for name in PROPERTIES if nuclei[name].notna().any()}
    metadata = geff.GeffMetadata(
        directed=True,
        axes=_axes(row),
        related_objects=_images(row, path, "label" if "label" in properties else None),
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"tracklet": "track_id"},
    )
    write_arrays(str(path), nuclei["id"].to_numpy(np.uint64), properties, edges.astype(np.uint64), {}, metadata)


def _axes(row: AcquisitionRow) -> list[dict[str, Any]]:
    """Return the axes, each with the scale that makes of its values what the image counts in."""
    length = "micrometer" if row.unit == "um" else "pixel"
    interval, after = (row.seconds_per_t, "second") if row.seconds_per_t else (1.0, "frame")
    time = {"name": "t", "type": "time", "unit": "frame", "scale": interval, "scaled_unit": after}
    space = {"type": "space", "unit": length, "scale": 1.0, "scaled_unit": length}
    return [time, *({"name": axis, **space} for axis in "zyx")]


def _images(row: AcquisitionRow, path: Path, node_property: str | None) -> list[dict[str, Any]] | None:
    """Return where the labels lie, whose values are the nodes' `label`, and the image."""
    if row.zarr_path is None:
        return None
    store = naming.as_place(row.zarr_path)
    found = os.path.relpath(store, path.absolute()) if isinstance(store, Path) else store
    labels = {"type": "labels", "path": f"{found}/labels/nuclei", "node_prop": node_property}
    return [labels, {"type": "image", "path": found}]


def _property(values: pd.Series) -> PropDictNpArray:
    """Return a column as GEFF holds it: values, and which of them are missing."""
    missing = values.isna().to_numpy(bool)
    kind = np.int64 if pd.api.types.is_integer_dtype(values.dtype) else np.float64
    filled = values.fillna(0).to_numpy(kind)
    return {"values": filled, "missing": missing if missing.any() else None}
