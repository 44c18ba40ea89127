"""Instance labels from foreground, distance map and proposals: a watershed seeded by the proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.segmentation import watershed

from nuset_engine.arrays import AnyFloatsN, FlagsN, IntsN, LabelsYX, MaskYX, PairsN2, PixelsYX, PlaneF32, RowsN, ScoresN
from nuset_engine.inference.proposals import Proposals
from nuset_engine.outlines.pieces import Pieces, pieces_in, runs_in

TOGETHER_PX = 1 << 15  # pixels that a watershed goes over at a time: what fits into a processor's cache
CORE = 0.6  # height of the distance map from which a nucleus' core is certain
DEEPEST = 0.7  # a pass between two seeds that reaches this share of the lower one's height lies inside one nucleus


def seed_positions(proposals: Proposals, ridge: PlaneF32, foreground: MaskYX) -> PixelsYX:
    """(N, 2) int pixel of each proposal's seed, or -1 where its middle holds no foreground.

    The seed is the highest point of the distance map in the middle third of the box, so that it lies inside nuclei that
    are bent or off their box' centre.
    """
    seeds = np.full((len(proposals), 2), -1, np.int64)
    limits = np.array(ridge.shape)
    middle = proposals.centres
    reach = np.maximum((proposals.boxes[:, 2:] - proposals.boxes[:, :2]) / 6, 1)
    low = np.clip(np.floor(middle - reach), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, 1, limits).astype(int)
    for index, ((y0, x0), (y1, x1)) in enumerate(zip(low, high, strict=True)):
        window = np.where(foreground[y0:y1, x0:x1], ridge[y0:y1, x0:x1], -1)
        best = int(window.argmax())
        if window.flat[best] >= 0:
            seeds[index] = y0 + best // window.shape[1], x0 + best % window.shape[1]
    return seeds


def fill_small_holes(foreground: MaskYX, max_area: float) -> MaskYX:
    """Foreground with background islands of at most `max_area` pixels filled."""
    holes = pieces_in(~foreground, corners=False)
    small = holes.areas <= max_area
    if holes.count < 2 or not small.any():
        return foreground
    filled = foreground.copy()
    filled.ravel()[holes.among(small).places()] = True
    return filled


def core_seeds(ridge: PlaneF32, foreground: MaskYX, taken: PixelsYX) -> PixelsYX:
    """Seeds (N, 2) int for nuclei that no proposal found: the tops of cores of the distance map that hold none yet.

    Parameters
    ----------
    ridge : (Y, X) float32
    foreground : (Y, X) bool
    taken : (M, 2) int
        Seeds there are already.
    """
    certain = (ridge > CORE) & foreground
    cores = pieces_in(certain, corners=False)
    free = np.ones(cores.count, bool)
    free[cores.of[cores.run_at(_flat(taken[certain[taken[:, 0], taken[:, 1]]], ridge.shape))]] = False
    cores = cores.among(free)
    inside, owner = cores.places(), cores.each(cores.of)
    height, peaks = ridge.ravel()[inside], np.zeros(cores.count, np.float32)
    np.maximum.at(peaks, owner, height)
    highest = np.flatnonzero(height == peaks[owner])
    tops = np.zeros(cores.count, np.int64)
    tops[owner[highest[::-1]]] = inside[highest[::-1]]  # of equals the first, which is written last
    return np.stack(np.divmod(tops[free], ridge.shape[1]), axis=1)


def _flat(pixels: PixelsYX, shape: tuple[int, ...]) -> RowsN:
    """Places (N,) of pixels (N, 2) in the flat plane."""
    return pixels[:, 0] * shape[1] + pixels[:, 1]


def saddles(labels: LabelsYX, ridge: PlaneF32) -> tuple[PairsN2, ScoresN]:
    """Height of the pass between each pair of neighbouring nuclei.

    Returns
    -------
    pairs : (P, 2) int
        Labels, the smaller first.
    heights : (P,) float32
        Highest point of the distance map on their common border.
    """
    keys, heights = [], []
    flat, landscape, width = labels.ravel(), ridge.ravel(), labels.shape[1]
    size = int(flat.max(initial=0)) + 1
    for step, in_row in ((width, False), (1, True)):
        a, b = flat[:-step], flat[step:]
        here = np.flatnonzero((a != b) & (np.minimum(a, b) > 0))
        if in_row:
            here = here[here % width < width - 1]  # what follows on the end of a row is no neighbour of it
        low, high = np.minimum(a[here], b[here]), np.maximum(a[here], b[here])
        keys.append(low.astype(np.int64) * size + high)
        heights.append(np.minimum(landscape[here], landscape[here + step]))
    found, place = np.unique(np.concatenate(keys), return_inverse=True)
    top = np.zeros(len(found), np.float32)
    np.maximum.at(top, place, np.concatenate(heights))
    return np.stack([found // size, found % size], axis=1), top


def merge_shallow(pairs: PairsN2, heights: ScoresN, peaks: AnyFloatsN, deepest: float) -> IntsN:
    """What each label (0..N) becomes when neighbours without a valley between them are one nucleus.

    Two neighbours are one where the pass between them reaches `deepest` of the lower one's peak.

    Parameters
    ----------
    pairs : (P, 2) int
    heights : (P,) float32
        Of the passes between these, see `saddles`.
    peaks : (N + 1,) float
        Highest point of the distance map in each nucleus.
    deepest : float
        Between 0 and 1.

    Returns
    -------
    (N + 1,) int
        The smallest label of each group.
    """
    shallow = heights >= deepest * np.minimum(peaks[pairs[:, 0]], peaks[pairs[:, 1]])
    links = coo_matrix((np.ones(shallow.sum()), tuple(pairs[shallow].T)), shape=(len(peaks), len(peaks)))
    _, group = connected_components(links, directed=False)
    first = np.full(group.max() + 1, len(peaks), np.int64)
    np.minimum.at(first, group, np.arange(len(peaks)))
    return first[group]


@dataclass(frozen=True, eq=False)
class Divided:
    """Pixels of the foreground and the nuclei that they belong to.

    Attributes
    ----------
    shape : (int, int)
        Of the plane.
    places : (M,) int
        Places of the pixels in the flat plane, in order.
    owner : (M,) int
        The nucleus of each, from 1.
    scores : (N,) float32
        Score of the best proposal that seeded nucleus i at [i - 1]; 0 where there was none.
    """

    shape: tuple[int, int]
    places: RowsN
    owner: IntsN
    scores: ScoresN

    @cached_property
    def areas(self) -> IntsN:
        """(N,) pixels of each nucleus."""
        return np.bincount(self.owner, minlength=len(self.scores) + 1)[1:]

    def labels(self, keep: FlagsN) -> LabelsYX:
        """(Y, X) int32: the nuclei to `keep` (N,) bool, numbered 1..n."""
        out = np.zeros(self.shape, np.int32)
        out.ravel()[self.places] = _renumbered(keep)[self.owner]
        return out


def divided(
    foreground: MaskYX, ridge: PlaneF32, proposals: Proposals, deepest: float = DEEPEST, divide: bool = True
) -> Divided:
    """The foreground divided into nuclei. A piece of it without any seed is one nucleus.

    Parameters
    ----------
    foreground : (Y, X) bool
    ridge : (Y, X) float32
        Predicted distance to the nucleus' own border, the landscape of the watershed.
    proposals : Proposals
        One per nucleus, best first.
    deepest : float
        See `merge_shallow`; above 1 nothing is merged.
    divide : bool
        False: what touches is one, without a watershed.
    """
    shape = foreground.shape[0], foreground.shape[1]
    pieces = pieces_in(foreground)
    if pieces.count == 0:
        return Divided(shape, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    seeds, scores = _all_seeds(foreground, ridge, proposals)
    places = _flat(seeds, foreground.shape)
    home = pieces.of[pieces.run_at(places)]
    if not divide:
        best = np.zeros(pieces.count, np.float32)
        np.maximum.at(best, home, scores.astype(np.float32))
        return Divided(shape, pieces.places(), pieces.each(pieces.of + 1), best)
    seeds_in = np.bincount(home, minlength=pieces.count)
    # Pieces with one seed or none need no watershed.
    single = np.zeros(pieces.count, np.int64)
    lone = np.flatnonzero(seeds_in[home] == 1)
    single[home[lone]] = lone + 1
    orphans = np.flatnonzero(seeds_in == 0)
    single[orphans] = len(seeds) + 1 + np.arange(len(orphans))
    scores = np.concatenate([scores, np.zeros(len(orphans), np.float32)])
    owner = pieces.each(single[pieces.of])
    crowded = seeds_in > 1
    if crowded.any():
        found, pairs, heights = flood(pieces.among(crowded), ridge, places, np.flatnonzero(crowded[home]))
        peaks = np.concatenate([[0], ridge[seeds[:, 0], seeds[:, 1]], np.ones(len(orphans))])
        owner[np.repeat(crowded[pieces.of], pieces.length)] = merge_shallow(pairs, heights, peaks, deepest)[found]
    return Divided(shape, pieces.places(), owner, scores)


def flood(pieces: Pieces, ridge: PlaneF32, seeds: RowsN, some: RowsN) -> tuple[IntsN, PairsN2, ScoresN]:
    """Divide pieces by a watershed of the distance map from their seeds.

    They are laid out side by side, so that the watershed goes over them alone and not over the whole plane, and over a
    few of them at a time, which it does not have to fetch from far; where that would be no smaller, it goes over the
    plane.

    Parameters
    ----------
    pieces : Pieces
    ridge : (Y, X) float32
    seeds : (N,) int
        Places in the flat plane; the labels are their numbers, from 1.
    some : (M,) int
        The seeds that lie in these pieces.

    Returns
    -------
    labels : (K,) int
        Of each pixel of the pieces, in order.
    pairs : (P, 2) int
    heights : (P,) float32
        As of `saddles`.
    """
    first, shapes = _layout(pieces, ridge.shape)
    run = pieces.run_at(seeds[some])
    there = pieces.each(first - pieces.first) + (here := pieces.places())
    size = sum(height * width for height, width in shapes)
    depth, start, mask = np.zeros(size, np.float32), np.zeros(size, np.int32), np.zeros(size, bool)
    depth[there], mask[there] = -ridge.ravel()[here], True
    start[first[run] + seeds[some] - pieces.first[run]] = some + 1
    found, passes, begin = start, [], 0
    for shape in shapes:
        part = slice(begin, begin := begin + shape[0] * shape[1])
        low = depth[part].reshape(shape)
        labels = watershed(low, start[part].reshape(shape), mask=mask[part].reshape(shape), connectivity=2)
        passes.append(saddles(labels, -low))
        found[part] = labels.ravel()
    pairs, heights = (np.concatenate(parts) for parts in zip(*passes, strict=True))
    return found[there], pairs, heights


def _layout(pieces: Pieces, shape: tuple[int, ...]) -> tuple[RowsN, list[tuple[int, int]]]:
    """Where runs (R,) of pieces begin when these lie side by side on planes one after the other; shapes of those."""
    numbers = np.unique(pieces.of)
    low, high = pieces.boxes()
    sizes = (high - low)[numbers]
    group = np.cumsum(sizes.prod(axis=1)) // TOGETHER_PX
    begin, width, shapes, total = np.zeros(pieces.count, np.int64), np.zeros(pieces.count, np.int64), [], 0
    for members in np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(group)) + 1):
        places, size = _side_by_side([(int(h), int(w)) for h, w in sizes[members]])
        own = numbers[members]
        begin[own] = total + _flat(np.array(places), size)
        width[own] = size[1]
        shapes.append(size)
        total += size[0] * size[1]
    if total >= shape[0] * shape[1]:
        return pieces.first, [(shape[0], shape[1])]
    row, column = np.divmod(pieces.first, pieces.width)
    of = pieces.of
    return begin[of] + (row - low[of, 0]) * width[of] + column - low[of, 1], shapes


def _side_by_side(sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """A place for each rectangle, a pixel apart, in rows of about the same width; and the shape (Y, X) of all."""
    width = max(int(np.sqrt(sum((h + 1) * (w + 1) for h, w in sizes))), *(w + 1 for _, w in sizes), 1)
    places, top, left, tall = [], 0, 0, 0
    for height, wide in sizes:
        if left + wide > width:
            top, left, tall = top + tall, 0, 0
        places.append((top, left))
        left, tall = left + wide + 1, max(tall, height + 1)
    return places, (top + tall, width)


def _all_seeds(foreground: MaskYX, ridge: PlaneF32, proposals: Proposals) -> tuple[PixelsYX, ScoresN]:
    """Pixels (N, 2) and scores (N,) of the seeds: of proposals, best first, then of cores that have none."""
    seeds = seed_positions(proposals, ridge, foreground)
    placed = np.flatnonzero(seeds[:, 0] >= 0)
    # A later (worse) proposal on the very pixel of an earlier one is the same nucleus.
    _, first = np.unique(seeds[placed] @ np.array([foreground.shape[1], 1]), return_index=True)
    placed = placed[np.sort(first)]
    more = core_seeds(ridge, foreground, seeds[placed])
    return np.concatenate([seeds[placed], more]), np.concatenate(
        [proposals.scores[placed], np.zeros(len(more), np.float32)]
    )


def drop_small(labels: LabelsYX, scores: ScoresN, min_area: float) -> tuple[LabelsYX, ScoresN]:
    """Labels and scores without nuclei under `min_area` pixels, numbered 1..N again."""
    _, length, label = runs_in(labels)
    areas = np.bincount(label, length, len(scores) + 1)[1 : len(scores) + 1]
    return drop(labels, scores, areas >= max(min_area, 1))


def drop(labels: LabelsYX, scores: ScoresN, keep: FlagsN) -> tuple[LabelsYX, ScoresN]:
    """Labels (Y, X) and scores (N,) of the nuclei to `keep` (N,) bool alone, numbered 1..N again."""
    if keep.all():
        return labels, scores
    inside = np.flatnonzero(labels != 0)
    out = np.zeros(labels.shape, np.int32)
    out.ravel()[inside] = _renumbered(keep)[labels.ravel()[inside]]
    return out, scores[keep]


def _renumbered(keep: FlagsN) -> IntsN:
    """What each number (N + 1,) becomes when those to `keep` (N,) are numbered 1..N again; 0 stays, and is the rest."""
    renumber = np.zeros(len(keep) + 1, np.int32)
    renumber[1:][keep] = np.arange(1, keep.sum() + 1)
    return renumber
