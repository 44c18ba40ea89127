"""What becomes of corrections when a movie is processed again with other weights.

    python tests/benchmarks/bench_corrections_carried.py [--movies 4] [--frames 8]

Rendered movies are stored twice, each time with its own errors: nuclei missed, two in one, one in two, debris taken
for nuclei, outlines wider or narrower and ragged, other numbers. A person corrects the first result: all that is wrong
with nuclei, and some of what is right (outlines drawn anew, nuclei confirmed, links joined and cut). The second one
gets these corrections by place. By the truth it is known which of its nuclei are the ones that were meant. Exit code 1
where less than 95 % of the corrections whose nuclei are still there are applied, one is applied to another nucleus, or
one is neither applied nor listed. About five minutes of processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored_movie import stored_movie

from storage.corrections.here import carry_out
from storage.corrections.ordering import PersonsWord, ordered
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED, MISFIT
from storage.query.snapshots import snapshot
from tracking.synthetic.movie import Movie, MovieParams, simulate

APPLIED_SHARE = 0.95
VOXEL = (1.0, 0.5, 0.5)
EDGE_UM = 0.25
"""By how much outlines of one result are wider than the truth, those of the other narrower, and both ragged."""
DEBRIS = 200
"""Numbers in the truth from which on objects are no nuclei."""
Labels = NDArray[np.uint32]
Identity = frozenset[int]
"""What of the truth an object shows: nuclei or debris; of a part of a nucleus its number below 0."""


def true_labels(movie: Movie) -> tuple[list[NDArray[np.uint16]], list[Labels]]:
    """Images, and labels that are numbers of tracks; a few objects of debris among them."""
    images, truth = [], []
    rng = np.random.default_rng(movie.seed)
    spots = [(int(rng.integers(3, 11)), int(rng.integers(8, 150)), int(rng.integers(8, 150))) for _ in range(12)]
    z, y, x = np.indices(movie.params.shape)
    for frame in movie.frames:
        image, labels = movie.render(frame)
        found = np.append(0, frame.track_ids + 1).astype(np.uint32)[labels]
        for number, (a, b, c) in enumerate(spots):
            ball = ((z - a) * 2) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= 36
            if not found[ball].any():
                found[ball] = DEBRIS + number
                image = np.where(ball, np.percentile(image, 99), image)
        images.append(image.astype(np.uint16))
        truth.append(found)
    return images, truth


@dataclass
class Result:
    """Labels of a result, and what of the truth each of them shows."""

    labels: list[Labels]
    shows: list[dict[int, Identity]]


def result_of(truth: list[Labels], seed: int, wider: int) -> Result:
    """Labels with errors of networks; outlines are `wider` voxels wider, or narrower."""
    rng = np.random.default_rng(seed)
    labels = [_degraded(one, rng, wider) for one in truth]
    return Result(labels, [_shown(one, true) for one, true in zip(labels, truth, strict=True)])


def _degraded(truth: Labels, rng: np.random.Generator, wider: int) -> Labels:
    found = truth.copy()
    for number in np.unique(truth[truth > 0]).tolist():
        fate = rng.random()
        inside = truth == number
        if number >= DEBRIS:
            found[inside & (fate < 0.3)] = 0
        elif fate < 0.05:
            found[inside] = 0
        elif fate < 0.1:
            ys = np.nonzero(inside)[1]
            half = inside & (np.indices(truth.shape)[1] >= np.median(ys))
            found[half] = 5000 + number
        elif fate < 0.2:
            touching = ndimage.binary_dilation(inside, iterations=2) & (found > 0) & (found < DEBRIS) & ~inside
            if touching.any():
                found[inside] = np.bincount(found[touching]).argmax()
    found = _with_other_edges(found, rng, wider)
    names = np.unique(found[found > 0])
    return np.append(0, rng.permutation(len(names)) + 1)[np.searchsorted(np.append(0, names), found)].astype(np.uint32)


def _with_other_edges(labels: Labels, rng: np.random.Generator, wider: int) -> Labels:
    """Outlines moved and made ragged."""
    inside = ndimage.distance_transform_edt(labels > 0, sampling=VOXEL)
    outside, nearest = ndimage.distance_transform_edt(labels == 0, sampling=VOXEL, return_indices=True)
    ragged = ndimage.gaussian_filter(rng.standard_normal(labels.shape), (1, 2, 2))
    edge = EDGE_UM * (wider + ragged / ragged.std())
    grown = labels[tuple(nearest)]
    return np.where((outside - inside) <= edge, grown, 0).astype(np.uint32)


def _shown(labels: Labels, truth: Labels) -> dict[int, Identity]:
    shows: dict[int, set[int]] = {int(label): set() for label in np.unique(labels[labels > 0])}
    for number in np.unique(truth[truth > 0]).tolist():
        inside = labels[truth == number]
        count = np.bincount(inside, minlength=1)
        count[0] = 0
        label = int(count.argmax())
        if count[label] > 0.6 * len(inside):
            shows[label].add(number)
    for label, found in shows.items():
        if not found:
            inside = truth[labels == label]
            count = np.bincount(inside[inside > 0], minlength=1)
            found.add(-int(count.argmax()))
    return {label: frozenset(found) for label, found in shows.items()}


def words(result: Result, truth: list[Labels], rng: np.random.Generator) -> list[PersonsWord]:
    """What a person says: all that is wrong with nuclei, and some of what is right; one word of each nucleus."""
    said: list[PersonsWord] = []
    for t, (true, shows) in enumerate(zip(truth, result.shows, strict=True)):
        where: dict[Identity, list[int]] = {}
        for label, found in shows.items():
            where.setdefault(found, []).append(label)
        missed = {int(n) for n in np.unique(true[(true > 0) & (true < DEBRIS)])} - {
            abs(n) for one in where for n in one
        }
        said += [PersonsWord("add", t, mask=true == number) for number in sorted(missed)]
        for found, labels in where.items():
            if min(found) < 0 and len(labels) == 2:
                said.append(PersonsWord("merge", t, tuple(labels)))
            elif max(found) >= DEBRIS:
                said.append(PersonsWord("delete", t, (labels[0],)))
            elif len(found) > 1:
                places = [np.argwhere(true == number).mean(axis=0) * VOXEL for number in sorted(found)]
                points = tuple((float(z), float(y), float(x)) for z, y, x in places)
                said.append(PersonsWord("split", t, (labels[0],), points=points))
            elif min(found) > 0 and rng.random() < 0.4:
                said.append(_of_right_one(t, labels[0], found, result, truth, rng))
    return said


def _of_right_one(
    t: int, label: int, found: Identity, result: Result, truth: list[Labels], rng: np.random.Generator
) -> PersonsWord:
    """Something about a nucleus that is right, or its link to the same one of the next time point."""
    later = result.shows[t + 1] if t + 1 < len(truth) else {}
    next_one = [other for other, shown in later.items() if shown == found]
    if next_one and rng.random() < 0.5:
        return PersonsWord(str(rng.choice(["link", "unlink"])), t, (label,), (next_one[0],))
    if rng.random() < 0.5:
        return PersonsWord("redraw", t, (label,), mask=truth[t] == min(found))
    return PersonsWord("confirm", t, (label,))


@dataclass
class Counts:
    """What became of corrections."""

    there: int = 0
    applied: int = 0
    elsewhere: int = 0
    unlisted: int = 0
    gone: Counter[str] = None  # type: ignore[assignment]


def judged(folder: Path, images: list[NDArray[np.uint16]], truth: list[Labels], seed: int) -> Counter[str]:
    """Corrections of one result carried to another one."""
    first, second = result_of(truth, seed, 1), result_of(truth, seed + 1000, -1)
    row = stored_movie(folder, images, first.labels, voxel=VOXEL)
    with Catalog.open(folder) as catalog:
        with snapshot(folder) as connection:
            said = words(first, truth, np.random.default_rng(seed))
            orders = [ordered(connection, row, word, "bench") for word in said]
        catalog.corrections.order_together(row.id, orders)
        carry_out(catalog, row.id)
        before = {one.id: one for one in catalog.corrections.of(row.id)}
    again = stored_movie(folder, images, second.labels, model="other", voxel=VOXEL)
    with Catalog.open(folder) as catalog:
        carry_out(catalog, again.id)
        after = catalog.corrections.of(again.id)
        carried = {one["id"]: one["carried_from"] for one in catalog.corrections.listed(again.id)}
    counts: Counter[str] = Counter()
    for one in after:
        meant = before[carried[one.id]]
        if meant.state != APPLIED:
            counts["did not fit before"] += 1
            continue
        counts.update(_judged(one, meant, first, second, truth))
    counts["lost"] += len(before) - len(after)
    return counts


def _judged(one, meant, first: Result, second: Result, truth: list[Labels]) -> list[str]:  # type: ignore[no-untyped-def]
    """Names of what to count for one correction."""
    fits = one.state == APPLIED
    lists = [] if fits or (one.state == MISFIT and one.reason) else ["neither applied nor listed"]
    if one.kind == "add":
        number = int(np.bincount(truth[one.t][meant.drawn.box][meant.drawn.mask]).argmax())
        there = not any(number in {abs(n) for n in shown} for shown in second.shows[one.t].values())
        return [*lists, *_told(one.kind, there, fits, wrong=fits and not there)]
    identities = [first.shows[t][label] for t, label in zip(meant.times, meant.labels, strict=True)]
    candidates = [
        [label for label, shown in second.shows[t].items() if shown == identity]
        for t, identity in zip(meant.times, identities, strict=True)
    ]
    there = all(candidates) and (one.kind != "merge" or len(candidates[0]) == 2)
    labels = [label for _, label in one.nodes] if one.nodes else list(one.named("labels"))
    meant_ones = set(map(frozenset, identities))
    wrong = fits and any(second.shows[t].get(label) not in meant_ones for t, label in zip(one.times, labels))  # noqa: B905
    if wrong:
        found = {abs(n) for t, label in zip(one.times, labels, strict=False) for n in second.shows[t].get(label, ())}
        wrong = not all(found & {abs(n) for n in identity} for identity in identities)
        lists += [] if wrong else ["with a neighbour"]
    return [*lists, *_told(one.kind, there, fits, wrong)]


def _told(kind: str, there: bool, fits: bool, wrong: bool) -> list[str]:
    found = [f"{kind}: still there" if there else f"{kind}: gone"]
    found += [f"{kind}: applied"] if there and fits else []
    return found + ([f"{kind}: applied to another"] if wrong else [])


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--movies", type=int, default=4)
    parser.add_argument("--frames", type=int, default=8)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for seed in range(options.movies):
        params = MovieParams(
            shape=(14, 160, 160), voxel_size_um=VOXEL, frames=options.frames, nuclei=24, clusters=2, divisions=3
        )
        images, truth = true_labels(simulate(params, seed))
        with tempfile.TemporaryDirectory() as folder:
            counts += judged(Path(folder), images, truth, seed)
    kinds = sorted({name.partition(":")[0] for name in counts if ":" in name})
    for kind in kinds:
        told = ", ".join(f"{word} {counts[f'{kind}: {word}']}" for word in ("still there", "applied", "gone"))
        print(f"{kind}: {told}, applied to another {counts[f'{kind}: applied to another']}")
    there = sum(counts[f"{kind}: still there"] for kind in kinds)
    applied = sum(counts[f"{kind}: applied"] for kind in kinds)
    wrong = sum(counts[f"{kind}: applied to another"] for kind in kinds)
    silent = counts["neither applied nor listed"] + counts["lost"]
    print(f"{applied} of {there} whose nuclei are still there are applied ({applied / there:.1%}), {wrong} to another")
    print(f"to the right one with a neighbour in it, or without one: {counts['with a neighbour']}")
    print(f"neither applied nor listed: {silent}")
    return 0 if applied >= APPLIED_SHARE * there and not wrong and not silent else 1


if __name__ == "__main__":
    sys.exit(main())
