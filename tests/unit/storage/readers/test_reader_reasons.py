"""What a verdict quotes from a damaged file cannot break its sentence, and what it claims costs no memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
from cases.nikon_file import nd2
from cases.stored import pixels

from storage.readers import open_acquisitions, probe


def test_a_name_with_control_characters_stays_on_one_line(tmp_path: Path) -> None:
    path = nd2(tmp_path, pixels(1, 1, 2, 8, 9))
    before, name, after = path.read_bytes().rpartition(b"ImageMetadataSeqLV")
    path.write_bytes(before + name.replace(b"Meta", b"\n\x1b[2") + after)
    verdict = probe(path)
    assert verdict.state == "incomplete"
    assert verdict.reason.isprintable()
    assert "Image??[2dataSeqLV" in verdict.reason


def test_an_nd2_that_claims_countless_components_costs_no_memory(tmp_path: Path) -> None:
    path = nd2(tmp_path, np.zeros((1, 1, 2, 16, 16), np.uint16))
    key = "uiCompCount\0".encode("utf-16-le")
    before, after = path.read_bytes().split(key)
    path.write_bytes(before + key + (2**27).to_bytes(4, "little") + after[4:])
    tracemalloc.start()
    with open_acquisitions(path)[0] as acquisition:
        assert acquisition.plane(0, 0, 1).shape == (16, 16)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
