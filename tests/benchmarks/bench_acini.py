"""Simulated acini from rendered images to lineages: engine, reconstruction and tracker against the truth.

Run it by hand:  python tests/benchmarks/bench_acini.py [--frames 12] [--slices from-images|from-truth] [--keep FILE]

60 touching nuclei in two clusters that move, divide and die, at voxels of 1.0 x 0.3 x 0.3 um; one slice in ten is black
or shifted, the stage jumps once. `from-images` renders the stacks and segments their slices with the shipped weights;
`from-truth` takes the slices of the truth, one in ten blank, with errors of networks. Limits: splits at most 1 %,
merges at most 2 %, both at most half of plain IoU stitching's, SEG at least 0.80, F1 of divisions (BC) at least 0.9,
TRA at least 0.98; exit code 1 if one is passed. `--keep` stores the slices' labels and takes them from there next time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from given_weights import known_weights

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "nuset_engine"))

from volume_scenes import Errors, Slice, count_errors, plain_stitching, slices_of

from nuset_engine.evaluation.metrics import seg
from nuset_engine.measure import measure
from nuset_engine.reconstruction.volume import reconstruct
from tracking.evaluation.challenge import challenge_scores, match_frame
from tracking.synthetic.movie import Movie, MovieFrame, MovieParams, simulate
from tracking.tracker import Tracker

VOXEL = (1.0, 0.3, 0.3)
SHAPE = (40, 380, 380)
ERRORS = Errors(blank_every=10, missed=0.01, fused=0.02, broken=0.02, ragged_px=1.0)


def movie_of(frames: int, seed: int) -> Movie:
    """The acini."""
    params = MovieParams(
        shape=SHAPE,
        voxel_size_um=VOXEL,
        nuclei=60,
        clusters=2,
        frames=frames,
        divisions=max(1, frames // 2),
        deaths=1,
        stage_jumps=1,
        missed_slices=frames * SHAPE[0] // 10,
    )
    return simulate(params, seed)


def from_truth(movie: Movie) -> Iterator[list[Slice]]:
    """Slices of the truth with the errors of networks."""
    for frame in movie.frames:
        yield slices_of(movie.render(frame)[1], np.random.default_rng(frame.t), ERRORS)


def from_images(movie: Movie, weights: str) -> Iterator[list[Slice]]:
    """Slices as the engine sees them in the rendered images."""
    from nuset_engine.segment import Segmenter

    segmenter = Segmenter(weights)
    for frame in movie.frames:
        image, _ = movie.render(frame)
        yield [Slice(found.labels, found.scores) for found in segmenter.segment_stack(image)]


def kept(path: Path, source: Iterator[list[Slice]]) -> Iterator[list[Slice]]:
    """Slices from a file; where there is none, from their source and into the file."""
    if not path.exists():
        arrays: dict[str, Any] = {}
        for t, slices in enumerate(source):
            arrays[f"labels{t}"] = np.stack([s.labels for s in slices]).astype(np.uint16)
            arrays[f"scores{t}"] = np.concatenate([s.scores for s in slices])
            sys.stderr.write(f"frame {t} segmented\n")
        np.savez_compressed(path, **arrays)
    with np.load(path) as arrays:
        for t in range(len(arrays.files) // 2):
            labels = arrays[f"labels{t}"].astype(np.int32)
            ends = np.cumsum([plane.max() for plane in labels])
            yield [Slice(*both) for both in zip(labels, np.split(arrays[f"scores{t}"], ends[:-1]), strict=True)]


class Judge:
    """Counts of all frames, and the tracks that the tracker makes of them."""

    def __init__(self, movie: Movie) -> None:
        self.movie, self.tracker = movie, Tracker()
        self.rows: list[dict[str, float]] = []
        self.matches: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self.nuclei: list[pd.DataFrame] = []
        self.ids: dict[tuple[int, int], int] = {}
        self.parents: dict[int, int | None] = {}

    def add(self, frame: MovieFrame, slices: list[Slice]) -> None:
        """Reconstruct, measure, track and compare one frame."""
        image, truth = self.movie.render(frame)
        volume = reconstruct(slices, VOXEL, planes=image)
        for method, labels in (("ours", volume.labels), ("plain", plain_stitching(slices))):
            counts = count_errors(truth, labels)
            score = seg(truth, labels)
            self.rows.append({"method": method, "splits": counts.splits, "merges": counts.merges, "SEG": score})
        self.matches += [((frame.t, a), (frame.t, b)) for a, b in match_frame(truth, volume.labels).pairs.tolist()]
        nuclei = measure(volume, {0: image}, 0, VOXEL, frame.t)
        self.nuclei.append(nuclei.table.assign(t=frame.t))
        self._note(self.tracker.advance(nuclei))

    def _note(self, update: Any) -> None:
        for frame in update.frames:
            nodes = ((frame.t, label) for label in frame.labels.tolist())
            self.ids.update(zip(nodes, frame.track_ids.tolist(), strict=True))
        self.parents.update({track.track_id: track.parent_track_id for track in update.tracks})

    def table(self) -> pd.DataFrame:
        """Mean of both methods, and the measures of the tracks for ours."""
        self._note(self.tracker.finish())
        found = pd.concat(self.nuclei, ignore_index=True)
        found["track_id"] = [self.ids[node] for node in zip(found["t"], found["label"], strict=True)]
        found["parent_track_id"] = found["track_id"].map(self.parents).fillna(0).astype(int)
        scores = challenge_scores(self.movie.table(), found, self.matches)
        table = pd.DataFrame(self.rows).groupby("method", sort=False).mean()
        names = ["TRA", "DET", "BC", "division_precision", "division_recall"]
        return table.assign(**{name: [scores[name], np.nan] for name in names})


def faults(table: pd.DataFrame) -> list[str]:
    """The limits that are passed."""
    ours, plain = table.loc["ours"], table.loc["plain"]
    above = {"splits": min(0.01, plain["splits"] / 2), "merges": min(0.02, plain["merges"] / 2)}
    below = {"SEG": 0.80, "TRA": 0.98, "BC": 0.9}
    said = [f"{name} {ours[name]:.2%} is above {limit:.2%}" for name, limit in above.items() if ours[name] > limit]
    return said + [f"{name} {ours[name]:.3f} is below {limit}" for name, limit in below.items() if ours[name] < limit]


def main() -> int:
    """Print the table and the faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slices", choices=("from-images", "from-truth"), default="from-images")
    parser.add_argument("--weights", type=known_weights, default="fluorescence")
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    movie = movie_of(args.frames, args.seed)
    source = from_truth(movie) if args.slices == "from-truth" else from_images(movie, args.weights)
    judge = Judge(movie)
    for frame, slices in zip(movie.frames, kept(args.keep, source) if args.keep else source, strict=True):
        judge.add(frame, slices)
    table = judge.table()
    print(table.round(4).to_string())
    said = faults(table)
    print("\n".join(said) or "all limits kept")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
