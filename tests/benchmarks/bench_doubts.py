"""What a person gains by looking at doubts first: acini rendered, processed, doubted, corrected, and scored.

    python tests/benchmarks/bench_doubts.py FOLDER [MOVIE ...]

Five acini movies (`doubt_movies.JUDGED`), to which the model of doubts was not fitted, go through `nusetd process`;
what is in FOLDER already is taken from there. Of each, the first 20 entries of `nusetd doubts` are compared with the
truth, and with 20 decisions at random. Those that are wrong are then corrected as the truth says, by the machinery of
`nusetd correct`. Judged: the first 20 hold at least half of the corrections that the movie needs or, where more than 40
are needed, at least 14 of them are real; after them at least half of the wrong divisions and 40 % of the wrong links
are gone. Exit code 1 if not. How well doubts are calibrated: `bench_doubt_calibration.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from doubt_movies import JUDGED, SeenFrame, compared
from doubt_truth import Graph, Judgement, Node, Truth, graph_of, kind_of, truth_of

import storage
from daemon.cli import main as nusetd
from nuset_engine.nuclei import Nuclei
from storage.corrections.asking import Corrector
from storage.database.catalog import Catalog
from storage.database.renewal.replay import replay
from storage.database.renewal.staged_tracks import pieces
from storage.doubts.decisions import DoubtfulDecision
from storage.doubts.listing import doubts
from storage.errors import StorageError
from storage.query.snapshots import resolved, snapshot
from storage.results import AcquisitionResults
from tracking.synthetic.movie import Movie

TOP = 20
NEAR_UM = 12.0
"""Errors this near each other are one chain where they are of one time point, or links within `SPAN` time points."""
SPAN = 2


def processed(name: str, folder: Path) -> AcquisitionResults:
    """Results of a movie, made where they are missing; tracks and doubts as they are made now."""
    place = folder / name
    if not (place / "nusetd.sqlite").exists():
        place.mkdir(parents=True, exist_ok=True)
        recipe, path = JUDGED[name], place / f"{name}.ome.tif"
        movie = recipe.movie()
        z, y, x = recipe.params.voxel_size_um
        facts = {"axes": "TZYX", "PhysicalSizeX": x, "PhysicalSizeY": y, "PhysicalSizeZ": z, "TimeIncrement": 300.0}
        facts |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
        stacks = np.stack([movie.render(frame, recipe.optics)[0] for frame in movie.frames])
        tifffile.imwrite(path, stacks, ome=True, metadata=facts, compression="zlib")
        if nusetd(["process", str(path), "--output", str(place)]):
            sys.exit(f"{path} could not be processed")
    found = storage.open(place)
    one = found[int(found.acquisitions()["id"].iloc[0])]
    if len(one.correct.list()) == 0:
        retrack(place, one)
    return one


def retrack(place: Path, one: AcquisitionResults) -> None:
    """Make tracks and doubts anew."""
    with snapshot(one.url) as connection:
        replayed = replay(connection, one.about.id, None)
    with Catalog.open(place) as catalog:
        catalog.clear_staged(one.about.id)
        for piece in pieces(one.about.id, replayed):
            catalog.stage(one.about.id, piece)
        catalog.make_current(one.about.id, replayed)


@dataclass
class Scene:
    """A movie as it is found now, beside the truth."""

    movie: Movie
    results: AcquisitionResults
    truth: Truth
    graph: Graph
    judgement: Judgement
    places: dict[Node, np.ndarray]
    true_places: dict[Node, np.ndarray]
    frames: list[SeenFrame]

    @classmethod
    def of(cls, movie: Movie, results: AcquisitionResults, known: Scene | None = None, t: int = -1) -> Scene:
        """Look at it; where another look is `known`, only at labels of time point `t`, and at all rows."""
        table, tracks = results.nuclei(), results.tracks().set_index("track_id")
        table["parent_track_id"] = table["track_id"].map(tracks["parent_track_id"])
        labels = results.stored_labels()
        frames: list[SeenFrame] = []
        for index, frame in enumerate(movie.frames):
            if known is not None and frame.t != t:
                frames.append(known.frames[index])
            else:
                true, found = movie.render(frame)[1], np.asarray(labels[frame.t])
                frames.append(compared(Nuclei.empty(frame.t), true, found))
        truth = truth_of(movie, frames)
        for node in zip(table["t"].tolist(), table["label"].tolist(), strict=True):
            truth.tracks.setdefault(node, frozenset())
        graph = graph_of(table)
        columns = ["centroid_z_um", "centroid_y_um", "centroid_x_um"]
        places = {
            (int(t), int(label)): np.array(place)
            for t, label, *place in table[["t", "label", *columns]].itertuples(index=False)
        }
        true_places = {
            (frame.t, int(track)): centre
            for frame in movie.frames
            for track, centre in zip(frame.track_ids, frame.shapes.centres_um, strict=True)
        }
        return cls(movie, results, truth, graph, Judgement(truth), places, true_places, frames)

    def is_wrong(self, decision: DoubtfulDecision) -> bool:
        """Whether a doubt is real."""
        node = decision.node
        if decision.group == "nucleus":
            return node in self.truth.faults
        if decision.kind == "link":
            verdict = self.judgement.link(self.graph.before[node], node) if node in self.graph.before else None
        elif decision.kind == "missed":
            verdict = self.judgement.missed(self.graph.before[node], node) if node in self.graph.before else None
        elif decision.kind == "division":
            mother = self.graph.mother.get(node)
            verdict = None if mother is None else self.judgement.division(mother, self.graph.daughters[mother])
        else:
            verdict = self.judgement.birth(node) if decision.kind == "birth" else self.judgement.end(node)
        return node in self.truth.faults if verdict is None else verdict

    def errors(self) -> list[tuple[bool, int, np.ndarray]]:
        """Everything that is wrong: about a link?, time point, place."""
        found = [(False, node[0], self.places[node]) for node in self.truth.faults if node in self.places]
        found += [(False, t, self.true_places[t, track]) for t, track in self.truth.missed]
        graph, judge = self.graph, self.judgement
        followed = set(graph.before.values()) | set(graph.daughters)
        last = max(t for t, _ in graph.nodes)
        first = min(t for t, _ in graph.nodes)
        for node in graph.nodes:
            if node in graph.before and judge.link(graph.before[node], node):
                found.append((True, node[0], self.places[node]))
            begins = node not in graph.before and node not in graph.mother and node[0] > first
            if (begins and judge.birth(node)) or (node not in followed and node[0] < last and judge.end(node)):
                found.append((True, node[0], self.places[node]))
        for mother, born in graph.daughters.items():
            if judge.division(mother, born):
                found.append((True, mother[0], self.places[mother]))
        return found

    def chains(self) -> list[list[tuple[bool, int, np.ndarray]]]:
        """The same, what one correction mends together: first nuclei at one place and time, then links around them."""
        chains: list[list[tuple[bool, int, np.ndarray]]] = []
        for is_link, t, place in sorted(self.errors(), key=lambda one: (one[0], one[1], *one[2])):
            for chain in chains:
                if any(_together(is_link, t, place, *other) for other in chain):
                    chain.append((is_link, t, place))
                    break
            else:
                chains.append([(is_link, t, place)])
        return chains

    def scores(self) -> dict[str, float]:
        """Wrong and missing links and divisions, and F1 of both."""
        true_links, true_divisions = set(), set()
        at: dict[int, set[int]] = {frame.t: set(frame.track_ids.tolist()) for frame in self.movie.frames}
        times = [frame.t for frame in self.movie.frames]
        for one, two in pairwise(times):
            for track in at[two]:
                before = track if track in at[one] else self.truth.parents.get(track, -1)
                if before in at[one]:
                    true_links.add((one, before, two, track))
        true_divisions = set(self.truth.parents.values())
        edges = [(a, b) for b, a in (*self.graph.before.items(), *self.graph.mother.items())]
        right = set()
        for one, two in edges:
            for x in self.truth.tracks[one]:
                for y in self.truth.tracks[two]:
                    if x == y or self.truth.parents.get(y) == x:
                        right.add((one[0], x, two[0], y))
        right &= true_links
        judged = {m: self.judgement.division(m, d) for m, d in self.graph.daughters.items()}
        good = {
            self.truth.parents[k]
            for m, wrong in judged.items()
            if not wrong
            for d in self.graph.daughters[m]
            for k in self.truth.tracks[d]
            if k in self.truth.parents
        }
        wrong_divisions = sum(bool(wrong) for wrong in judged.values()) + len(true_divisions - good)
        wrong_links = len(edges) - len(right) + len(true_links - right)
        return {
            "wrong_links": float(max(wrong_links, 0)),
            "wrong_divisions": float(wrong_divisions),
            "link_f1": 2 * len(right) / (len(edges) + len(true_links)),
            "division_f1": 2 * len(good) / max(len(judged) + len(true_divisions), 1),
            "nuclei_wrong": float(len(self.truth.faults) + len(self.truth.missed)),
        }


def _together(is_link: bool, t: int, place: np.ndarray, other_link: bool, other_t: int, other: np.ndarray) -> bool:
    span = SPAN if is_link or other_link else 0
    return abs(t - other_t) <= span and float(np.linalg.norm(place - other)) <= NEAR_UM


class Mender:
    """Says what the truth says, through the machinery of corrections."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.corrector = Corrector(scene.results.url, scene.results.about.id, author="truth")
        self.said = 0

    def mend(self, decision: DoubtfulDecision) -> None:
        """Put one wrong decision right; what cannot be said is left."""
        with suppress(StorageError):
            if decision.kind == "missed":
                self._gap(decision.node)
                return
            fault = self.scene.truth.faults.get(decision.node)
            if fault is None:
                self._link(decision)
                return
            self._whole(decision.node, fault)

    def _whole(self, node: Node, fault: str) -> None:
        """Put a nucleus right, and the tracks that go through it."""
        tracks = self.scene.truth.tracks[node]
        self._nucleus(node, fault)
        self._look(node[0], tracks)

    def _look(self, t: int, tracks: Collection[int]) -> None:
        self.scene = Scene.of(self.scene.movie, self.scene.results, self.scene, t)
        for track in sorted(tracks):
            self._join(t, track)

    def _gap(self, node: Node) -> None:
        """Whoever looks at the gap of a track sees the nucleus that is there, found otherwise or not at all."""
        before, tracks = self.scene.graph.before.get(node), self.scene.truth.tracks[node]
        if before is None:
            return
        (track, *_) = sorted(self.scene.truth.tracks[before] & tracks) or sorted(tracks)
        for t in range(before[0] + 1, node[0]):
            there = self._of_track(track, t - 1, 1)
            if (t, track) in self.scene.truth.missed:
                self._say(partial(self.corrector.add, t, mask=self._mask(t, track)))
                self._look(t, {track})
            elif there is not None and there[0] == t and there in self.scene.truth.faults:
                self._whole(there, self.scene.truth.faults[there])
            else:
                self._join(t, track)

    def _join(self, t: int, track: int) -> None:
        """Whoever looks at a nucleus that was mended also sees whether its track goes through it."""
        scene = self.scene
        here = self._of_track(track, t - 1, 1)
        if here is None or here[0] != t:
            return
        before, after = self._of_track(track, t, -1), self._of_track(track, t, 1)
        if before is not None and scene.graph.before.get(here) != before:
            self._say(lambda: self.corrector.link(*before, here[1], t))
        if after is not None and scene.graph.before.get(after) != here:
            self._say(lambda: self.corrector.link(*here, after[1], after[0]))

    def _say(self, reply: Callable[[], object]) -> None:
        reply()
        self.said += 1

    def _nucleus(self, node: Node, fault: str) -> None:
        (t, label), scene, say = node, self.scene, self._say
        tracks = scene.truth.tracks[node]
        if fault == "false":
            say(lambda: self.corrector.delete(t, label))
        elif fault == "several":
            points = [tuple(float(v) for v in scene.true_places[t, track]) for track in sorted(tracks)]
            say(lambda: self.corrector.split(t, label, points))
        else:
            parts = sorted(
                other[1]
                for other, what in scene.truth.faults.items()
                if what == "part" and other[0] == t and scene.truth.tracks[other] == tracks
            )
            hosts = [
                n[1]
                for n in scene.graph.nodes
                if n[0] == t and n not in scene.truth.faults and scene.truth.tracks[n] == tracks
            ]
            together = sorted({label, *parts, *hosts})
            if fault == "part" and len(together) > 1:
                say(lambda: self.corrector.merge(t, together))
            else:
                say(lambda: self.corrector.redraw(t, label, self._mask(t, next(iter(tracks)))))

    def _mask(self, t: int, track: int) -> np.ndarray:
        frame = next(frame for frame in self.scene.movie.frames if frame.t == t)
        row = frame.track_ids.tolist().index(track)
        return self.scene.movie.render(frame)[1] == row + 1

    def _link(self, decision: DoubtfulDecision) -> None:
        scene, node = self.scene, decision.node
        if decision.kind == "division":
            mother = scene.graph.mother[node]
            self._say(lambda: self.corrector.undivide(*mother))
            return
        if decision.kind == "end":
            self._go_on(node)
            return
        before = self._neighbour(node, -1)
        if before is not None:
            self._go_on(before)

    def _go_on(self, node: Node) -> None:
        """Link a nucleus to what it goes on as, or to the daughters that it has."""
        after = self._neighbour(node, 1)
        if after is not None and self.scene.truth.tracks[after] & self.scene.truth.tracks[node]:
            self._say(lambda: self.corrector.link(*node, after[1], after[0]))
            return
        children = sorted(d for d, m in self.scene.truth.parents.items() if m in self.scene.truth.tracks[node])
        born = [self._of_track(child, node[0], 1) for child in children]
        if len(born) == 2 and born[0] is not None and born[1] is not None and born[0][0] == born[1][0]:
            one, two = born[0], born[1]
            self._say(lambda: self.corrector.divide(*node, (one[1], two[1]), one[0]))

    def _neighbour(self, node: Node, way: int) -> Node | None:
        """The nearest found nucleus in time of the same true track, or of its mother."""
        line = set(self.scene.truth.tracks[node])
        if way < 0:
            line |= {self.scene.truth.parents.get(track, -1) for track in line}
        found = [self._of_track(track, node[0], way) for track in line]
        known = [one for one in found if one is not None]
        return min(known, key=lambda one: abs(one[0] - node[0]), default=None)

    def _of_track(self, track: int, t: int, way: int) -> Node | None:
        nodes = [n for n, tracks in self.scene.truth.tracks.items() if track in tracks and (n[0] - t) * way > 0]
        return min(nodes, key=lambda n: abs(n[0] - t), default=None)


def random_decisions(results: AcquisitionResults, scene: Scene, count: int) -> list[DoubtfulDecision]:
    """As many decisions at random."""
    rng = np.random.default_rng(0)
    rows = results.nuclei()
    columns = [("doubt", "doubt"), ("link", "link_doubt"), ("end", "end_doubt")]
    found = [(kind, int(r["t"]), int(r["label"])) for kind, c in columns for _, r in rows[rows[c].notna()].iterrows()]
    chosen = rng.permutation(len(found))[:count]
    decisions = []
    for index in chosen.tolist():
        kind, t, label = found[index]
        node = (t, label)
        if kind == "link":
            kind = kind_of(node, scene.graph)
        kind = "false" if kind == "doubt" else kind
        decisions.append(DoubtfulDecision(kind, node, None, 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    return decisions


def judged(name: str, folder: Path) -> dict[str, float]:
    """One movie."""
    movie, results = JUDGED[name].movie(), processed(name, folder)
    scene = Scene.of(movie, results)
    chains, before = scene.chains(), scene.scores()
    with snapshot(results.url) as connection:
        row = resolved(connection, results.about.id)
        listed = doubts(connection, row, TOP)
    real = [one for one in listed if scene.is_wrong(one.decision)]
    hit = {
        index
        for one in real
        for index, chain in enumerate(chains)
        if any(_together(one.decision.is_link, one.decision.at_t, np.array(one.decision.place), *e) for e in chain)
    }
    at_random = sum(scene.is_wrong(one) for one in random_decisions(results, scene, TOP))
    mender = Mender(scene)
    for one in real:
        mender.mend(one.decision)
    after = Scene.of(movie, storage.open(folder / name)[results.about.id]).scores()
    held = min(len(hit), len(real)) / max(len(chains), 1)
    print(
        f"{name}: {len(movie.divisions)} divisions, {len(chains)} corrections needed; of the first {TOP} doubts "
        f"{len(real)} are real ({at_random} of {TOP} at random), they hold {held:.0%}; {mender.said} corrections said"
    )
    for key in before:
        print(f"    {key:16s} {before[key]:9.4g} -> {after[key]:9.4g}")
    for one in listed:
        mark = "+" if one in real else "-"
        t, label = one.decision.node
        print(f"    {mark} {one.probability:.2f} {one.decision.kind:9s} t={t} label={label}")
    sys.stdout.flush()
    return (
        {"needed": len(chains), "real": len(real), "held": held, "divisions": len(movie.divisions), "random": at_random}
        | {f"{k}_before": v for k, v in before.items()}
        | {f"{k}_after": v for k, v in after.items()}
    )


def faults(rows: Sequence[dict[str, float]]) -> list[str]:
    """What was not reached."""
    said = []
    for number, row in enumerate(rows, start=1):
        enough = row["real"] >= 14 if row["needed"] > 40 else row["held"] >= 0.5
        if not enough:
            said.append(f"movie {number}: {row['real']:.0f} of {TOP} are real, they hold {row['held']:.0%}")
    for what, least in (("wrong_divisions", 0.5), ("wrong_links", 0.4)):
        before, after = (sum(row[f"{what}_{when}"] for row in rows) for when in ("before", "after"))
        if before and after > (1 - least) * before:
            said.append(f"{what}: {before:.0f} before, {after:.0f} after")
    return said


def main() -> int:
    """Print all, and what was not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("movies", nargs="*", default=[])
    arguments = parser.parse_args()
    rows = [judged(name, arguments.folder) for name in arguments.movies or JUDGED]
    print(pd.DataFrame(rows).round(4).to_string())
    said = faults(rows)
    print("\n".join(said) or "all limits kept")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
