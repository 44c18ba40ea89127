"""Whole time-lapses of which something is uneven over time, from rendered images to tracks, against the truth.

    python tests/benchmarks/bench_timelapse.py                       every row
    python tests/benchmarks/bench_timelapse.py --only jumps --seeds 0   rows whose name holds the words

Movies of touching nuclei that move and divide, seen through a window of 14 slices of 256 px (about 24 nuclei at a time,
10 time points), each made worse in one way: see `WORSE`. They are segmented with the shipped weights, reconstructed,
measured and tracked by the functions that the service calls. A row for each way, summed over the seeds: nuclei found
(matched at IoU 0.5) as a share of the true ones, nuclei that match none likewise, links and divisions that are right,
those that are true and all that were found, and tracks found and true. A time point that shows nothing has no nuclei.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from given_weights import known_weights
from scipy import ndimage

from nuset_engine.measure import measure
from nuset_engine.nuclei import Nuclei
from nuset_engine.overlap import overlap
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.optics import Optics
from tracking.evaluation.link_scores import links, score_links
from tracking.synthetic.movie import Movie, MovieParams, simulate
from tracking.tracker import Tracker

VOXEL = (1.0, 0.35, 0.35)
FIELD = (18, 400, 400)
"""What is simulated; the window sees a part of it."""
SLICES, SIDE = 14, 256
FRAMES = 10
START = (0, 8, 8)
SEEN = 0.5
"""A nucleus of which less than this share of its volume lies in the window is nobody's error."""
IOU = 0.5

Point = tuple[int, np.ndarray, np.ndarray]
"""Time point, image and labels of the truth, (Z, Y, X) both: numbers of tracks, below 0 for nuclei that are cut off."""


@dataclass(frozen=True)
class View:
    """How one time point is taken: where the window begins (z, y, x), and the light as a share of the usual one."""

    t: int
    start: tuple[int, int, int] = START
    light: float = 1.0


def movie_of(seed: int, frames: int = FRAMES) -> Movie:
    """The whole sample, of which a window is seen."""
    params = MovieParams(
        shape=FIELD,
        voxel_size_um=VOXEL,
        nuclei=54,
        clusters=6,
        frames=frames,
        divisions=6,
        deaths=1,
        missed_slices=0,
        drift_um=(0.0, 0.15, 0.1),
    )
    return simulate(params, 500 + seed)


@lru_cache(maxsize=20)
def rendered(seed: int, t: int, light: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and truth of the whole sample."""
    movie = movie_of(seed, frames)
    optics = replace(Optics(bleaching_per_frame=0.0), photons=Optics().photons * light)
    image, labels = movie.render(movie.frames[t], optics)
    return image, np.concatenate([[0], movie.frames[t].track_ids]).astype(np.int32)[labels]


def seen(seed: int, views: list[View], frames: int = FRAMES) -> list[Point]:
    """The time points of a movie through a window."""
    points = []
    for view in views:
        image, labels = rendered(seed, view.t, view.light, frames)
        window = tuple(slice(at, at + n) for at, n in zip(view.start, (SLICES, SIDE, SIDE), strict=True))
        whole, part = np.bincount(labels.ravel()), np.bincount(labels[window].ravel(), minlength=labels.max() + 1)
        sign = np.where(part >= SEEN * whole, 1, -1)
        points.append((view.t, image[window], sign[labels[window]] * labels[window]))
    return points


def usual(seed: int) -> list[Point]:
    """The movie as it is."""
    return seen(seed, [View(t) for t in range(FRAMES)])


def lit(light: Callable[[int], float]) -> Callable[[int], list[Point]]:
    """The light changes with time; what is dimmer has more noise."""
    return lambda seed: seen(seed, [View(t, light=light(t)) for t in range(FRAMES)])


def shown(change: Callable[[int, np.ndarray], np.ndarray]) -> Callable[[int], list[Point]]:
    """Grey values change with time; where an image has one value everywhere, it has no nuclei."""

    def points(seed: int) -> list[Point]:
        return [(t, new, labels * (np.ptp(new) > 0)) for t, image, labels in usual(seed) for new in [change(t, image)]]

    return points


def moved(place: Callable[[int], tuple[float, float, float]]) -> Callable[[int], list[Point]]:
    """The window moves: in slices and shares of its side."""

    def points(seed: int) -> list[Point]:
        views = []
        for t in range(FRAMES):
            z, y, x = place(t)
            views.append(View(t, (START[0] + round(z), START[1] + round(y * SIDE), START[2] + round(x * SIDE))))
        return seen(seed, views)

    return points


def ruined(times: tuple[int, ...], change: Callable[[np.ndarray], np.ndarray]) -> Callable[[int], list[Point]]:
    """A few time points are spoilt."""
    return shown(lambda t, image: change(image) if t in times else image)


def without(times: tuple[int, ...], renumbered: bool = False) -> Callable[[int], list[Point]]:
    """Time points are left out, and the others numbered as if they were not."""

    def points(seed: int) -> list[Point]:
        left = [point for point in usual(seed) if point[0] not in times]
        return [(i, *point[1:]) for i, point in enumerate(left)] if renumbered else left

    return points


def every_second(seed: int) -> list[Point]:
    """Every second time point from a movie of twice as many."""
    points = seen(seed, [View(t) for t in range(0, 2 * FRAMES, 2)], 2 * FRAMES)
    return [(t // 2, image, labels) for t, image, labels in points]


def clipped(image: np.ndarray) -> np.ndarray:
    """Thirty times as bright, above what the camera can show."""
    return np.minimum(100.0 + 30.0 * (image.astype(np.float32) - 100.0), 65535 / 8).clip(0).astype(np.uint16)


def blurred(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    """Out of focus."""
    return lambda image: ndimage.gaussian_filter(image.astype(np.float32), (0, sigma, sigma)).astype(np.uint16)


def step(at: int, before: float, after: float) -> Callable[[int], float]:
    """One value, then another."""
    return lambda t: before if t < at else after


def jump(z: float, y: float, x: float, at: int = 5) -> Callable[[int], tuple[float, float, float]]:
    """The window moves once."""
    return lambda t: (z, y, x) if t >= at else (0.0, 0.0, 0.0)


WORSE: dict[str, Callable[[int], list[Point]]] = {
    "as they are": usual,
    "light: every other time point 4 times as bright": lit(lambda t: 2.0 if t % 2 else 0.5),
    "light: every other time point 10 times as bright": lit(lambda t: 3.0 if t % 2 else 0.3),
    "light falls to 10 %": lit(lambda t: 0.1 ** (t / (FRAMES - 1))),
    "light falls to 3 %": lit(lambda t: 0.03 ** (t / (FRAMES - 1))),
    "light: 4 times from the middle on": lit(step(5, 0.5, 2.0)),
    "gain: a third from the middle on": shown(lambda t, image: (image // (1 if t < 5 else 3)).astype(np.uint16)),
    "background rises by ten times the contrast": shown(lambda t, image: (image + 1300 * t).astype(np.uint16)),
    "one time point black": ruined((4,), np.zeros_like),
    "two time points black": ruined((4, 5), np.zeros_like),
    "one time point blurred, 3 px": ruined((4,), blurred(3)),
    "two time points blurred, 6 px": ruined((4, 5), blurred(6)),
    "one time point saturated": ruined((4,), clipped),
    "one time point absent": without((4,)),
    "two time points absent": without((4, 5)),
    "one time point absent, unnoticed": without((4,), renumbered=True),
    "every second time point only": every_second,
    "jumps by 0.1 of the field": moved(jump(0, 0.1, 0)),
    "jumps by 0.25 of the field": moved(jump(0, 0.25, 0)),
    "jumps by 0.25 aslant": moved(jump(0, 0.25, 0.25)),
    "jumps by 0.5 of the field": moved(jump(0, 0, 0.5)),
    "jumps by 0.5 aslant": moved(jump(0, 0.5, 0.5)),
    "jumps to and fro by 0.25": moved(lambda t: (0, 0.25 * (t % 2), 0)),
    "drifts by 0.03 of the field": moved(lambda t: (0, 0.03 * t, 0.03 * t)),
    "drifts by 0.06 of the field": moved(lambda t: (0, 0.06 * t, 0)),
    "focus: 3 slices later from the middle on": moved(jump(3, 0, 0)),
    "focus: 3 slices later, and jumps by 0.25": moved(jump(3, 0, 0.25)),
    "focus: a slice later every third time point": moved(lambda t: (t // 3, 0, 0)),
}


@dataclass(frozen=True)
class Analysed:
    """What is found at one time point.

    Attributes
    ----------
    nuclei : Nuclei
    truth : dict
        The true number of each label that is a true nucleus.
    true : tuple of int
        The true nuclei.
    cut : frozenset of int
        Labels of those that the window cuts off.
    """

    nuclei: Nuclei
    truth: dict[int, int]
    true: tuple[int, ...]
    cut: frozenset[int]


def analysed(segmenter: Segmenter, points: list[Point]) -> Iterator[Analysed]:
    """Segment, reconstruct, measure and match; each time point as the service does."""
    for t, image, labels in points:
        planes = list(image)
        volume = reconstruct(segmenter.segment_stack(planes), VOXEL, planes=planes)
        table = overlap(np.maximum(labels, 0), volume.labels)
        good = table.iou >= IOU
        names = table.labels_b[table.columns[good]].tolist(), table.labels_a[table.rows[good]].tolist()
        truth = dict(zip(*names, strict=True))
        cut = frozenset(np.unique(volume.labels[labels < 0]).tolist()) - {0, *truth}
        nuclei = measure(volume, {0: planes}, 0, VOXEL, t)
        yield Analysed(nuclei, truth, tuple(np.unique(labels[labels > 0]).tolist()), cut)


def tracked(frames: list[Analysed]) -> pd.DataFrame:
    """One row for each nucleus with its track."""
    tracker, ids, parents = Tracker(), {}, {}
    for update in (*(tracker.advance(frame.nuclei) for frame in frames), tracker.finish()):
        for told in update.frames:
            nodes = ((told.t, label) for label in told.labels.tolist())
            ids.update(zip(nodes, told.track_ids.tolist(), strict=True))
        parents |= {track.track_id: track.parent_track_id for track in update.tracks}
    rows = [(t, label, track, parents[track]) for (t, label), track in sorted(ids.items())]
    return pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])


def true_tracks(seed: int, frames: list[Analysed], movie_frames: int) -> pd.DataFrame:
    """The same of the truth; a nucleus that is out of sight for a while keeps its track."""
    parents = movie_of(seed, movie_frames).parents()
    rows = [(frame.nuclei.t, number, number, parents.get(number)) for frame in frames for number in frame.true]
    return pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"])


def scores(seed: int, frames: list[Analysed], movie_frames: int = FRAMES) -> pd.Series:
    """Counts of one movie: found nuclei and links under the true names, where they have one."""
    found, true = tracked(frames), true_tracks(seed, frames, movie_frames)
    names = {(frame.nuclei.t, label): number for frame in frames for label, number in frame.truth.items()}
    of_track = found[["t", "label", "track_id"]].to_numpy().tolist()
    nodes = {(t, label): (t, names.get((t, label), -label)) for t, label, _ in of_track}
    # A link to a nucleus that is not in the truth, as one that the window cuts off, is neither right nor wrong.
    edges = {(nodes[a], nodes[b]) for a, b in links(found)}
    edges = {(a, b) for a, b in edges if a[1] > 0 and b[1] > 0}
    compared = score_links(links(true), edges)
    return pd.Series(
        {
            "nuclei": len(true),
            "found": sum(len(set(frame.truth.values())) for frame in frames),
            "other": sum(len(frame.nuclei.table) - len(frame.truth) - len(frame.cut) for frame in frames),
            "links": compared.links_true,
            "links right": compared.links_right,
            "links found": compared.links_found,
            "divisions": compared.divisions_true,
            "divisions right": compared.divisions_right,
            "divisions found": compared.divisions_found,
            "tracks": len({track for *node, track in of_track if nodes[tuple(node)][1] > 0}),
            "true tracks": true["track_id"].nunique(),
        }
    )


def row(name: str, counts: pd.Series) -> str:
    """One line of the table."""
    c = counts.astype(int)
    return (
        f"| {name} | {c['found'] / c['nuclei']:.3f} | {c['other'] / c['nuclei']:.3f} "
        f"| {c['links right']} of {c['links']}, {c['links found']} "
        f"| {c['divisions right']} of {c['divisions']}, {c['divisions found']} | {c['tracks']}, {c['true tracks']} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORDS", help="rows whose name holds one of these")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the movies")
    parser.add_argument("--weights", type=known_weights, default="fluorescence", help="name or file of the weights")
    arguments = parser.parse_args()
    segmenter = Segmenter(arguments.weights)
    print("| movies | found | others | links: right of true, found | divisions | tracks: found, true |")
    print("|---|---|---|---|---|---|")
    for name in (name for name in WORSE if any(words in name for words in arguments.only)):
        counts = []
        for seed in arguments.seeds:
            frames = list(analysed(segmenter, WORSE[name](seed)))
            counts.append(scores(seed, frames, 2 * FRAMES if WORSE[name] is every_second else FRAMES))
        print(row(name, sum(counts[1:], counts[0])), flush=True)


if __name__ == "__main__":
    sys.exit(main())
