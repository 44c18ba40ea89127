"""What the engine costs, and what each of its economies saves; ratios come from one run and are what counts.

    python tests/benchmarks/bench_engine_speed.py total       per megapixel at 20 and 60 px, against bare network passes
    python tests/benchmarks/bench_engine_speed.py parts       folded, traced, batched, blank tiles, statistics reused
    python tests/benchmarks/bench_engine_speed.py memory      peak memory of a 4096 x 4096 plane (--edge for others)

Images are synthetic. Seconds are wall clock; CPU seconds, of all threads, are steadier on a machine that is shared.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nuset_engine.inference.passes import run_network
from nuset_engine.inference.predictor import Predictor
from nuset_engine.network import Architecture, build_network
from nuset_engine.planes.normalize import normalize
from nuset_engine.planes.resample import resample, scaled_shape
from nuset_engine.runtime.folding import folded_network
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.weights import load_weights

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


@dataclass
class Clock:
    """Seconds of wall clock and of all threads' CPU."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of a block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


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


def total(segmenter: Segmenter) -> pd.DataFrame:
    """The engine per input megapixel, and its time over that of the network calls within it."""
    rows = {}
    predictor = segmenter.predictor(stacked=False)
    network, predict = Clock(), predictor.predict

    def counted(inputs: np.ndarray) -> list:
        with network.running():
            return predict(inputs)

    for diameter in (20, 60):
        image = plane(1024, diameter)
        megapixels = image.size / 1e6
        segmenter.segment_plane(image)
        best: tuple[Clock, Clock] | None = None
        for _ in range(3):
            network, whole = Clock(), Clock()
            predictor.predict = counted  # type: ignore[method-assign]
            with whole.running():
                segmenter.segment_plane(image)
            predictor.predict = predict  # type: ignore[method-assign]
            if best is None or whole.cpu < best[0].cpu:
                best = whole, network
        assert best is not None
        rows[f"nuclei of {diameter} px, 1024 x 1024"] = {
            "s/MP": best[0].wall / megapixels,
            "CPU s/MP": best[0].cpu / megapixels,
            "network CPU s/MP": best[1].cpu / megapixels,
            "engine / network": best[0].cpu / best[1].cpu,
        }
    return pd.DataFrame(rows).T


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
    predictor = Predictor(info)
    small = [plane(96, 24, seed) for seed in range(8)]
    sparse = np.zeros((1600, 1600), np.uint16) + 200
    sparse[:384, :384] = image
    known = segmenter.statistics([sparse])
    stack = [plane(256, 20, seed) for seed in range(4)]

    def tiles(skip: bool) -> None:
        scaled = resample(sparse, scaled_shape(sparse.shape, known.scale))
        seen = scaled if skip else scaled + 1e4 * (np.indices(scaled.shape).sum(0) % 97 == 0)
        run_network([seen], known.intensity, predictor, tile=384, min_score=0.5, nms_iou=0.3)

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
    parser.add_argument("what", choices=["total", "parts", "memory"])
    parser.add_argument("--weights", default="fluorescence")
    parser.add_argument("--edge", type=int, default=4096)
    parser.add_argument("--diameter", type=float, default=24.0)
    arguments = parser.parse_args()
    segmenter = Segmenter(arguments.weights)
    if arguments.what == "memory":
        table = memory(segmenter, arguments.edge, arguments.diameter)
    else:
        table = {"total": total, "parts": parts}[arguments.what](segmenter)
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
