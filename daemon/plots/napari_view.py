"""An acquisition in napari: image, labels of nuclei, labels of tracks from its OME-Zarr, and its tracks as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from daemon.errors import DaemonError
from daemon.plots.arrays import TracksN5
from daemon.plots.napari_editing import EditSession, Save, add_dock
from storage import naming
from storage.contents import contents
from storage.query.snapshots import snapshot
from storage.schema import tables

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow


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

    Labels are shown at once: of tracks where all of them are painted, else of nuclei. Tracks are in frames and pixels
    as the labels are, whose scale and units lay them over the image.

    Raises
    ------
    DaemonError
        When the plug-in for OME-Zarr is not installed, or cannot read the store.
    """
    try:
        viewer.open(str(row.zarr_path), plugin="napari-ome-zarr")
    except Exception as error:
        raise DaemonError(f"napari cannot open {row.zarr_path} ({error}): see `nusetd verify {row.name}`.") from error
    labels = [layer for layer in viewer.layers if type(layer).__name__ == "Labels"]
    shown = contents(naming.as_place(str(row.zarr_path))).shown_labels
    for layer in labels:
        layer.visible = layer.name.endswith(shown)
    points, graph = tracks(database, row)
    if len(points):
        same = {name: getattr(labels[0], name) for name in ("scale", "units", "translate")}
        viewer.add_tracks(points, graph=graph, name="tracks as lines", tail_length=20, **same)


def open_window(database: str, row: AcquisitionRow, save: Save | None = None) -> None:
    """Show an acquisition in napari until its window is closed; with `save` to be edited.

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
            f"napari cannot be opened ({error}): install it with `pip install 'nusetd[napari]'`, "
            "or give --neuroglancer."
        ) from error
    viewer = napari.Viewer(title=f"{row.name} - nusetd")
    fill(viewer, database, row)
    if save is not None:
        session = EditSession(database, row, save)
        session.show(viewer)
        add_dock(viewer, session)
    napari.run()
