"""A store without an image: labels as ever, which are also what whoever opens it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from cases.stored import acquisition, squares

from storage.errors import StorageError
from storage.omezarr import ngff, references
from storage.omezarr.image_store import ImageStore


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_are_there_and_no_image(tmp_path: Path, version: str) -> None:
    image = acquisition(np.ones((2, 2, 3, 20, 24), np.uint16))
    place = tmp_path / "embryo.ome.zarr"
    store = ImageStore.create(place, image, version, "none")
    for t in range(2):
        store.write_timepoint(t, [image.planes(t, c) for c in range(2)], squares(t, 6))
        store.publish(t)
    again = ImageStore.open(place)
    assert again.shape == (2, 2, 3, 20, 24)
    assert again.published_timepoints == (0, 1)
    np.testing.assert_array_equal(again.labels(1), squares(1, 6))
    with pytest.raises(StorageError, match="holds labels without their image"):
        again.image(0, 0)
    group = zarr.open_group(place, mode="r")
    [shown, *_] = ngff.dataset_paths(dict(group.attrs))
    assert shown == "labels/nuclei/0"
    np.testing.assert_array_equal(np.asarray(group[shown][1]), squares(1, 6))
    assert not (place / "0").exists()


def test_what_cannot_be_referred_to_by_its_kind_is_known(tmp_path: Path) -> None:
    assert not references.is_possible(acquisition(), tmp_path / "x.ome.zarr")
