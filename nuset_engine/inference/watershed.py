"""Instance labels from foreground, distance map and proposals: a watershed seeded by the proposals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage as ndi
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.segmentation import watershed

from nuset_engine.arrays import AnyFloatsN, FlagsN, IntsN, LabelsYX, MaskYX, PairsN2, PixelsYX, PlaneF32, ScoresN
from nuset_engine.inference.proposals import Proposals

EIGHT = np.ones((3, 3), bool)
SPARSE = 8  # of so many rows and columns one is enough to know the largest piece
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
    holes, count = ndi.label(~foreground)
    if count < 2:
        return foreground
    # What lies around the nuclei is most of the plane: its pixels are not counted one by one.
    around = 1 + int(np.bincount(holes[::SPARSE, ::SPARSE].ravel(), minlength=count + 1)[1:].argmax())
    flat = holes.ravel()
    others = np.flatnonzero((flat != 0) & (flat != around))
    owner = flat[others]
    small = np.bincount(owner, minlength=count + 1) <= max_area
    small[around] = np.count_nonzero(flat) - len(others) <= max_area
    if not small[1:].any():
        return foreground
    filled = foreground | (holes == around) if small[around] else foreground.copy()
    filled.ravel()[others[small[owner]]] = True
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
    cores, count = ndi.label((ridge > CORE) & foreground)
    if count == 0:
        return np.zeros((0, 2), np.int64)
    free = np.ones(count + 1, bool)
    free[0] = False
    free[cores[taken[:, 0], taken[:, 1]]] = False
    inside = np.flatnonzero(cores != 0)
    owner = cores.ravel()[inside]
    chosen = free[owner]
    inside, owner = inside[chosen], owner[chosen]
    height, peaks = ridge.ravel()[inside], np.zeros(count + 1, np.float32)
    np.maximum.at(peaks, owner, height)
    highest = np.flatnonzero(height == peaks[owner])
    tops = np.zeros(count + 1, np.int64)
    tops[owner[highest[::-1]]] = inside[highest[::-1]]  # of equals the first, which is written last
    return np.stack(np.divmod(tops[free], ridge.shape[1]), axis=1)


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
    for step in (width, 1):
        a, b = flat[:-step], flat[step:]
        here = np.flatnonzero((a != b) & (np.minimum(a, b) > 0))
        if step == 1:
            here = here[here % width < width - 1]  # what follows on the end of a row is no neighbour of it
        low, high = np.minimum(a[here], b[here]), np.maximum(a[here], b[here])
        keys.append(low.astype(np.int64) * size + high)
        heights.append(np.minimum(landscape[here], landscape[here + step]))
    found, place = np.unique(np.concatenate(keys), return_inverse=True)
    top = np.zeros(len(found), np.float32)
    np.maximum.at(top, place, np.concatenate(heights))
    return np.stack([found // size, found % size], axis=1), top


def merge_shallow(labels: LabelsYX, ridge: PlaneF32, peaks: AnyFloatsN, deepest: float) -> IntsN:
    """What each label (0..N) becomes when neighbours without a valley between them are one nucleus.

    Two neighbours are one where the pass between them reaches `deepest` of the lower one's peak.

    Parameters
    ----------
    labels : (Y, X) int
    ridge : (Y, X) float32
    peaks : (N + 1,) float
        Highest point of the distance map in each nucleus.
    deepest : float
        Between 0 and 1.

    Returns
    -------
    (N + 1,) int
        The smallest label of each group.
    """
    pairs, heights = saddles(labels, ridge)
    shallow = heights >= deepest * np.minimum(peaks[pairs[:, 0]], peaks[pairs[:, 1]])
    links = coo_matrix((np.ones(shallow.sum()), tuple(pairs[shallow].T)), shape=(len(peaks), len(peaks)))
    _, group = connected_components(links, directed=False)
    first = np.full(group.max() + 1, len(peaks), np.int64)
    np.minimum.at(first, group, np.arange(len(peaks)))
    return first[group]


def separate(
    foreground: MaskYX,
    ridge: PlaneF32,
    proposals: Proposals,
    min_area: float,
    deepest: float = DEEPEST,
    divide: bool = True,
) -> tuple[LabelsYX, ScoresN]:
    """Divide the foreground into nuclei.

    Parameters
    ----------
    foreground : (Y, X) bool
    ridge : (Y, X) float32
        Predicted distance to the nucleus' own border, the landscape of the watershed.
    proposals : Proposals
        One per nucleus, best first.
    min_area : float
        Smaller nuclei are removed, in pixels.
    deepest : float
        See `merge_shallow`; above 1 nothing is merged.
    divide : bool
        False: what touches is one, without a watershed.

    Returns
    -------
    labels : (Y, X) int32
        1..N. A piece of foreground without any seed is one nucleus.
    scores : (N,) float32
        Score of the best proposal that seeded the nucleus; 0 where there was none.
    """
    pieces, count = ndi.label(foreground, EIGHT)
    if count == 0:
        return np.zeros(foreground.shape, np.int32), np.zeros(0, np.float32)
    seeds, scores = _all_seeds(foreground, ridge, proposals)
    if not divide:
        best = np.zeros(count + 1, np.float32)
        np.maximum.at(best, pieces[seeds[:, 0], seeds[:, 1]], scores.astype(np.float32))
        return drop_small(pieces.astype(np.int32), best[1:], min_area)
    markers = np.zeros(foreground.shape, np.int32)
    markers[seeds[:, 0], seeds[:, 1]] = np.arange(1, len(seeds) + 1)
    home = pieces[seeds[:, 0], seeds[:, 1]]
    seeds_in = np.bincount(home, minlength=count + 1)
    # Pieces with one seed or none need no watershed.
    single = np.zeros(count + 1, np.int32)
    lone = np.flatnonzero(seeds_in[home] == 1)
    single[home[lone]] = lone + 1
    orphans = np.flatnonzero(seeds_in[1:] == 0) + 1
    single[orphans] = len(seeds) + 1 + np.arange(len(orphans))
    scores = np.concatenate([scores, np.zeros(len(orphans), np.float32)])
    inside = np.flatnonzero(foreground)  # the rest stays background, and is most of the plane
    owner = pieces.ravel()[inside]
    labels = np.zeros(foreground.shape, np.int32)
    labels.ravel()[inside] = single[owner]
    shared = inside[(seeds_in > 1)[owner]]
    if shared.size:
        flood(labels, ridge, markers, pieces, np.flatnonzero(seeds_in > 1))
        peaks = np.concatenate([[0], ridge[seeds[:, 0], seeds[:, 1]], np.ones(len(orphans))])
        labels.ravel()[shared] = merge_shallow(labels, ridge, peaks, deepest)[labels.ravel()[shared]]
    return drop_small(labels, scores, min_area)


def flood(labels: LabelsYX, ridge: PlaneF32, markers: LabelsYX, pieces: LabelsYX, crowded: IntsN) -> None:
    """Divide some pieces (numbers in `pieces`) by a watershed of the distance map from their markers, in `labels`.

    They are laid out side by side, so that the watershed goes over them alone and not over the whole plane; where that
    would be no smaller, it goes over the plane.
    """
    boxes = ndi.find_objects(pieces)
    parts = [(window, pieces[window] == number) for number in crowded for window in [boxes[number - 1]]]
    places, shape = _side_by_side([own.shape for _, own in parts])
    if shape[0] * shape[1] >= ridge.size:
        chosen = np.bincount(crowded, minlength=len(boxes) + 1) > 0
        places, shape = [(slice(None), slice(None))], ridge.shape
        parts = [(places[0], chosen[pieces])]
    depth, start, mask = np.zeros(shape, np.float32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    for (window, own), place in zip(parts, places, strict=True):
        mask[place] = own
        np.multiply(markers[window], own, out=start[place])
        np.negative(ridge[window], out=depth[place])
    found = watershed(depth, start, mask=mask, connectivity=2)
    for (window, own), place in zip(parts, places, strict=True):
        np.copyto(labels[window], found[place], where=own)


def _side_by_side(sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[slice, slice]], tuple[int, int]]:
    """A place for each rectangle, a pixel apart, in rows of about the same width; and the shape (Y, X) of all."""
    width = max(int(np.sqrt(sum((h + 1) * (w + 1) for h, w in sizes))), *(w + 1 for _, w in sizes), 1)
    places, top, left, tall = [], 0, 0, 0
    for height, wide in sizes:
        if left + wide > width:
            top, left, tall = top + tall, 0, 0
        places.append((slice(top, top + height), slice(left, left + wide)))
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
    flat = labels.ravel()
    areas = np.bincount(flat[flat != 0], minlength=len(scores) + 1)[1 : len(scores) + 1]
    return drop(labels, scores, areas >= max(min_area, 1))


def drop(labels: LabelsYX, scores: ScoresN, keep: FlagsN) -> tuple[LabelsYX, ScoresN]:
    """Labels (Y, X) and scores (N,) of the nuclei to `keep` (N,) bool alone, numbered 1..N again."""
    if keep.all():
        return labels, scores
    renumber = np.zeros(len(keep) + 1, np.int32)
    renumber[1:][keep] = np.arange(1, keep.sum() + 1)
    inside = np.flatnonzero(labels != 0)
    out = np.zeros(labels.shape, np.int32)
    out.ravel()[inside] = renumber[labels.ravel()[inside]]
    return out, scores[keep]
