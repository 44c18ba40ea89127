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
import pandas as pd
from bench_tracking import disturbed, embryo, thinned
from doubt_movies import FITTED, MOVIES, seen
from doubt_truth import Graph, Judgement, Node, Truth, graph_of, truth_of, truth_of_positions
from scipy.stats import chi2

from nuset_engine.nuclei import Nuclei
from nuset_engine.weights import find_weights
from tracking.doubts.curves import Curves, fit, probability
from tracking.doubts.judge import Evidence, link_evidence, stage_of
from tracking.doubts.model import FAULTS, DoubtModel
from tracking.doubts.of_nuclei import nucleus_features
from tracking.doubts.told import FrameDoubts
from tracking.tracker import Tracker

CROP = 0.6
"""Share of the nuclei that a cropped movie still shows."""
MEMORY = 4
MODEL = Path(__file__).resolve().parents[2] / "tracking" / "doubts" / "model.json"


@dataclass
class Decision:
    """One decision with its evidence, and the nuclei that it is about."""

    kind: str
    stage: str
    nodes: tuple[Node, ...]
    features: dict[str, float]


class Watched(Tracker):
    """A tracker whose evidence is kept; `model` gives the doubts of nuclei that those of links rest on."""

    def __init__(self, model: DoubtModel | None) -> None:
        super().__init__()
        self.model, self.seen = model, list[Decision]()

    def _judge(self, index: int) -> FrameDoubts:
        frames, frame = self._memory.frames, self._memory.frames[index]
        stage = stage_of(frames, index)
        features = nucleus_features(frames, index)
        nodes = [(frame.t, int(label)) for label in frame.labels]
        if self.model is None:
            self._keep("nucleus", stage, Evidence(np.arange(len(frame)), features), nodes)
            return FrameDoubts(frame.t, frame.labels, frame.doubt, frame.fault, frame.link_doubt, frame.end_doubt)
        frame.wrong = self.model.curves["nucleus", stage].logit(features, len(frame))
        for kind, evidence in link_evidence(frames, index, [one.wrong for one in frames]).items():
            self._keep(kind, "settled" if kind == "end" else stage, evidence, nodes)
        return FrameDoubts(frame.t, frame.labels, frame.doubt, frame.fault, frame.link_doubt, frame.end_doubt)

    def _keep(self, kind: str, stage: str, evidence: Evidence, nodes: list[Node]) -> None:
        names, columns = list(evidence.features), list(evidence.features.values())
        for at, rows in enumerate(evidence.rows.reshape(len(evidence.rows), -1).tolist()):
            values = {name: float(column[at]) for name, column in zip(names, columns, strict=True)}
            self.seen.append(Decision(kind, stage, tuple(nodes[row] for row in rows), values))


def tracked(frames: Sequence[Nuclei], tracker: Tracker) -> pd.DataFrame:
    """Rows with t, label, track_id, parent_track_id."""
    ids: dict[Node, int] = {}
    parents: dict[int, int | None] = {}
    for update in (*(tracker.advance(nuclei) for nuclei in frames), tracker.finish()):
        for frame in update.frames:
            for label, track in zip(frame.labels.tolist(), frame.track_ids.tolist(), strict=True):
                ids[frame.t, label] = track
        for gone in update.removed_tracks:
            parents.pop(gone, None)
        parents.update({track.track_id: track.parent_track_id for track in update.tracks})
    rows = [(t, label, track, parents[track]) for (t, label), track in ids.items()]
    return pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])


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
        table = tracked(frames, tracker)
        graph = graph_of(table)
        is_cropped = name.endswith("/cropped")
        judgement = Judgement(truth, graph, MEMORY if is_cropped else None)
        for one in tracker.seen:
            wrong = verdict(one, judgement, graph)
            nuclei_known = not (is_cropped or name.startswith("embryo"))
            if wrong is not None and (nuclei_known or one.kind != "nucleus"):
                fault = truth.faults.get(one.nodes[0], "")
                movie = name.removesuffix("/cropped")
                kept.setdefault((one.kind, one.stage), []).append((one.features, wrong, movie, fault))
    found = {}
    for key, rows in kept.items():
        names = sorted({name for row in rows for name in row[0]})
        features = {name: np.array([row[0].get(name, np.nan) for row in rows]) for name in names}
        wrong, movie = np.array([row[1] for row in rows], np.float64), np.array([row[2] for row in rows])
        found[key] = Sample(features, wrong, movie, np.array([row[3] for row in rows], object))
    return found


def verdict(one: Decision, judgement: Judgement, graph: Graph) -> bool | None:
    """Whether it is wrong; None where nobody knows, or it was taken back later."""
    node = one.nodes[0]
    if one.kind == "nucleus":
        return judgement.nucleus(node)
    if one.kind == "link":
        before = graph.before.get(node)
        return None if before is None else judgement.link(before, node)
    if one.kind == "missed":
        before = graph.before.get(node)
        return None if before is None or before[0] == node[0] - 1 else judgement.missed(before, node)
    if one.kind == "division":
        mother = graph.mother.get(one.nodes[-1])
        return None if mother is None else judgement.division(mother, graph.daughters[mother])
    if one.kind == "birth":
        return None if node in graph.before or node in graph.mother else judgement.birth(node)
    goes_on = node in graph.before.values() or node in graph.daughters
    return None if goes_on else judgement.end(node)


def fitted(sample: Sample) -> Curves:
    """Curves, then corrected by what they say of movies that they were not fitted to."""
    weight = weights(sample)
    held = held_out(sample)
    known = np.isfinite(held)
    line = fit({"logit": held[known]}, sample.wrong[known], knots=2, smooth=0.01, weight=weight[known])
    curves = fit(sample.features, sample.wrong, weight=weight)
    slope, shift = _line(line)
    scaled = {
        name: type(c)(c.knots, np.round(slope * c.values, 4), round(slope * c.unknown, 4))
        for name, c in curves.curves.items()
    }
    return Curves(round(slope * curves.constant + shift, 4), scaled)


def weights(sample: Sample) -> np.ndarray:
    """The embryo's many positions together count like a few movies."""
    return np.where(np.char.startswith(sample.movie.astype(str), "embryo"), 0.1, 1.0)


def _line(curves: Curves) -> tuple[float, float]:
    curve = curves.curves["logit"]
    slope = float((curve.values[-1] - curve.values[0]) / max(curve.knots[-1] - curve.knots[0], 1e-9))
    slope = float(np.clip(slope, 0.3, 1.2))
    return slope, float(curves.constant + curve.values[0] - slope * curve.knots[0])


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


def curve(stated: np.ndarray, wrong: np.ndarray) -> list[dict[str, float]]:
    """Stated against observed, in bins of a tenth, with the interval in which the true rate lies at 95 %."""
    found = []
    for low in np.arange(0.0, 1.0, 0.1):
        here = (stated >= low) & (stated < low + 0.1)
        if here.any():
            share, count = float(wrong[here].mean()), int(here.sum())
            below, above = wilson(share, count)
            found.append(
                {
                    "stated": round(float(stated[here].mean()), 3),
                    "observed": round(share, 3),
                    "from": round(below, 3),
                    "to": round(above, 3),
                    "decisions": count,
                }
            )
    return found


def by_chance(bins: Sequence[dict[str, float]]) -> str:
    """Whether what was observed between 0.1 and 0.9 is off by more than chance, over all bins (chi-square).

    Independent decisions are assumed; those of one chain of errors are not, so that chance does more than this says.
    """
    middle = [one for one in bins if 0.1 <= one["stated"] < 0.9]
    off = sum((b["observed"] - b["stated"]) ** 2 * b["decisions"] / (b["stated"] * (1 - b["stated"])) for b in middle)
    return f"chi-square {off:.1f} in {len(middle)} bins, p = {chi2.sf(off, len(middle)):.2f}"


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a rate that was observed as `share` in `count` cases."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * float(np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)))
    return middle - half, middle + half


def area(score: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a wrong decision is doubted more than a right one."""
    order = np.argsort(score)
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    bad = wrong > 0
    if not bad.any() or bad.all():
        return float("nan")
    return float((rank[bad].mean() - (bad.sum() + 1) / 2) / (~bad).sum())


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
    logit = held_out(sample)
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
