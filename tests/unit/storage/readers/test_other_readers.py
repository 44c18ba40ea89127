"""What another reader says of real files of vendors: sizes and every plane are the same.

czifile exists for Python 3.12 and later alone; `.ci/run` makes an environment of such a Python for these tests and for
the contract of the readers, so that results are seen to be the same on every Python.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from storage.errors import UnsupportedInputError
from storage.readers import open_acquisitions

DATA = Path(os.environ.get("NUSETD_DATA", Path(__file__).parents[5] / "shared" / "data"))
CZI = sorted(file for folder in (DATA / "formats", DATA.parent / "cases") for file in folder.glob("*.czi"))


@pytest.mark.skipif(not CZI, reason=f"no CZI of a microscope beside {DATA}")
def test_every_plane_of_a_real_czi_is_what_another_reader_sees() -> None:
    library = pytest.importorskip("czifile")
    if not hasattr(library, "CziScenes"):
        pytest.skip("this czifile is too old")
    compared = 0
    for path in CZI:
        try:
            ours = open_acquisitions(path)
        except UnsupportedInputError:
            continue  # said not to be read here
        with library.CziFile(path) as file:
            images = list(file.scenes.values())
            assert len(images) == len(ours)
            for image, mine in zip(images, ours, strict=True):
                axes, array = "".join(image.dims), image.asarray()
                missing = [letter for letter in "TCZ" if letter not in axes]
                array = array.reshape((1,) * len(missing) + array.shape)
                order = ["".join([*missing, axes]).index(letter) for letter in "TCZYX"]
                theirs = np.squeeze(array, tuple(i for i in range(array.ndim) if i not in order))
                theirs = np.transpose(array, order) if theirs.shape == array.shape else theirs
                assert theirs.shape == (mine.size_t, mine.size_c, mine.size_z, mine.size_y, mine.size_x)
                with mine:
                    for t, c, z in np.ndindex(theirs.shape[:3]):
                        np.testing.assert_array_equal(mine.plane(t, c, z), theirs[t, c, z])
                        compared += 1
    assert compared
