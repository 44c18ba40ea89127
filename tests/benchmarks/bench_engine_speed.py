"""What the engine costs, and what each of its economies saves; ratios come from one run and are what counts.

    python tests/benchmarks/bench_engine_speed.py total       per megapixel at 20 and 60 px, and what of it is network
    python tests/benchmarks/bench_engine_speed.py images      the same on the development images, and the scores
    python tests/benchmarks/bench_engine_speed.py workers     the development images, a process of one thread a core
    python tests/benchmarks/bench_engine_speed.py command     `nusetd segment` of the same, by one process and several
    python tests/benchmarks/bench_engine_speed.py start       a new process with the weights loaded, by each runtime
    python tests/benchmarks/bench_engine_speed.py parts       folded, traced, batched, blank tiles, statistics reused
    python tests/benchmarks/bench_engine_speed.py memory      peak memory of a 4096 x 4096 plane (--edge for others)

`total` and `images` run each image by each runtime in turn (`--runtimes`, all that can be had); `workers` and
`command` need a quiet machine. Images are synthetic but for `images`, `workers` and `command`, whose data is that of
`development_data.py`. Seconds are wall clock; CPU seconds, of all threads, are steadier on a machine that is shared.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from development_data import development_split
from engine_clock import Clock, Watched
from given_weights import known_weights

from nuset_engine.evaluation.scores import evaluate
from nuset_engine.inference.passes import run_network
from nuset_engine.models.registry import predictor_of
from nuset_engine.network import Architecture, build_network
from nuset_engine.planes.normalize import normalize
from nuset_engine.planes.resample import resample, scaled_shape
from nuset_engine.runtime.choice import without_bfloat16, without_int8
from nuset_engine.runtime.folding import folded_network
from nuset_engine.runtime.names import BFLOAT16, OPENVINO, RUNTIMES, TENSORFLOW
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.weights import find_weights, load_weights

PLAIN = SyntheticParams(
    size_px=512, median_diameter_px=(24, 25), covered=(0.2, 0.25), clustering=(0.4, 0.5), artefact_chance=0
)


def plane(edge: int, diameter_px: float, seed: int = 0) -> np.ndarray:
    """(Y, X) uint16 plane with touching nuclei of a size, tiled from a smaller one."""
    image, _ = synthetic_image(np.random.default_rng(seed), PLAIN)
    small = resample(image, scaled_shape(image.shape, diameter_px / 24.5))
    small = np.clip(200 + 2000 * small, 0, 65535).astype(np.uint16)
    times = -(-edge // small.shape[0])
    return np.tile(small, (times, times))[:edge, :edge]


def timed(work: Callable[[], object], repeats: int = 3) -> Clock:
    """The quickest of several runs, by CPU time, after one that warms up."""
    work()
    clocks = []
    for _ in range(repeats):
        clock = Clock()
        with clock.running():
            work()
        clocks.append(clock)
    return min(clocks, key=lambda c: c.cpu)


def runtimes(weights: str) -> list[str]:
    """What can read weights on this machine."""
    lacking = {BFLOAT16: without_bfloat16(), OPENVINO: without_int8(find_weights(weights))}
    return [TENSORFLOW, *(name for name, reason in lacking.items() if reason is None)]


def total(weights: str, names: list[str]) -> pd.DataFrame:
    """The engine per input megapixel of synthetic planes, the quickest of three runs after one that warms up."""
    rows: dict[str, dict[str, float]] = {}
    watched = {name: Watched(name, weights) for name in names}
    for diameter in (20, 60):
        image = plane(1024, diameter)
        for attempt in range(4):
            for name, each in watched.items():
                each.restart()
                each.labels(image)
                row, key = each.row(image.size / 1e6), f"{diameter} px, {name}"
                if attempt == 1 or (attempt > 1 and row["CPU s/MP"] < rows[key]["CPU s/MP"]):
                    rows[key] = row
    return compared(pd.DataFrame(rows).T, len(names))


def images(weights: str, names: list[str]) -> pd.DataFrame:
    """The engine per input megapixel of the development images, and how well it does on them."""
    pairs = development_split()
    watched = {name: Watched(name, weights) for name in names}
    found: dict[str, list] = {name: [] for name in names}
    for each in watched.values():
        each.labels(pairs[0][1])
        each.restart()
    for stem, image, truth in pairs:
        for name, each in watched.items():
            found[name].append((stem, truth, each.labels(image)))
    megapixels = sum(image.size for _, image, _ in pairs) / 1e6
    rows = {}
    for name, each in watched.items():
        scores = evaluate(found[name]).overall.iloc[0][["ap_50", "ap", "touching_separated_rate"]]
        rows[name] = {**each.row(megapixels), **scores.astype(float)}
    return compared(pd.DataFrame(rows).T, len(names))


_segmenter: Segmenter | None = None  # of each process of `workers`


def _begin(weights: str, name: str) -> None:
    global _segmenter
    _segmenter = Segmenter(weights, threads=1, runtime=name)


def _labels(image: np.ndarray) -> int:
    assert _segmenter is not None
    return int(_segmenter.segment_plane(image).labels.max())


def workers(weights: str, names: list[str]) -> pd.DataFrame:
    """The development images shared out among as many processes as there are cores, as workers of the service are."""
    planes = sorted((image for _, image, _ in development_split()), key=lambda image: -image.size)
    cores = len(os.sched_getaffinity(0))
    rows = {}
    for name in names:
        with get_context("spawn").Pool(cores, _begin, (weights, name)) as pool:
            pool.map(_labels, planes[: 2 * cores], chunksize=1)  # all have begun, and are warm
            began = time.perf_counter()
            pool.map(_labels, planes, chunksize=1)
            seconds = time.perf_counter() - began
        rows[name] = {"processes": cores, "s/MP": seconds / (sum(image.size for image in planes) / 1e6)}
    return pd.DataFrame(rows).T


def command(weights: str, names: list[str]) -> pd.DataFrame:
    """`nusetd segment` of the development images, of its start alone, and whether the labels are those of one process.

    The start is the command on as many images as there are processes, but with nothing in them.
    """
    cores, rows = len(os.sched_getaffinity(0)), {}
    with tempfile.TemporaryDirectory() as folder:
        pairs, blank, whole = development_split(), Path(folder) / "blank", Path(folder) / "images"
        for where, planes in ((whole, {stem: image for stem, image, _ in pairs}), (blank, _blank(cores))):
            where.mkdir()
            for stem, plane_yx in planes.items():
                tifffile.imwrite(where / f"{stem}.tif", plane_yx)
        megapixels = sum(image.size for _, image, _ in pairs) / 1e6
        for name in names:
            options = ["--weights", weights, "--runtime", name]
            begun, _ = _commanded(blank, Path(folder) / f"{name}-blank", options, (1, cores))
            seconds, labels = _commanded(whole, Path(folder) / name, options, (1, cores))
            for processes in (1, cores):
                rows[f"{name}, {processes}"] = {
                    "start s": begun[processes],
                    "s/MP": seconds[processes] / megapixels,
                    "s/MP once begun": (seconds[processes] - begun[processes]) / megapixels,
                    "labels as by one": float(labels[processes] == labels[1]),
                }
    return pd.DataFrame(rows).T


def _blank(count: int) -> dict[str, np.ndarray]:
    return {f"blank{number}": np.zeros((64, 64), np.uint16) for number in range(count)}


def _commanded(
    images: Path, output: Path, options: list[str], counts: tuple[int, ...]
) -> tuple[dict[int, float], dict[int, dict[str, bytes]]]:
    """Seconds of `nusetd segment` by so many processes each, in turns, the quickest of three; and what they wrote."""
    seconds: dict[int, float] = {}
    for _ in range(3):
        for count in counts:
            words = ["segment", str(images), "--output", f"{output}-{count}", *options, "--workers", str(count)]
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "daemon.cli", *words], check=True, stdout=subprocess.DEVNULL)
            seconds[count] = min(time.perf_counter() - began, seconds.get(count, float("inf")))
    written = {n: {path.name: path.read_bytes() for path in Path(f"{output}-{n}").iterdir()} for n in counts}
    return seconds, written


START = """
import sys, time
began = time.perf_counter()
import daemon.processing.worker
from nuset_engine.segment import Segmenter
Segmenter(sys.argv[1], runtime=sys.argv[2])
seconds = time.perf_counter() - began
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # rusage would count the parent's
print(seconds, time.process_time(), int(peak.split()[1]) / 1024)
"""


def start(weights: str, names: list[str]) -> pd.DataFrame:
    """A worker's start until it has the network, the quickest of three: seconds, CPU seconds, memory."""
    rows: dict[str, list[float]] = {}
    for _ in range(3):
        for name in names:
            done = subprocess.run(
                [sys.executable, "-c", START, weights, name], capture_output=True, text=True, check=True
            )
            row = [float(value) for value in done.stdout.split()]
            rows[name] = min(rows.get(name, row), row)
    return pd.DataFrame(rows, index=["s", "CPU s", "peak MiB"]).T


def compared(table: pd.DataFrame, each: int) -> pd.DataFrame:
    """With the CPU time over that of the first runtime, row by row."""
    first = table["CPU s/MP"].to_numpy()[::each].repeat(each)
    table.insert(2, "of the first's", table["CPU s/MP"] / first)
    return table


def parts(segmenter: Segmenter) -> pd.DataFrame:
    """CPU seconds without and with each economy, on the same input."""
    info = segmenter.weights_info
    architecture = Architecture(tuple(info.architecture["filters"]), info.architecture["head_filters"])
    trained = build_network(architecture)
    load_weights(trained, info)
    folded = folded_network(trained, architecture)
    image = plane(384, 24)
    statistics = segmenter.statistics([image])
    inputs = normalize(image.astype(np.float32), statistics.intensity)[None]
    predictor = predictor_of(info)
    small = [plane(96, 24, seed) for seed in range(8)]
    sparse = np.zeros((1600, 1600), np.uint16) + 200
    sparse[:384, :384] = image
    known = segmenter.statistics([sparse])
    stack = [plane(256, 20, seed) for seed in range(4)]

    def tiles(skip: bool) -> None:
        scaled = resample(sparse, scaled_shape(sparse.shape, known.scale))
        seen = scaled if skip else scaled + 1e4 * (np.indices(scaled.shape).sum(0) % 97 == 0)
        run_network([seen], known.intensity, predictor, stacked=False, tile=384, min_score=0.5, nms_iou=0.3)

    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "normalisation and doubling folded in": (
            lambda: trained(inputs, training=False),
            lambda: folded(inputs, training=False),
        ),
        "traced once": (lambda: folded(inputs, training=False), lambda: predictor.predict(inputs)),
        "eight slices as one batch": (
            lambda: [segmenter.segment_plane(s, statistics) for s in small],
            lambda: list(segmenter.segment_stack(small, statistics)),
        ),
        "blank tiles skipped": (lambda: tiles(False), lambda: tiles(True)),
        "statistics reused in a stack": (
            lambda: [segmenter.segment_plane(s) for s in stack],
            lambda: list(segmenter.segment_stack(stack)),
        ),
    }
    rows = {}
    for name, (without, within) in pairs.items():
        before, after = timed(without), timed(within)
        rows[name] = {"CPU s without": before.cpu, "CPU s with": after.cpu, "times": before.cpu / after.cpu}
    return pd.DataFrame(rows).T


def memory(segmenter: Segmenter, edge: int, diameter_px: float) -> pd.DataFrame:
    """Peak memory of this process, before and after a plane of edge x edge pixels was labelled."""
    image = plane(edge, diameter_px)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = segmenter.segment_plane(image)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"{edge} x {edge}, nuclei of {diameter_px:g} px"
    held = (image.nbytes + found.labels.nbytes) / 2**20
    columns = {"nuclei": len(found.scores), "before MiB": before, "peak MiB": peak, "image and labels MiB": held}
    return pd.DataFrame({name: columns}).T


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["total", "images", "workers", "command", "start", "parts", "memory"])
    parser.add_argument("--weights", type=known_weights, default="fluorescence")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES[1:], help="default: all that can be had here")
    parser.add_argument("--edge", type=int, default=4096)
    parser.add_argument("--diameter", type=float, default=24.0)
    arguments = parser.parse_args()
    names = arguments.runtimes or runtimes(arguments.weights)
    if arguments.what == "memory":
        table = memory(Segmenter(arguments.weights, runtime=names[-1]), arguments.edge, arguments.diameter)
    elif arguments.what == "parts":
        table = parts(Segmenter(arguments.weights, runtime=TENSORFLOW))
    else:
        measures = {"total": total, "images": images, "workers": workers, "command": command, "start": start}
        table = measures[arguments.what](arguments.weights, names)
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
