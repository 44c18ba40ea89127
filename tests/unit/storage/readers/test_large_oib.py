"""An OIB of more than 7 MB: the table of its sectors is longer than the header has room to name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import olympus_file

from storage.readers import open_acquisitions, probe


def test_a_table_that_the_header_cannot_name_is_followed(tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 60_000, (2, 1, 2, 1024, 1024)).astype(np.uint16)
    path = olympus_file.oib(tmp_path, array)
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    with found:
        for t, z in np.ndindex(2, 2):
            np.testing.assert_array_equal(found.plane(t, 0, z), array[t, 0, z])
    content = bytearray(path.read_bytes())
    content[72:76] = (0).to_bytes(4, "little")  # as if no sector named the rest of the table
    path.write_bytes(content)
    assert probe(path).state == "incomplete"


@pytest.mark.parametrize("planes", [1, 3, 60])
def test_each_plane_is_found_in_the_tree_of_names(tmp_path: Path, planes: int) -> None:
    array = np.arange(planes * 16, dtype=np.uint16).reshape(planes, 1, 1, 4, 4)
    (found,) = open_acquisitions(olympus_file.oib(tmp_path, array))
    with found:
        for t in range(planes):
            np.testing.assert_array_equal(found.plane(t, 0, 0), array[t, 0, 0])
