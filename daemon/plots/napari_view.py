"""An acquisition in napari: image, labels of nuclei, labels of tracks from its OME-Zarr, and its tracks as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from daemon.errors import DaemonError
from daemon.plots.arrays import TracksN5
from storage.query.snapshots import snapshot
from storage.schema import tables

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow


def steps(row: AcquisitionRow) -> list[tuple[str, float, str]]:
    """Return (axis, size, unit) of t, z, y, x in seconds and metres; size 1 without a unit where it is not known."""
    interval = row.seconds_per_t
    found = [("t", float(interval), "s") if interval else ("t", 1.0, "")]
    voxel = row.voxel_size_um
    for i, axis in enumerate("zyx"):
        found.append((axis, voxel[i] * 1e-6, "m") if voxel else (axis, 1.0, ""))
    return found


def tracks(database: str, row: AcquisitionRow) -> tuple[TracksN5, dict[int, list[int]]]:
    """Return what napari's tracks layer takes.

    Returns
    -------
    points : (N, 5) float
        track id, t, z, y, x in pixels, by track and time.
    graph : mapping
        Daughter -> [parent].
    """
    nuclei, table = tables.nuclei, tables.tracks
    columns = (nuclei.c.track_id, nuclei.c.t, nuclei.c.centroid_z_px, nuclei.c.centroid_y_px, nuclei.c.centroid_x_px)
    mine = (nuclei.c.acquisition_id == row.id) & nuclei.c.track_id.is_not(None)
    with snapshot(database) as connection:
        points = connection.execute(select(*columns).where(mine).order_by(nuclei.c.track_id, nuclei.c.t)).all()
        parents = select(table.c.track_id, table.c.parent_track_id).where(table.c.acquisition_id == row.id)
        known = {int(point[0]) for point in points}
        graph = {
            int(child): [int(parent)]
            for child, parent in connection.execute(parents.where(table.c.parent_track_id.is_not(None)))
            if child in known and parent in known
        }
    return np.array([tuple(point) for point in points], dtype=float).reshape(-1, 5), graph


def fill(viewer: Any, database: str, row: AcquisitionRow) -> None:
    """Put an acquisition's layers into a napari viewer, or its model without a window.

    Raises
    ------
    DaemonError
        When the plug-in for OME-Zarr is not installed, or cannot read the store.
    """
    try:
        viewer.open(str(row.zarr_path), plugin="napari-ome-zarr")
    except Exception as error:
        raise DaemonError(f"napari cannot open {row.zarr_path} ({error}): see `nusetd verify {row.name}`.") from error
    points, graph = tracks(database, row)
    if len(points):
        scale = _scale(viewer)
        viewer.add_tracks(points, graph=graph, name="tracks as lines", scale=scale, tail_length=20)


def _scale(viewer: Any) -> Any:
    """Return the scale of the first labels: they have the axes t, z, y, x."""
    return next(layer.scale for layer in viewer.layers if type(layer).__name__ == "Labels")


def open_window(database: str, row: AcquisitionRow) -> None:
    """Show an acquisition in napari until its window is closed.

    Raises
    ------
    DaemonError
        When napari is not installed.
    """
    try:
        import napari
        import napari_ome_zarr  # noqa: F401  # its plug-in reads the store
    except ImportError as error:
        raise DaemonError(
            f"napari cannot be opened ({error}): install it with `pip install 'nusetd[napari]'`, or use the links."
        ) from error
    viewer = napari.Viewer(title=f"{row.name} - nusetd")
    fill(viewer, database, row)
    napari.run()
