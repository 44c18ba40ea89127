"""Neuroglancer in a real browser, as `nusetd serve` offers it: image and labels in place, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from cases.browser import Browser, browser, is_here
from cases.live_page import store_server
from cases.stored import acquisition, register
from numpy.typing import NDArray

from daemon.page import links, neuroglancer
from daemon.page.serve import StoreServer
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(neuroglancer.client_folder() is None, reason=neuroglancer.MISSING),
]

SIZE = (2, 2, 4, 300, 400)
"""More than one level, and at 16 bits a picture that is black without a range."""


def scene() -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Image (T, C, Z, Y, X) and labels (T, Z, Y, X): discs in the first channel, a slope in the second."""
    y, x = np.mgrid[: SIZE[3], : SIZE[4]]
    labels = np.zeros((SIZE[0], *SIZE[2:]), dtype=np.uint32)
    for number, (cy, cx, radius) in enumerate([(60, 80, 30), (90, 300, 40), (220, 150, 50)], start=1):
        for t in range(SIZE[0]):
            labels[t, :, np.hypot(y - cy, x - cx - 10 * t) < radius] = number
    image = np.full(SIZE, 100, dtype=np.uint16)
    image[:, 0][labels > 0] = 900
    image[:, 1] += x.astype(np.uint16)
    return image, labels


@contextmanager
def served(folder: Path, version: str) -> Iterator[StoreServer]:
    """The scene in a store, offered."""
    pixels, labels = scene()
    image = acquisition(pixels, name="embryo 1")
    with Catalog.open(folder) as catalog:
        row = register(catalog, image, output=folder)
    store = ImageStore.create(str(row.zarr_path), image, version)
    for t in range(SIZE[0]):
        store.write_timepoint(t, [image.planes(t, c) for c in range(SIZE[1])], labels[t])
        store.publish(t)
    with store_server(folder) as server:
        yield server


def drawn(window: Browser) -> NDArray[np.int16]:
    """What is seen once everything has been loaded."""
    window.wait("everything is loaded and drawn", lambda: window.run("return window.viewer && viewer.isReady()"))
    return window.settled_picture()


def show(window: Browser, names: list[str], t: int = 0) -> NDArray[np.int16]:
    """What is seen of these layers alone, at a time point, voxel by voxel: by the address, as a bookmark does it."""
    state = json.loads(window.run("return JSON.stringify(viewer.state.toJSON())"))
    for layer in state["layers"]:
        layer["visible"] = layer["name"] in names
    wanted = {**state, "position": [*state["position"][:3], t], "showDefaultAnnotations": False, "showScaleBar": False}
    window.run("location.hash = arguments[0]", neuroglancer.fragment(wanted))
    script = (
        "const now = viewer.state.toJSON(); return [now.position[3], ...now.layers.map(one => one.visible !== false)]"
    )
    visible = [layer["visible"] for layer in wanted["layers"]]
    window.wait("the layers are changed", lambda: window.run(script) == [t, *visible])
    return sampled(window, drawn(window))


def sampled(window: Browser, picture: NDArray[np.int16]) -> NDArray[np.int16]:
    """The pixels under the middles of all voxels of a slice, (Y, X, RGB)."""
    panel = window.run(
        "const r = document.querySelector('.neuroglancer-rendered-data-panel').getBoundingClientRect();"
        "return [r.left, r.top, r.width, r.height, viewer.state.toJSON().crossSectionScale]"
    )
    left, top, width, height, scale = map(float, panel)
    y, x = np.mgrid[: SIZE[3], : SIZE[4]]
    row = top + height / 2 + (y - (SIZE[3] - 1) / 2) / scale
    column = left + width / 2 + (x - (SIZE[4] - 1) / 2) / scale
    return picture[np.floor(row).astype(int), np.floor(column).astype(int)]


def inner(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is at least two pixels from the edge of a mask or of its complement."""
    from scipy.ndimage import binary_dilation

    return ~(binary_dilation(mask, iterations=2) & binary_dilation(~mask, iterations=2))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_image_and_labels_are_seen_in_place_and_nothing_comes_from_elsewhere(tmp_path: Path, version: str) -> None:
    _, labels = scene()
    with served(tmp_path, version) as server, browser(tmp_path) as window:
        window.open(links.neuroglancer(server.base, "embryo 1.ome.zarr"))
        first = sampled(window, drawn(window))
        image, slope, nuclei, later = (
            show(window, *wanted) for wanted in ((["channel 0"],), (["channel 1"],), (["nuclei"],), (["nuclei"], 1))
        )
        complaints = window.console()
    inside, sure = labels[0, 0] > 0, inner(labels[0, 0] > 0)
    # The first channel is green: white is where the discs are, black is not, and between the two nothing.
    assert image[inside & sure][:, 1].min() > 240
    assert image[~inside & sure].max() < 15
    # The second is magenta and rises to the right: no single plane or wrong range, and the axes as they should be.
    assert np.corrcoef(slope[:, :, 0].ravel(), np.tile(np.arange(SIZE[4]), SIZE[3]))[0, 1] > 0.99
    assert slope[:, -5:, 0].min() > 240
    # Labels: a colour each where they are, nothing elsewhere, at another time point elsewhere.
    for shown, t in ((nuclei, 0), (later, 1)):
        here = inner(labels[t, 0] > 0)
        colours = [np.unique(shown[(labels[t, 0] == number) & here], axis=0) for number in (1, 2, 3)]
        assert [len(each) for each in colours] == [1, 1, 1]
        assert len(np.unique(np.concatenate(colours), axis=0)) == 3
        assert min(each.max() for each in colours) > 60
        assert shown[(labels[t, 0] == 0) & here].max() < 15
    # At once both are seen, one over the other.
    assert (np.ptp(first[inside & sure], axis=0) > 20).any()
    assert complaints == []
    asked = window.asked()
    assert any("/labels/nuclei/0/" in address for address in asked)
    assert [address for address in asked if not is_here(address)] == []


def test_a_state_that_names_another_place_is_not_followed(tmp_path: Path) -> None:
    """Whatever a link says: the page reads from its own server only."""
    elsewhere = {"layers": [{"type": "image", "name": "leak", "source": "zarr://http://localhost:9/x.ome.zarr"}]}
    with served(tmp_path, "0.4") as server, browser(tmp_path) as window:
        window.open(f"{server.base}{links.CLIENT}#{neuroglancer.fragment(elsewhere)}")
        window.wait("the layer is refused", lambda: any("Content Security Policy" in one for one in window.console()))
    assert [address for address in window.asked() if ":9/" in address] == []
