"""Mitoses in rendered movies of acini: which the weights find, what labels of them divisions give, what these teach.

    python tests/benchmarks/bench_divisions.py [--movies 3] [--seed 0]
    python tests/benchmarks/bench_divisions.py --find [--movies 3] [--seed 0] [--min-score 0.4]
    python tests/benchmarks/bench_divisions.py --learn [--movies 3] [--seed 0] [--times 1]

Slices of the truth with errors of networks are reconstructed and tracked; a person confirms those divisions of the
tracker whose mother and daughters are those of a true one. `confirmed` are the labels that come of these, `undoubted`
those of all divisions that are hardly ever wrong, without any person. A label is right where the nucleus, matched by
overlap, is in mitosis at that time point in the simulation. A mitosis lasts two time points there; recall is over all
nuclei in mitosis.

With `--find`, the shipped weights look at movies drawn otherwise than what they learned from, in which nuclei die, too.
An event is linked over slices, and is that of the nucleus whose section its boxes fit best. Nuclei are counted in each
phase, and those that are found. A division is found where its mother is, in a time point of its mitosis; right is an
event of a mother in mitosis, or of a daughter while its chromatin is still condensed.

With `--learn`, `nusetd train --mode events --from-corrections` fine-tunes the shipped weights on the confirmed
divisions of one movie, which lasts `--times` as long and has as many times the divisions, and both weights are judged
on the movies of the next seeds: boxes of slices against the sections of nuclei in mitosis, at the usual least score and
at that of the best F1. Sections too small to be labelled, and daughters whose chromatin is still condensed, need not be
found, and are no errors.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "nuset_engine"))

from cases.stored_movie import stored_movie
from volume_scenes import Errors, slices_of

import storage
from daemon.cli import main as nusetd
from nuset_engine.arrays import IntsN, LabelsZYX
from nuset_engine.evaluation.event_scores import LEAST_IOU, EventScores, overlaps, score_events
from nuset_engine.events import EventDetector, linked
from nuset_engine.inference.proposals import Proposals
from nuset_engine.reconstruction.volume import reconstruct
from storage.export.mitotic_nuclei import mitotic_nuclei
from storage.query.snapshots import resolved, snapshot
from tracking.evaluation.challenge import match_frame
from tracking.synthetic.movie import Movie, MovieFrame, MovieParams, simulate

VOXEL = (1.5, 0.4, 0.4)
ERRORS = Errors(missed=0.01, fused=0.02, broken=0.02, ragged_px=1.0)
PARAMS = MovieParams(
    shape=(16, 200, 200), voxel_size_um=VOXEL, nuclei=24, clusters=2, frames=14, divisions=6, missed_slices=4
)
LAST_FRAMES = 2  # of a mother, in which a mitosis is labelled for training
LEAST_SCORES = tuple(round(0.05 * step, 2) for step in range(4, 19))
USUAL_SCORE = 0.4
SMALLEST = 0.125  # section of a mitosis that counts, in areas of a usual section of a nucleus
DEATHS = 4  # of nuclei in a movie in which mitoses are looked for
MOTHER, YOUNG, DYING = "mother, {} before the division", "daughter, time point {}", "dying"
INTERPHASE, NOTHING = "in interphase", "no nucleus"
CHOICES = {f"{which}, {n} frames": (which, n) for which in ("confirmed", "undoubted") for n in (1, 2)}


class Culture:
    """A movie as it is stored, and what it is in truth."""

    def __init__(self, movie: Movie, folder: Path) -> None:
        self.movie, self.folder = movie, folder
        rendered = [movie.render(frame) for frame in movie.frames]
        rng = np.random.default_rng(movie.seed)
        found = [reconstruct(slices_of(t, rng, ERRORS), VOXEL, planes=i).labels for i, t in rendered]
        stored_movie(folder, [image for image, _ in rendered], found, voxel=VOXEL)
        self.truth: dict[tuple[int, int], int] = {}
        for frame, (_, true), labels in zip(movie.frames, rendered, found, strict=True):
            numbers = np.union1d([0], labels)  # as they are stored
            for mine, label in match_frame(true, labels).pairs.tolist():
                node = (frame.t, int(np.searchsorted(numbers, label)))
                self.truth[node] = int(frame.track_ids[mine - 1])

    def confirm(self) -> int:
        """Have a person confirm what is right; how many divisions that are."""
        embryo = storage.open(self.folder)["embryo"]
        nuclei, tracks = embryo.nuclei(), embryo.tracks()
        true = {(one.parent, frozenset(one.daughters)) for one in self.movie.divisions}
        confirmed = 0
        for parent, born in tracks.dropna(subset=["parent_track_id"]).groupby("parent_track_id"):
            mother = nuclei[nuclei["track_id"] == parent].sort_values("t").iloc[-1]
            first = [nuclei[nuclei["track_id"] == d].sort_values("t").iloc[0] for d in born["track_id"]]
            of = [self.truth.get((int(one["t"]), int(one["label"]))) for one in (mother, *first)]
            if (of[0], frozenset(of[1:])) in true and first[0]["t"] == mother["t"] + 1:
                embryo.correct.divide(int(mother["t"]), int(mother["label"]), tuple(int(d["label"]) for d in first))
                confirmed += 1
        return confirmed

    def labels(self, which: str, frames: int) -> pd.Series:
        """Labels that divisions give, and how many of them are right."""
        with snapshot(self.folder) as connection:
            found = mitotic_nuclei(connection, resolved(connection, "embryo"), frames, which == "undoubted")
        nodes = [node for mother in found.mothers.values() for node in mother]
        mitotic = {node for node, name in phases(self.movie).items() if name.startswith("mother")}
        right = {(t, self.truth.get((t, label))) for t, label in nodes} & mitotic
        return pd.Series({"labels": len(nodes), "right": len(right), "mitotic nuclei": len(mitotic)})

    def learned(self, output: Path) -> None:
        """Weights that learned from the divisions that a person confirmed."""
        where = ["--output", str(output), "--database", str(self.folder)]
        how = ["--mode", "events", "--mitosis-frames", str(LAST_FRAMES), "--from-corrections", "embryo"]
        if code := nusetd(["train", *how, *where]):
            sys.exit(code)


def judged(movie: Movie, detectors: Mapping[str, EventDetector]) -> dict[str, dict[float, EventScores]]:
    """How well each finds the sections of nuclei in mitosis at each least score, over all time points of a movie."""
    scores = {name: dict.fromkeys(LEAST_SCORES, EventScores(0, 0, 0)) for name in detectors}
    phase = phases(movie)
    for frame in movie.frames:
        image, truth = movie.render(frame)
        names = named(frame, phase)
        ones, young = (
            [n for n, name in enumerate(names) if name.startswith(which)] for which in ("mother", "daughter")
        )
        usual = np.median([np.bincount(plane.ravel())[1:].max(initial=0) for plane in truth if plane.any()])
        events = np.where(np.isin(truth, ones), truth, 0)
        for name, detector in detectors.items():
            for whole, plane, found in zip(truth, events, detector.detect(list(image)), strict=True):
                areas = np.bincount(plane.ravel())
                small = (areas < SMALLEST * usual)[plane]
                sections = np.where(small, 0, plane)
                faint = np.where(small | np.isin(whole, young), whole, 0)
                for least in LEAST_SCORES:
                    scores[name][least] += score_events(sections, found.where(found.scores >= least), faint=faint)
    return scores


def phases(movie: Movie) -> dict[tuple[int, int], str]:
    """What each nucleus is that is not in interphase, by time point and track."""
    pace, found = movie.params.pace, {}
    for frame in movie.frames:  # one may die after the last frame, so not by where tracks end
        condensed = frame.track_ids[frame.shapes.condensation > 0]
        found |= {(frame.t, track): DYING for track in condensed.tolist()}
    for one in movie.divisions:
        found |= {(one.t + k, each): YOUNG.format(k + 1) for each in one.daughters for k in range(pace.recovery)}
    for one in movie.divisions:
        found |= {(one.t - k, one.parent): MOTHER.format(k) for k in range(1, pace.mitosis + 1)}
    return found


def named(frame: MovieFrame, phase: Mapping[tuple[int, int], str]) -> list[str]:
    """What the nuclei of a time point are, by label; 0 is no nucleus."""
    return [NOTHING, *(phase.get((frame.t, int(track)), INTERPHASE) for track in frame.track_ids)]


def owners(truth: LabelsZYX, slices: Sequence[Proposals], numbers: Sequence[IntsN]) -> list[int]:
    """For each linked event the label of the nucleus whose section a box of it fits best; 0 where it fits none."""
    count = max((int(mine.max(initial=0)) for mine in numbers), default=0) + 1
    shared = overlaps(truth, slices, numbers, count)[:, 1:]
    best: list[int] = np.where(shared.max(axis=0) >= LEAST_IOU, shared.argmax(axis=0), 0).tolist()
    return best


def find(seed: int, movies: int, min_score: float) -> None:
    """Print what the shipped weights find, by phase."""
    detector = EventDetector("mitosis", min_score=min_score)
    there: Counter[str] = Counter()
    found: Counter[str] = Counter()
    events: Counter[str] = Counter()
    divisions: set[tuple[int, int]] = set()
    true = 0
    for own in range(seed, seed + movies):
        movie = simulate(replace(PARAMS, deaths=DEATHS), own)
        true += len(movie.divisions)
        phase = phases(movie)
        for frame in movie.frames:
            image, truth = movie.render(frame)
            slices = list(detector.detect(list(image)))
            names = named(frame, phase)
            seen = owners(truth, slices, linked(slices))
            there.update(names[label] for label in np.unique(truth[truth > 0]).tolist())
            events.update(names[label] for label in seen)
            found.update(names[label] for label in set(seen) - {0})
            mothers = {int(frame.track_ids[label - 1]) for label in seen if names[label].startswith("mother")}
            divisions |= {(own, mother) for mother in mothers}
    table = pd.DataFrame({"nuclei": there, "found": found, "events": events}).fillna(0).astype(int).sort_index()
    right = sum(n for name, n in events.items() if name.startswith(("mother", "daughter")))
    print(table.to_string())
    print(f"{len(divisions)} of {true} divisions are found; {right} of {events.total()} events right")


def learn(seed: int, movies: int, times: int) -> pd.DataFrame:
    """Scores of the shipped weights, and of those that learned from one movie, on the movies after it."""
    long = replace(PARAMS, frames=times * PARAMS.frames, divisions=times * PARAMS.divisions)
    with tempfile.TemporaryDirectory() as folder:
        taught = Culture(simulate(long, seed), Path(folder) / "out")
        confirmed = taught.confirm()
        own = Path(folder) / "own.npz"
        taught.learned(own)
        weights = {"mitosis": "mitosis", f"and {confirmed} divisions": str(own)}
        detectors = {name: EventDetector(each, min_score=LEAST_SCORES[0]) for name, each in weights.items()}
        found = [judged(simulate(PARAMS, other), detectors) for other in range(seed + 1, seed + 1 + movies)]
    rows = {}
    for name in detectors:
        total = {least: sum((one[name][least] for one in found), EventScores(0, 0, 0)) for least in LEAST_SCORES}
        usual, best = total[USUAL_SCORE], max(LEAST_SCORES, key=lambda least: total[least].f1)
        rows[name] = {"sections": usual.true_count, "precision": usual.precision, "recall": usual.recall}
        rows[name] |= {"f1": usual.f1, "best f1": total[best].f1, "at the least score": best}
    return pd.DataFrame(rows).T


def label(seed: int, movies: int) -> None:
    """Print a row for each choice of divisions and frames, over all movies."""
    totals = {name: pd.Series(0, ["labels", "right", "mitotic nuclei"]) for name in CHOICES}
    true = confirmed = 0
    for own in range(seed, seed + movies):
        with tempfile.TemporaryDirectory() as folder:
            culture = Culture(simulate(PARAMS, own), Path(folder) / "out")
            alone = {name: culture.labels(*c) for name, c in CHOICES.items() if c[0] == "undoubted"}
            confirmed += culture.confirm()
            true += len(culture.movie.divisions)
            for name, choice in CHOICES.items():
                totals[name] += alone.get(name) if name in alone else culture.labels(*choice)
    table = pd.DataFrame(totals).T
    table["precision"] = table["right"] / table["labels"].clip(lower=1)
    table["recall"] = table["right"] / table["mitotic nuclei"]
    print(f"{true} divisions, of which {confirmed} were confirmed")
    print(table.round(3).to_string())


def main() -> None:
    """Judge what is found, labels, or what is learned of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--find", action="store_true")
    what.add_argument("--learn", action="store_true")
    parser.add_argument("--movies", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=int, default=1, help="length of the movie that is learned from")
    parser.add_argument("--min-score", type=float, default=USUAL_SCORE, help="least confidence of what is found")
    arguments = parser.parse_args()
    if arguments.find:
        find(arguments.seed, arguments.movies, arguments.min_score)
    elif arguments.learn:
        print(learn(arguments.seed, arguments.movies, arguments.times).round(3).to_string())
    else:
        label(arguments.seed, arguments.movies)


if __name__ == "__main__":
    main()
