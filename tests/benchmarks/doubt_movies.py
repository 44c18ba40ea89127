"""Rendered movies that the network has seen, with their truth: what doubts are calibrated and judged on.

Each movie is rendered, segmented with the shipped weights, reconstructed and measured once; what is needed of that is
kept in a folder, so that calibration and benchmark cost seconds afterwards. Remove the folder when weights change.

    python tests/benchmarks/doubt_movies.py FOLDER [NAME ...]     makes what is missing, all movies by default
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nuset_engine.measure import measure
from nuset_engine.nuclei import NUCLEI_COLUMNS, Nuclei
from nuset_engine.overlap import overlap
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.synthetic.optics import Optics
from tracking.synthetic.movie import Movie, MovieParams, simulate

SHAPE, VOXEL, FRAMES = (40, 380, 380), (1.0, 0.3, 0.3), 26
ACINI = MovieParams(
    shape=SHAPE,
    voxel_size_um=VOXEL,
    nuclei=60,
    clusters=2,
    frames=FRAMES,
    divisions=13,
    deaths=1,
    stage_jumps=1,
    missed_slices=FRAMES * SHAPE[0] // 10,
)
"""Those of `bench_acini.py`, longer: 13 divisions each."""


@dataclass(frozen=True)
class Recipe:
    """A movie: what happens in it, and the microscope."""

    params: MovieParams
    seed: int
    optics: Optics = field(default_factory=Optics)

    def movie(self) -> Movie:
        """The same each time."""
        return simulate(self.params, self.seed)


_KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "crowded": ({"closeness": 0.92, "nuclei": 75}, {}),
    "moving": ({"motility_um": 2.2, "cluster_spin": 0.05}, {}),
    "fast": ({"motility_um": 3.2, "persistence": 0.2, "jitter_um": 0.8, "divisions": 18}, {}),
    "dim": ({"divisions": 16}, {"photons": 18.0, "read_noise": 14.0, "attenuation_length_um": 40.0}),
    "coarse": ({"voxel_size_um": (1.8, 0.4, 0.4), "shape": (24, 300, 300)}, {"sigma_z_um": 1.1}),
    "thin": ({"shape": (14, 320, 320), "clusters": 4, "nuclei": 50, "missed_time_points": 1}, {}),
    "mortal": ({"deaths": 10, "divisions": 16, "mitosis_frames": 3}, {"texture": 0.4}),
}


def _acini(numbers: Iterable[int]) -> dict[str, Recipe]:
    return {f"acini-{n}": Recipe(ACINI, 100 + n) for n in numbers}


def _others(numbers: Iterable[int], kinds: Collection[str] = tuple(_KINDS)) -> dict[str, Recipe]:
    """One of each kind for each number."""
    return {
        f"{name}-{n}": Recipe(
            replace(ACINI, **{"missed_slices": changed.get("shape", SHAPE)[0] * FRAMES // 10, **changed}),
            200 + 10 * index + n,
            Optics(**optics),
        )
        for n in numbers
        for index, (name, (changed, optics)) in enumerate(_KINDS.items())
        if name in kinds
    }


JUDGED = _acini((1, 2, 3, 6, 7))
"""Those of `bench_doubts.py`; nothing is fitted to them."""
FITTED = _others((1,)) | _acini((11,)) | _others((3,), ("crowded", "coarse"))
"""What the model is fitted to: acini as above, and other samples and microscopes."""
HELD = JUDGED | _acini((12, 14)) | _others((2,), _KINDS.keys() - {"moving", "fast"}) | _others((4,), ("coarse",))
"""What its calibration is measured on, and nothing is fitted to."""
MOVIES = HELD | FITTED
_OVERLAP = ("true_labels", "found_labels", "true_px", "found_px", "rows", "columns", "shared")


@dataclass(frozen=True)
class SeenFrame:
    """One time point as it was found, and the voxels that true and found nuclei share (`overlap`)."""

    nuclei: Nuclei
    true_labels: np.ndarray
    found_labels: np.ndarray
    true_px: np.ndarray
    found_px: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    shared: np.ndarray


def seen(name: str, folder: Path) -> list[SeenFrame]:
    """The time points of a movie, from the folder, or made and kept there."""
    recipe, place = MOVIES[name], folder / name
    place.mkdir(parents=True, exist_ok=True)
    movie = recipe.movie()
    segmenter: Any = None
    for frame in movie.frames:
        path = place / f"{frame.t:03d}.npz"
        if path.exists():
            continue
        if segmenter is None:
            from nuset_engine.segment import Segmenter

            segmenter = Segmenter("fluorescence", threads=1)
        start = time.perf_counter()
        image, truth = movie.render(frame, recipe.optics)
        volume = reconstruct(segmenter.segment_stack(image), recipe.params.voxel_size_um, planes=image)
        table = measure(volume, {0: image}, 0, recipe.params.voxel_size_um, frame.t).table
        found = overlap(truth, volume.labels)
        parts = (found.labels_a, found.labels_b, found.areas_a, found.areas_b, found.rows, found.columns, found.shared)
        columns = {f"nuclei/{column}": table[column].to_numpy() for column in table.columns}
        np.savez_compressed(path.with_suffix(".tmp.npz"), **columns, **dict(zip(_OVERLAP, parts, strict=True)))
        path.with_suffix(".tmp.npz").rename(path)
        sys.stderr.write(f"{name} {frame.t}: {time.perf_counter() - start:.1f} s\n")
    return [_read(place / f"{frame.t:03d}.npz", frame.t) for frame in movie.frames]


def compared(nuclei: Nuclei, true: np.ndarray, found: np.ndarray) -> SeenFrame:
    """A time point beside its truth, from labels (Z, Y, X) of both."""
    both = overlap(true, found)
    return SeenFrame(
        nuclei, both.labels_a, both.labels_b, both.areas_a, both.areas_b, both.rows, both.columns, both.shared
    )


def _read(path: Path, t: int) -> SeenFrame:
    with np.load(path) as arrays:
        table = pd.DataFrame({name: arrays[f"nuclei/{name}"] for name in NUCLEI_COLUMNS})
        return SeenFrame(Nuclei(t, table), *(arrays[name] for name in _OVERLAP))


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", choices=[*MOVIES, []], default=[])
    arguments = parser.parse_args()
    for name in arguments.names or MOVIES:
        seen(name, arguments.folder)


if __name__ == "__main__":
    main()
