"""The same numbered planes through every dialect and dimension order: each is read at its own (t, c, z)."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import czi_file, images, leica_file, lsm_file, ome_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.readers import open_acquisitions, probe

Writer = Callable[[Path, np.ndarray], Path]


def numbered(t: int, c: int, z: int) -> np.ndarray:
    """Planes that hold their own number, the first 10."""
    count = t * c * z
    return np.broadcast_to(
        10 * (1 + np.arange(count, dtype=np.uint16)).reshape(t, c, z, 1, 1), (t, c, z, 16, 24)
    ).copy()


def ome(order: str, kind: str) -> Writer:
    """OME-TIFF with nothing, something and everything said of single pages, truly and wrongly."""

    def write(folder: Path, array: np.ndarray) -> Path:
        places = ome_file.in_order(array, order)
        inside = {"none": "", "bare": "<TiffData/>", "each": ome_file.tiff_data(places)}.get(kind, "")
        if kind == "from 1":  # page numbers count from 0
            inside = ome_file.tiff_data(places, shift=1)
        if kind == "all 0":
            inside = "".join(ome_file.tiff_data([place]) for place in places)
        if kind == "shuffled":
            random.Random(0).shuffle(places)
            inside = ome_file.tiff_data(places)
        text = ome_file.document(array, order, inside)
        return ome_file.write(folder / "one.ome.tif", [array[place] for place in places], text, kind == "none")

    return write


def imagej_behind_one_page(folder: Path, array: np.ndarray) -> Path:
    turned = np.moveaxis(array, 1, 2)
    tifffile.imwrite(folder / "one.tif", turned, imagej=True, metadata={"axes": "TZCYX"}, truncate=True)
    return folder / "one.tif"


def shaped_behind_one_page(folder: Path, array: np.ndarray) -> Path:
    tifffile.imwrite(folder / "one.tif", array, metadata={"axes": "TCZYX"}, truncate=True, photometric="minisblack")
    return folder / "one.tif"


def slices(folder: Path, array: np.ndarray) -> Path:
    return images.plain_tiff(folder, array.reshape(1, 1, -1, *array.shape[3:]))


KINDS = ("none", "bare", "each", "from 1", "all 0", "shuffled")
WRITERS: dict[str, Writer] = {
    **{f"ome-tiff {order} {kind}": ome(order, kind) for order in ome_file.ORDERS for kind in KINDS},
    "ome-tiff of a library": images.ome_tiff,
    "ome-tiff with time fastest": images.ome_tiff_other_order,
    "imagej": images.imagej_tiff,
    "imagej behind one page": imagej_behind_one_page,
    "named axes": images.tiff_with_axes,
    "named axes behind one page": shaped_behind_one_page,
    "series": images.tiff_series,
    "planes": images.tiff_planes,
    "ome-zarr 0.4": images.ome_zarr_04,
    "ome-zarr 0.5": images.ome_zarr_05,
    "lsm": lsm_file.lsm,
    "lif": leica_file.lif,
    "czi": czi_file.czi,
}


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.tuples(*[st.integers(1, 3)] * 3))
def test_each_plane_is_where_it_belongs(name: str, sizes: tuple[int, int, int]) -> None:
    array = numbered(*sizes)
    with tempfile.TemporaryDirectory() as folder:
        path = WRITERS[name](Path(folder), array)
        (found,) = open_acquisitions(path)
        with found:
            assert (found.size_t, found.size_c, found.size_z) == sizes
            assert found.time_points == tuple(range(sizes[0]))
            for place in np.ndindex(sizes):
                assert found.plane(*place)[5, 7] == array[place][5, 7], place
        if path.is_file():
            assert probe(path).state == "complete"


def test_plain_pages_are_slices_and_that_is_a_guess(tmp_path: Path) -> None:
    array = numbered(1, 1, 5)
    (found,) = open_acquisitions(slices(tmp_path, array))
    with found:
        assert [int(found.plane(0, 0, z)[0, 0]) for z in range(5)] == [10, 20, 30, 40, 50]
    assert found.origins.axes == "guessed"
    (doubt,) = found.doubts
    assert str(found.source_path) in doubt
    assert "5 slices" in doubt
