"""Fit the model of doubts to movies with known truth, and write it into the package with its manifest.

    python tests/benchmarks/calibrate_doubts.py FOLDER [--write]

Rendered movies come from FOLDER (`doubt_movies.py`; made where they are missing), the embryo from NUSETD_DATA (default
../shared/data) where it is there. To be done again when the weights change. Without `--write` it only says how well it
would do on movies that it was not fitted to (each left out in turn).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from bench_tracking import disturbed, embryo, thinned
from doubt_movies import FITTED, MOVIES, seen
from doubt_scores import area, curve
from doubt_truth import Graph, Judgement, Node, Truth, truth_of, truth_of_positions, verdict

from nuset_engine.nuclei import Nuclei
from nuset_engine.weights import find_weights
from tracking.doubts.curves import Curve, Curves, calibration, fit, probability
from tracking.doubts.judge import Evidence, link_evidence, stage_of
from tracking.doubts.model import FAULTS, DoubtModel
from tracking.doubts.of_nuclei import nucleus_features
from tracking.doubts.told import FrameDoubts
from tracking.evidence.frame import Frame
from tracking.tracker import Tracker

CROP = 0.6
"""Share of the nuclei that a cropped movie still shows."""
MEMORY = 4
MODEL = Path(__file__).resolve().parents[2] / "tracking" / "doubts" / "model.json"


@dataclass
class Decision:
    """One decision with its evidence, the nucleus that it is about, and what was connected when it was judged."""

    kind: str
    stage: str
    node: Node
    graph: Graph
    features: dict[str, float]


class Watched(Tracker):
    """A tracker whose evidence is kept; `model` gives the doubts of nuclei that those of links rest on."""

    def __init__(self, model: DoubtModel | None) -> None:
        super().__init__()
        self.model, self.seen = model, list[Decision]()

    def _judge(self, index: int) -> FrameDoubts:
        frames, frame = self._memory.frames, self._memory.frames[index]
        stage, graph = stage_of(frames, index), connected(frames)
        features = nucleus_features(frames, index)
        nodes = [(frame.t, int(label)) for label in frame.labels]
        if self.model is None:
            self._keep("nucleus", stage, Evidence(np.arange(len(frame)), features), nodes, graph)
            return FrameDoubts(frame.t, frame.labels, frame.doubt, frame.fault, frame.link_doubt, frame.end_doubt)
        frame.wrong = self.model.curves["nucleus", stage].logit(features, len(frame))
        for kind, evidence in link_evidence(frames, index, [one.wrong for one in frames]).items():
            self._keep(kind, "settled" if kind == "end" else stage, evidence, nodes, graph)
        return FrameDoubts(frame.t, frame.labels, frame.doubt, frame.fault, frame.link_doubt, frame.end_doubt)

    def _keep(self, kind: str, stage: str, evidence: Evidence, nodes: list[Node], graph: Graph) -> None:
        names, columns = list(evidence.features), list(evidence.features.values())
        for at, rows in enumerate(evidence.rows.reshape(len(evidence.rows), -1).tolist()):
            values = {name: float(column[at]) for name, column in zip(names, columns, strict=True)}
            self.seen.append(Decision(kind, stage, nodes[rows[-1]], graph, values))


def connected(frames: list[Frame]) -> Graph:
    """What the tracker has connected by now, as far as it remembers."""
    before: dict[Node, Node] = {}
    mother: dict[Node, Node] = {}
    for index, frame in enumerate(frames):
        for row in np.flatnonzero((frame.back > 0) & (frame.back <= index)).tolist():
            past = frames[index - int(frame.back[row])]
            found = mother if frame.newborn[row] else before
            found[frame.t, int(frame.labels[row])] = (past.t, int(past.labels[frame.row[row]]))
    return Graph(before, mother, frozenset())


def sources(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, list[Nuclei], Truth]]:
    """Movies with their truth: rendered ones, and the embryo with errors added."""
    for name in names:
        frames = seen(name, folder)
        truth = truth_of(MOVIES[name].movie(), frames)
        yield name, [frame.nuclei for frame in frames], truth
        yield cropped(name, [frame.nuclei for frame in frames], truth)
    table = embryo()
    if table is None:
        sys.stderr.write("without the embryo: NUSETD_DATA has none\n")
        return
    for step in (1, 3, 5):
        part = thinned(table, step)
        rows = disturbed(part, seed=step)
        frames = []
        for t, group in rows.groupby("t"):
            places = group[["z", "y", "x"]].to_numpy(np.float64)
            known = {"equivalent_diameter_um": group["diameter"].to_numpy(), "label": group["label"].to_numpy()}
            frames.append(Nuclei.from_positions(int(t) // step, places, "um", **known))
        rows, part = rows.assign(t=rows["t"] // step), part.assign(t=part["t"] // step)
        yield f"embryo-{step}", frames, truth_of_positions(part, rows)


def cropped(name: str, frames: Sequence[Nuclei], truth: Truth) -> tuple[str, list[Nuclei], Truth]:
    """The same movie through a smaller field, which nuclei enter and leave."""
    all_y = np.concatenate([nuclei.table["centroid_y_um"].to_numpy() for nuclei in frames])
    cut = float(np.quantile(all_y, CROP))
    part = replace(truth, tracks={}, faults={})
    kept = []
    for nuclei in frames:
        table = nuclei.table[nuclei.table["centroid_y_um"] < cut].copy()
        reach = table["centroid_y_um"] + table["equivalent_diameter_um"] / 2
        table["touches_border"] = table["touches_border"] | (reach > cut)
        kept.append(replace(nuclei, table=table))
        for label in table["label"].tolist():
            part.tracks[nuclei.t, label] = truth.tracks[nuclei.t, label]
            if (nuclei.t, label) in truth.faults:
                part.faults[nuclei.t, label] = truth.faults[nuclei.t, label]
    return f"{name}/cropped", kept, part


@dataclass
class Sample:
    """All decisions of one kind and stage: features (D,), whether each was wrong, and the movie that it is of."""

    features: dict[str, np.ndarray]
    wrong: np.ndarray
    movie: np.ndarray
    fault: np.ndarray = field(default_factory=lambda: np.zeros(0, object))

    def part(self, rows: np.ndarray) -> Sample:
        """Some of them."""
        return Sample(
            {n: v[rows] for n, v in self.features.items()}, self.wrong[rows], self.movie[rows], self.fault[rows]
        )


def samples(
    movies: Sequence[tuple[str, list[Nuclei], Truth]], model: DoubtModel | None
) -> dict[tuple[str, str], Sample]:
    """Decisions of nuclei (without a model), or of links (with one for nuclei)."""
    kept: dict[tuple[str, str], list[tuple[dict[str, float], bool, str, str]]] = {}
    for name, frames, truth in movies:
        tracker = Watched(model)
        for nuclei in frames:
            tracker.advance(nuclei)
        tracker.finish()
        is_cropped = name.endswith("/cropped")
        judgement = Judgement(truth, MEMORY if is_cropped else None)
        for one in tracker.seen:
            wrong = verdict(one.kind, one.node, one.graph, judgement)
            nuclei_known = not (is_cropped or name.startswith("embryo"))
            if wrong is not None and (nuclei_known or one.kind != "nucleus"):
                fault = truth.faults.get(one.node, "")
                movie = name.removesuffix("/cropped")
                kept.setdefault((one.kind, one.stage), []).append((one.features, wrong, movie, fault))
    found = {}
    for key, rows in kept.items():
        names = sorted({name for row in rows for name in row[0]})
        features = {name: np.array([row[0].get(name, np.nan) for row in rows]) for name in names}
        wrong, movie = np.array([row[1] for row in rows], np.float64), np.array([row[2] for row in rows])
        found[key] = Sample(features, wrong, movie, np.array([row[3] for row in rows], object))
    return found


def fitted(sample: Sample) -> Curves:
    """Curves, with what to tell for them by what they say of movies that they were not fitted to."""
    curves = fit(sample.features, sample.wrong, weight=weights(sample))
    return replace(curves, calibration=told_for(sample, held_out(sample)))


def told_for(sample: Sample, held: np.ndarray) -> Curve:
    """What to tell for odds, from those of movies left out."""
    known = np.isfinite(held)
    return calibration(held[known], sample.wrong[known], weights(sample)[known])


def weights(sample: Sample) -> np.ndarray:
    """The embryo's many positions together count like a few movies."""
    return np.where(np.char.startswith(sample.movie.astype(str), "embryo"), 0.1, 1.0)


def held_out(sample: Sample) -> np.ndarray:
    """Logarithmic odds of each decision by curves that were fitted without its movie."""
    logit = np.full(len(sample.wrong), np.nan)
    for movie in np.unique(sample.movie):
        inside = sample.movie == movie
        rest = sample.part(~inside)
        if rest.wrong.sum() < 3:
            continue
        logit[inside] = fit(rest.features, rest.wrong, weight=weights(rest)).logit(
            sample.part(inside).features, int(inside.sum())
        )
    return logit


def calibrate(folder: Path, names: Sequence[str]) -> DoubtModel:
    """Fit everything, and print how well it does on what it was not fitted to."""
    movies = list(sources(folder, names))
    curves: dict[tuple[str, str], Curves] = {}
    scores: dict[str, Any] = {}
    nuclei = samples(movies, None)
    for (kind, stage), sample in nuclei.items():
        curves[kind, stage] = fitted(sample)
        scores[f"{kind}/{stage}"] = told(kind, stage, sample)
        for fault in FAULTS:
            this = Sample(sample.features, (sample.fault == fault).astype(np.float64), sample.movie, sample.fault)
            curves[fault, stage] = fit(this.features, this.wrong)
            scores[f"{fault}/{stage}"] = {"wrong": int(this.wrong.sum())}
    links = samples(movies, DoubtModel(curves, {}))
    for (kind, stage), sample in sorted(links.items()):
        curves[kind, stage] = fitted(sample)
        scores[f"{kind}/{stage}"] = told(kind, stage, sample)
    manifest = {
        "made_by": "tests/benchmarks/calibrate_doubts.py",
        "weights_sha256": find_weights("fluorescence").sha256,
        "movies": [name for name, *_ in movies],
        "scores": scores,
    }
    return DoubtModel(curves, manifest)


def told(kind: str, stage: str, sample: Sample) -> dict[str, Any]:
    """Scores on movies that were left out, printed."""
    odds = held_out(sample)
    logit = np.full(len(odds), np.nan)
    for movie in np.unique(sample.movie):
        inside = sample.movie == movie
        logit[inside] = told_for(sample, np.where(inside, np.nan, odds))(odds[inside])
    known = np.isfinite(logit)
    stated, wrong = probability(logit[known]), sample.wrong[known]
    auc, loss = area(stated, wrong), float(-np.mean(wrong * np.log(stated) + (1 - wrong) * np.log1p(-stated)))
    rate = float(wrong.mean())
    plain = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) if 0 < rate < 1 else 0.0
    print(
        f"{kind:9s} {stage:8s} decisions {len(wrong):6d}  wrong {int(wrong.sum()):5d}  AUC {auc:.3f}  "
        f"log loss {loss:.4f} (constant {plain:.4f})"
    )
    print(
        "   " + "  ".join(f"{b['stated']:.2f}:{b['observed']:.2f}({b['decisions']})" for b in curve(stated, wrong)),
        flush=True,
    )
    return {"decisions": len(wrong), "wrong": int(wrong.sum()), "area": round(auc, 4), "log_loss": round(loss, 4)}


def main() -> None:
    """Fit, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="into the package")
    parser.add_argument("--movies", nargs="*", default=list(FITTED))
    arguments = parser.parse_args()
    model = calibrate(arguments.folder, arguments.movies)
    if arguments.write:
        MODEL.write_text(json.dumps(model.as_dict(), sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"written: {MODEL}")


if __name__ == "__main__":
    main()
