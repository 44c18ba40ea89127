"""TrackMate's XML as an edited movie: spots have places and links, outlines are those that are stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from nuset_engine.arrays import LabelsZYX
from storage.corrections.elsewhere.edited_movie import EditedMovie
from storage.corrections.elsewhere.node_movie import GraphNode, movie_of_nodes
from storage.errors import StorageError, WrongRequestError
from storage.schema.rows import AcquisitionRow

_MICROMETRES = ("micrometer", "micron", "microns", "um", "µm", "micrometers", "micrometre")
_NOTE = "TrackMate keeps places and radii: outlines are not compared."


def is_trackmate(path: Path) -> bool:
    """Say whether a file is TrackMate's."""
    try:
        with path.open("rb") as file:
            return b"<TrackMate" in file.read(1000)
    except OSError:
        return False


def trackmate_movie(
    row: AcquisitionRow, path: Path, times: Sequence[int], image: Callable[[int], LabelsZYX]
) -> EditedMovie:
    """Read spots that are visible, and links.

    Parameters
    ----------
    times : sequence of int
        The time points of the acquisition.
    image : callable
        Gives its (Z, Y, X) labels.

    Raises
    ------
    StorageError
        When it cannot be read.
    WrongRequestError
        When lengths are in another unit.
    """
    model = _model(path)
    unit = model.get("spatialunits", "pixel")
    if (unit.lower() in _MICROMETRES) != (row.unit == "um"):
        wanted = "micrometers" if row.unit == "um" else "pixels"
        raise WrongRequestError(f"Lengths in {path} are in {unit}, those of {row.name} in {wanted}: convert them.")
    spacing = row.voxel_size_um or (1.0, 1.0, 1.0)
    try:
        nodes = [_node(spot, spacing) for spot in model.iter("Spot") if spot.get("VISIBILITY", "1") != "0"]
        links = [
            (int(edge.attrib["SPOT_SOURCE_ID"]), int(edge.attrib["SPOT_TARGET_ID"])) for edge in model.iter("Edge")
        ]
    except (KeyError, ValueError) as error:
        raise StorageError(f"{path} has a spot or link without {error}: save it again in TrackMate.") from error
    return movie_of_nodes(nodes, links, image, times, (_NOTE,))


def _model(path: Path) -> ElementTree.Element:
    try:
        model = ElementTree.parse(path).getroot().find("Model")
    except (OSError, ElementTree.ParseError) as error:
        raise StorageError(f"{path} cannot be read as TrackMate's XML ({error}): save it again.") from error
    if model is None:
        raise StorageError(f"{path} has no model of TrackMate: save it again there.")
    return model


def _node(spot: ElementTree.Element, spacing: tuple[float, float, float]) -> GraphNode:
    z, y, x = (round(float(spot.attrib[f"POSITION_{axis}"]) / size) for axis, size in zip("ZYX", spacing, strict=True))
    label = spot.get("NUSETD_LABEL")
    frame = int(float(spot.attrib["FRAME"]))
    return GraphNode(int(spot.attrib["ID"]), frame, (z, y, x), None if label is None else int(float(label)))
