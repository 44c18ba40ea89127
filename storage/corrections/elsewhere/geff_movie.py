"""A graph in GEFF as an edited movie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.arrays import LabelsZYX
from storage import naming
from storage.corrections.elsewhere.edited_movie import EditedMovie
from storage.corrections.elsewhere.node_movie import GraphNode, movie_of_nodes
from storage.errors import StorageError, WrongRequestError
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AcquisitionRow

_LABELS = "/labels/nuclei"
_UNITS = {"um": ("micrometer", "micrometre", "um", "µm"), "px": ("pixel",)}


def geff_movie(row: AcquisitionRow, path: Path, times: Sequence[int]) -> EditedMovie:
    """Read nodes and edges, and the label image that it names, where that is another one of the same kind.

    Parameters
    ----------
    times : sequence of int
        The time points of the acquisition.

    Raises
    ------
    WrongRequestError
        When nodes have no t, z, y, x, or lengths are in another unit.
    StorageError
        When it cannot be read.
    """
    graph = _read(path)
    properties = graph["node_props"]
    lost = [axis for axis in "tzyx" if axis not in properties]
    if lost:
        raise WrongRequestError(f"The nodes of {path} have no {', '.join(lost)}: a graph with t, z, y and x is needed.")
    _refuse_other_unit(row, path, graph["metadata"])
    image = _image(row, path, graph["metadata"])
    names = properties.get(image.node_property)
    where = np.stack([np.asarray(properties[axis]["values"]) for axis in "zyx"], axis=1)
    places = np.rint(where / np.array(row.voxel_size_um or (1.0, 1.0, 1.0))).astype(int).tolist()
    frames = np.asarray(properties["t"]["values"]).astype(int).tolist()
    nodes = [
        GraphNode(int(number), frames[index], (z, y, x), _label(names, index))
        for index, (number, (z, y, x)) in enumerate(zip(graph["node_ids"], places, strict=True))
    ]
    links = [(int(one), int(two)) for one, two in graph["edge_ids"]]
    return movie_of_nodes(nodes, links, image.labels, times, image.notes)


def _read(path: Path) -> Any:  # noqa: ANN401 - what GEFF's own reader gives
    from geff.core_io import read_to_memory

    try:
        return read_to_memory(str(path))
    except Exception as error:  # whatever a file of others makes its reader raise
        raise StorageError(f"{path} cannot be read as GEFF ({error}): export it again.") from error


def _label(names: Any, index: int) -> int | None:  # noqa: ANN401 - a property as GEFF gives it
    """The nucleus that a node says it is."""
    if names is None or (names["missing"] is not None and names["missing"][index]):
        return None
    return int(names["values"][index])


def _refuse_other_unit(row: AcquisitionRow, path: Path, metadata: Any) -> None:  # noqa: ANN401
    for axis in metadata.axes or ():
        if axis.name in ("z", "y", "x") and axis.unit is not None and axis.unit not in _UNITS[row.unit]:
            raise WrongRequestError(
                f"Lengths in {path} are in {axis.unit}, those of {row.name} in {_UNITS[row.unit][0]}: convert them."
            )


@dataclass(frozen=True, eq=False)
class _LabelImage:
    """The labels that nodes speak of, and the property that says which."""

    store: ImageStore
    node_property: str
    notes: tuple[str, ...] = ()

    def labels(self, t: int) -> LabelsZYX:
        """(Z, Y, X); blank where it has no such time point."""
        if t not in self.store.published_timepoints:
            return np.zeros(self.store.shape[2:], np.uint32)
        return self.store.labels(t)


def _image(row: AcquisitionRow, path: Path, metadata: Any) -> _LabelImage:  # noqa: ANN401
    """The image that a graph names, if it is an OME-Zarr of ours as large, else the acquisition's own."""
    own = ImageStore.open(str(row.zarr_path))
    for related in metadata.related_objects or ():
        if related.type != "labels" or not related.path.endswith(_LABELS):
            continue
        found = related.path.removesuffix(_LABELS)
        place = naming.as_place(found if naming.is_url(found) else os.path.normpath(path.absolute() / found))
        node_property = related.node_prop or "label"
        if place == naming.as_place(str(row.zarr_path)):
            return _LabelImage(own, node_property)
        try:
            other = ImageStore.open(place)
        except StorageError:
            note = f"The label image that {path.name} names ({place}) is not there: outlines are taken as they are."
            return _LabelImage(own, node_property, (note,))
        if other.shape[2:] == own.shape[2:]:
            return _LabelImage(other, node_property)
        note = f"The label image that {path.name} names is of another size: outlines are taken as they are."
        return _LabelImage(own, node_property, (note,))
    return _LabelImage(own, "label")
