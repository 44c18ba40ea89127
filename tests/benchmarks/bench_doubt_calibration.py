"""Whether doubts are as likely wrong as they say, on rendered movies that their model was not fitted to.

    python tests/benchmarks/bench_doubt_calibration.py FOLDER [MOVIE ...]

All movies `doubt_movies.HELD` are tracked as the service tracks them; they come from FOLDER, what is missing is
rendered and segmented first. Two tables hold what people see in rows and in `nusetd doubts`: what is stored with each
time point when it is committed, against what was connected then, and what is stored once the movie is over. Judged: in
each tenth from 0.1 to 0.9 of each table what is stated is within 0.1 of what was observed. Exit code 1 if not. Then the
same by kind of movie and by kind of decision.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from doubt_movies import HELD, seen
from doubt_scores import area, by_chance, curve
from doubt_truth import Graph, Judgement, Node, graph_of, kind_of, truth_of, verdict

from tracking.doubts.told import FrameDoubts
from tracking.tracker import Tracker, TrackUpdate

OFF = 0.1
STAGES = ("as committed", "at the end")
SPELL = ("stated", "observed", "from", "to", "decisions")


class Follower:
    """What is stored of a movie by now: tracks, and the last that was told of each time point."""

    def __init__(self) -> None:
        self.doubts: dict[int, FrameDoubts] = {}
        self._tracks: dict[Node, int] = {}
        self._parents: dict[int, int | None] = {}

    def take(self, update: TrackUpdate) -> None:
        """As a commit does."""
        for frame in update.frames:
            nodes = ((frame.t, label) for label in frame.labels.tolist())
            self._tracks.update(zip(nodes, frame.track_ids.tolist(), strict=True))
        for gone in update.removed_tracks:
            self._parents.pop(gone, None)
        self._parents.update({track.track_id: track.parent_track_id for track in update.tracks})
        for told in update.doubts:
            self.doubts[told.t] = told.over(self.doubts.get(told.t))

    def graph(self) -> Graph:
        """What is connected now."""
        rows = [(t, label, i, self._parents[i]) for (t, label), i in self._tracks.items()]
        return graph_of(pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"]))


def decisions_of(name: str, folder: Path) -> pd.DataFrame:
    """All decisions of a movie that somebody can judge: stage, kind, what is stated, and whether it is wrong."""
    frames = seen(name, folder)
    judgement = Judgement(truth_of(HELD[name].movie(), frames))
    tracker, stored = Tracker(), Follower()
    found: list[tuple[str, str, float, bool | None]] = []
    for frame in frames:
        stored.take(tracker.advance(frame.nuclei))
        found += stated(STAGES[0], stored.doubts[frame.nuclei.t], stored.graph(), judgement)
    stored.take(tracker.finish())
    graph = stored.graph()
    for doubts in stored.doubts.values():
        found += stated(STAGES[1], doubts, graph, judgement)
    table = pd.DataFrame(found, columns=["stage", "kind", "stated", "wrong"]).dropna(subset=["wrong"])
    return table.assign(wrong=table["wrong"].astype(np.float64), movie=name)


def stated(
    stage: str, doubts: FrameDoubts, graph: Graph, judgement: Judgement
) -> list[tuple[str, str, float, bool | None]]:
    """What is told of one time point, and the truth of it."""
    found = []
    columns = (doubts.labels, doubts.doubt, doubts.link_doubt, doubts.end_doubt)
    for label, *said in zip(*(column.tolist() for column in columns), strict=True):
        node = (doubts.t, label)
        for kind, probability in zip(("nucleus", kind_of(node, graph), "end"), said, strict=True):
            if not np.isnan(probability):
                found.append((stage, kind, probability, verdict(kind, node, graph, judgement)))
    return found


def told(title: str, table: pd.DataFrame) -> list[dict[str, float]]:
    """Print one curve; return its tenths."""
    bins = curve(table["stated"].to_numpy(), table["wrong"].to_numpy())
    ranks = area(table["stated"].to_numpy(), table["wrong"].to_numpy())
    print(f"{title}: {len(table)} decisions, {int(table['wrong'].sum())} wrong, area {ranks:.3f}; {by_chance(bins)}")
    print(pd.DataFrame(bins, columns=list(SPELL), dtype=object).T.to_string(header=False), flush=True)
    return bins


def faults(stage: str, bins: list[dict[str, float]]) -> list[str]:
    """Tenths that are off."""
    return [
        f"{stage}: {one['observed']:.2f} of {one['decisions']} are wrong that are said to be with {one['stated']:.2f}"
        for one in bins
        if 0.1 <= one["stated"] < 0.9 and abs(one["stated"] - one["observed"]) > OFF
    ]


def main() -> int:
    """Print all, and what was not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("movies", nargs="*", default=[])
    arguments = parser.parse_args()
    names = arguments.movies or list(HELD)
    table = pd.concat([decisions_of(name, arguments.folder) for name in names], ignore_index=True)
    said = []
    for stage in STAGES:
        part = table[table["stage"] == stage]
        said += faults(stage, told(f"{stage}, {len(names)} movies", part))
    for stage, part in table.groupby("stage"):
        for like, some in part.groupby(part["movie"].str.rpartition("-")[0]):
            told(f"{stage}, {like}", some)
        for kind, some in part.groupby("kind"):
            told(f"{stage}, {kind}", some)
    print("\n".join(said) or "all limits kept")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
