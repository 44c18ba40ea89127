"""What a verdict quotes from a damaged file cannot break its sentence."""

from __future__ import annotations

from pathlib import Path

from cases.nikon_file import nd2
from cases.stored import pixels

from storage.readers import probe


def test_a_name_with_control_characters_stays_on_one_line(tmp_path: Path) -> None:
    path = nd2(tmp_path, pixels(1, 1, 2, 8, 9))
    before, name, after = path.read_bytes().rpartition(b"ImageMetadataSeqLV")
    path.write_bytes(before + name.replace(b"Meta", b"\n\x1b[2") + after)
    verdict = probe(path)
    assert verdict.state == "incomplete"
    assert verdict.reason.isprintable()
    assert "Image??[2dataSeqLV" in verdict.reason
