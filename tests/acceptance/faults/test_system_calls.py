"""What the kernel is asked while a time point is stored and shown: no metadata file is renamed before it is synced."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import environment

HERE = Path(__file__).parents[2]
COMMIT = """
import sys
sys.path.insert(0, sys.argv[1])
from cases.stored import acquisition, squares
from storage.omezarr.image_store import ImageStore
image = acquisition()
store = ImageStore.create(sys.argv[2], image)
store.write_timepoint(0, [image.planes(0, 0)], squares(0, 5))
store.publish(0)
"""
METADATA = re.compile(r"/\.z(array|attrs|group)$")


@pytest.mark.long
def test_no_metadata_file_is_renamed_before_it_is_synced(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-s", "4096", "-e", calls, "-o", str(trace), sys.executable, "-c", COMMIT]
    command += [str(HERE), str(tmp_path / "img.ome.zarr")]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if "ptrace" in run.stderr.lower() and run.returncode != 0:
        pytest.skip(f"this machine traces nothing: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    synced: set[str] = set()
    renamed = []
    for line in trace.read_text().splitlines():
        if "sync(" in line:
            synced |= set(re.findall(r"sync\(\d+<([^>]+)>", line))
        elif "rename" in line and len(names := re.findall(r'"([^"]+)"', line)) == 2 and METADATA.search(names[1]):
            renamed.append(names[1])
            assert names[0] in synced, line
            synced.discard(names[0])
    assert len(renamed) > 10
