"""Peak memory of service parts on one large stack: worker and daemon together, as the kernel counts them.

Run it by hand:  python tests/benchmarks/bench_memory.py [--shape 60,1024,1024] [--engine MODULE:CALLABLE]

It renders a stack, runs `nusetd process` on it, and samples the proportional set size (shared pages counted once) of
the command and its worker five times a second. The limit is 3 GB for 60 x 1024 x 1024; exit code 1 when it is passed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from given_weights import known_weights

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cases.processes import family

LIMIT_GB = 3.0


def write_crowd(path: Path, shape: tuple[int, int, int]) -> None:
    """A stack of textured blobs of 40 px, written plane by plane so that this process stays small."""
    size_z, size_y, size_x = shape
    rng = np.random.default_rng(1)
    count = size_y * size_x // 6000
    centres = rng.uniform((0, 0, 0), shape, (count, 3))
    with tifffile.TiffWriter(path) as file:
        for z in range(size_z):
            plane = rng.normal(200.0, 20.0, (size_y, size_x)).astype(np.float32)
            for cz, cy, cx in centres[np.abs(centres[:, 0] - z) < 6]:
                radius = 20.0 * (1.0 - ((cz - z) / 6.0) ** 2) ** 0.5
                y0, x0 = max(int(cy) - 21, 0), max(int(cx) - 21, 0)
                y, x = np.ogrid[y0 : min(y0 + 43, size_y), x0 : min(x0 + 43, size_x)]
                plane[y0 : y0 + 43, x0 : x0 + 43] += 1500.0 * ((y - cy) ** 2 + (x - cx) ** 2 < radius**2)
            page = plane.clip(0, 65535).astype(np.uint16)
            file.write(page, contiguous=False, photometric="minisblack", metadata=None)


def memory_bytes(pid: int) -> tuple[int, int]:
    """Proportional and resident set size of one process; zeros when it has ended."""
    sizes = {"Pss": 0, "Rss": 0}
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in sizes:
                sizes[name] = int(rest.split()[0]) * 1024
    except OSError:
        pass
    return sizes["Pss"], sizes["Rss"]


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="60,1024,1024")
    parser.add_argument("--engine", default="nuset_engine.segment:Segmenter")
    parser.add_argument("--weights", type=known_weights, default="fluorescence")
    arguments = parser.parse_args()
    shape = tuple(int(part) for part in arguments.shape.split(","))
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "stack.tif"
        write_crowd(image, (shape[0], shape[1], shape[2]))
        command = [sys.executable, "-m", "daemon.cli", "process", str(image), "--output", f"{folder}/out"]
        command += ["--voxel-size", "2.0,0.3,0.3", "--engine", arguments.engine, "--weights", arguments.weights]
        started, peak_pss, peak_rss = time.monotonic(), 0, 0
        process = subprocess.Popen(command)
        while process.poll() is None:
            sizes = [memory_bytes(pid) for pid in family(process.pid)]
            peak_pss = max(peak_pss, sum(pss for pss, _ in sizes))
            peak_rss = max(peak_rss, sum(rss for _, rss in sizes))
            time.sleep(0.2)
    seconds = time.monotonic() - started
    passed = process.returncode == 0 and peak_rss <= LIMIT_GB * 1e9
    sys.stdout.write(
        f"stack {arguments.shape} uint16 ({np.prod(shape) * 2 / 1e6:.0f} MB): peak RSS {peak_rss / 1e9:.2f} GB, "
        f"PSS {peak_pss / 1e9:.2f} GB, {seconds:.0f} s, limit {LIMIT_GB:g} GB: {'passed' if passed else 'FAILED'}\n"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
