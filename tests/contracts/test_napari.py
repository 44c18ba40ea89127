"""napari with its plug-in for OME-Zarr, without a window: image, labels and tracks lie over each other."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.processed import COUNT, SHAPE, TIME_POINTS, process
from cases.stored import acquisition, pixels, squares

from daemon.plots import napari_view
from storage import naming
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import resolved, snapshot

pytest.importorskip("napari_ome_zarr", reason="needs the extra nusetd[napari]")


@pytest.fixture
def viewer() -> Iterator[Any]:
    """The model of a viewer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # napari's own, which nothing here can change
        from napari.components import ViewerModel
        from npe2 import PluginManager

        PluginManager.instance().discover()  # what a window does when it opens
        yield ViewerModel()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_image_labels_and_tracks_are_aligned(viewer: Any, tmp_path: Path, version: str) -> None:
    output, _ = process(tmp_path / "in", version)
    with snapshot(output) as connection:
        row = resolved(connection, "embryo")
    napari_view.fill(viewer, str(output), row)
    kinds = [type(layer).__name__ for layer in viewer.layers]
    assert sorted(kinds) == ["Image", "Labels", "Labels", "Tracks"]
    for layer in viewer.layers:
        np.testing.assert_allclose(layer.scale[-3:], [1.0, 1.0, 1.0], err_msg=layer.name)
        np.testing.assert_allclose(layer.scale, viewer.layers[0].scale, err_msg=layer.name)
        np.testing.assert_allclose(layer.translate, 0.0, err_msg=layer.name)
    shown = {layer.name: layer for layer in viewer.layers}
    labels = [layer for layer in viewer.layers if type(layer).__name__ == "Labels"]
    image = next(layer for layer in viewer.layers if type(layer).__name__ == "Image")
    full = image.data[0] if image.multiscale else image.data
    assert tuple(full.shape) == (TIME_POINTS, *SHAPE)
    for layer in labels:
        data = layer.data[0] if layer.multiscale else layer.data
        assert tuple(data.shape) == (TIME_POINTS, *SHAPE)
        for t in range(TIME_POINTS):
            inside = np.asarray(data[t]) > 0
            assert np.array_equal(inside, squares(t, COUNT, SHAPE) > 0)
            assert np.asarray(full[t])[inside].min() > np.asarray(full[t])[~inside].max()
    lines = shown["tracks as lines"].data
    assert len(lines) == COUNT * TIME_POINTS
    nuclei = np.asarray(labels[0].data[0] if labels[0].multiscale else labels[0].data)
    for _, t, z, y, x in lines:
        assert nuclei[int(t), round(z), int(y), int(x)] > 0, "every point of a track lies in a nucleus"


def test_a_bundle_shows_all_its_positions(viewer: Any, tmp_path: Path) -> None:
    first, image = naming.zarr_path(tmp_path, "exp_A", "exp"), acquisition(pixels(1, 2, 3, 20, 24))
    for number, name in enumerate(("exp_A", "exp_B"), start=1):
        store = ImageStore.create(naming.numbered(first, number), replace(image, name=name))
        store.write_timepoint(0, [image.planes(0, c) for c in range(2)], squares(0, 4))
        store.publish(0)
    viewer.open(str(tmp_path / "exp.ome.zarr"), plugin="napari-ome-zarr")
    kinds = [type(layer).__name__ for layer in viewer.layers]
    assert kinds.count("Image") == 2 * 2, "two channels of two positions"
    assert kinds.count("Labels") == 2 * 2
