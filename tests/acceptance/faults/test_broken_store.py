"""What a power cut can leave of a store's metadata stalls one acquisition, not the service, and is made whole again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab, asked, stack, write_stack
from witness import Witness, free_port

METADATA = [
    ".zattrs", ".zgroup", "0/.zarray", "1/.zarray", "labels/.zgroup", "labels/.zattrs", "labels/nuclei/.zattrs",
    "labels/nuclei/.zgroup", "labels/nuclei/1/.zarray", "labels/tracks/.zattrs", "labels/tracks/0/.zarray",
]  # fmt: skip


@pytest.mark.parametrize(
    "file", ["labels/nuclei/0/.zarray", *(pytest.param(name, marks=pytest.mark.long) for name in METADATA)]
)
def test_an_empty_metadata_file_costs_one_acquisition_and_is_made_good(new_lab: Callable[..., Lab], file: str) -> None:
    port = free_port()
    lab = new_lab(acquisition_quiet_s=3600.0, listen=f"127.0.0.1:{port}")
    witness = Witness(lab, port)
    write_stack(lab.incoming / "broken_t000.tif", stack(0))
    lab.start()
    lab.wait(lambda: len(lab.rows("select 1 from timepoints where published_at is not null")) == 1)
    damaged = Path(lab.output / "broken.ome.zarr" / file)
    if not damaged.exists():
        pytest.skip(f"a store of this size has no {file}")
    damaged.write_bytes(b"")
    write_stack(lab.incoming / "broken_t001.tif", stack(1))
    lab.wait(lambda: "acquisition waits for its OME-Zarr" in lab.said() or lab.done() == 2)
    if lab.done() < 2:  # the file is needed for writing
        witness.sees(f"store broken: {file}")
    write_stack(lab.incoming / "good_t000.tif", stack(0))
    lab.wait(lambda: lab.done() >= 1 and "acquisition=good t=0" in lab.said())
    assert "everything waits" not in lab.said()
    lab.wait(lambda: len(lab.rows("select 1 from timepoints where published_at is not null")) == 3)
    assert lab.stop() == 0, lab.said()
    for name in ("broken", "good"):
        found = asked("verify", name, "--database", lab.database)
        assert found.returncode == 0, found.stdout
