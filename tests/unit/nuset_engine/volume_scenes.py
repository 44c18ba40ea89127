"""Scenes of touching ellipsoids with known truth, cut into slices with the errors that networks make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nuset_engine.overlap import overlap


@dataclass(frozen=True)
class Slice:
    """What a segmenter would return for one slice."""

    labels: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Errors:
    """One blank slice in so many; chances per section (`missed`, `broken`) and per touching pair (`fused`)."""

    blank_every: int = 0
    missed: float = 0.0
    fused: float = 0.0
    broken: float = 0.0
    ragged_px: float = 0.0


def cluster(
    count: int,
    voxel_size_um: tuple[float, float, float],
    rng: np.random.Generator,
    radius_um: float = 4.0,
    spread: float = 0.15,
    longest: float = 1.5,
) -> np.ndarray:
    """Labels (Z, Y, X) uint16 of touching ellipsoids in random directions, grown from one in the middle.

    Each is placed beside one already there so that both touch; a voxel in two belongs to the one in which it is deeper.
    """
    centres, forms = [np.zeros(3)], [_form(rng, radius_um, spread, longest)]
    while len(centres) < count:
        form, direction = _form(rng, radius_um, spread, longest), _direction(rng)
        host = int(rng.integers(len(centres)))
        distance = 0.95 * (_reach(forms[host], direction) + _reach(form, direction))
        centre = centres[host] + direction * distance
        gaps = [
            np.linalg.norm(centre - c) / (_reach(f, centre - c) + _reach(form, centre - c))
            for c, f in zip(centres, forms, strict=True)
        ]
        if min(gaps) > 0.88:
            centres.append(centre)
            forms.append(form)
    return _voxels(np.array(centres), forms, np.array(voxel_size_um), 2 * radius_um)


def _form(rng: np.random.Generator, radius_um: float, spread: float, longest: float) -> np.ndarray:
    """(3, 3) matrix A of an ellipsoid: x is inside where |A x| < 1; volume as a ball of about `radius_um`."""
    axes = np.exp(rng.uniform(-0.5, 0.5, 3) * np.log(longest))
    axes *= radius_um * np.exp(rng.normal(0, spread)) / np.cbrt(axes.prod())
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return (rotation / axes).T


def _direction(rng: np.random.Generator) -> np.ndarray:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector)


def _reach(form: np.ndarray, direction: np.ndarray) -> float:
    """Distance from the centre to the surface of an ellipsoid along a direction."""
    return float(np.linalg.norm(direction) / np.linalg.norm(form @ direction))


def _voxels(centres: np.ndarray, forms: list[np.ndarray], voxel: np.ndarray, margin: float) -> np.ndarray:
    low = centres.min(axis=0) - margin
    shape = np.ceil((centres.max(axis=0) + margin - low) / voxel).astype(int)
    labels, depth = np.zeros(shape, np.uint16), np.ones(shape)
    for number, (centre, form) in enumerate(zip(centres - low, forms, strict=True), start=1):
        first = np.maximum(((centre - margin) / voxel).astype(int), 0)
        box = tuple(slice(a, b) for a, b in zip(first, ((centre + margin) / voxel).astype(int) + 1, strict=True))
        grid = np.meshgrid(*(np.arange(s, s + n) for s, n in zip(first, labels[box].shape, strict=True)), indexing="ij")
        points = np.stack(grid, axis=-1) * voxel - centre
        radius = np.linalg.norm(points @ form.T, axis=-1)
        wins = radius < depth[box]
        depth[box][wins], labels[box][wins] = radius[wins], number
    return labels


def slices_of(truth: np.ndarray, rng: np.random.Generator, errors: Errors | None = None) -> list[Slice]:
    """The slices of a volume, each with labels in an order of its own, and with errors."""
    errors = errors or Errors()
    blank = (
        {start + int(rng.integers(errors.blank_every)) for start in range(0, len(truth), errors.blank_every)}
        if (errors.blank_every)
        else set()
    )
    return [_slice(np.zeros_like(plane) if z in blank else plane, rng, errors) for z, plane in enumerate(truth)]


def _slice(plane: np.ndarray, rng: np.random.Generator, errors: Errors) -> Slice:
    pieces = np.zeros(plane.shape, np.int32)
    for label in np.unique(plane[plane > 0]):
        parts, n = ndimage.label(plane == label)
        for part in range(1, n + 1):
            mask = parts == part
            if mask.sum() >= 12 and rng.random() >= errors.missed:
                pieces[mask] = pieces.max() + 1
    pieces = _ragged(pieces, rng, errors.ragged_px)
    pieces = _fused(pieces, rng, errors.fused)
    pieces = _broken(pieces, rng, errors.broken)
    present = np.unique(pieces[pieces > 0])
    lookup = np.zeros(pieces.max() + 1, np.int32)
    lookup[rng.permutation(present)] = np.arange(1, len(present) + 1)
    return Slice(lookup[pieces], rng.uniform(0.7, 1.0, len(present)).astype(np.float32))


def _ragged(labels: np.ndarray, rng: np.random.Generator, pixels: float) -> np.ndarray:
    """Outlines moved in and out by a smooth random field of about this many pixels."""
    if not pixels or not labels.any():
        return labels
    noise = ndimage.gaussian_filter(rng.normal(size=labels.shape), 4)
    noise *= pixels / noise.std()
    outside, where = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    distance = outside - ndimage.distance_transform_edt(labels > 0)
    return np.where(distance < noise, labels[tuple(where)], 0)


def _fused(labels: np.ndarray, rng: np.random.Generator, chance: float) -> np.ndarray:
    """Some touching pairs become one."""
    pairs = touching_pairs(labels)
    for first, second in pairs[rng.random(len(pairs)) < chance]:
        labels = np.where(labels == second, first, labels)
    return labels


def _broken(labels: np.ndarray, rng: np.random.Generator, chance: float) -> np.ndarray:
    """Some sections are cut by a random line near their middle."""
    labels = labels.copy()
    for label in np.unique(labels[labels > 0]):
        if rng.random() < chance:
            y, x = np.nonzero(labels == label)
            angle, shift = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3)
            along = (y - y.mean()) * np.cos(angle) + (x - x.mean()) * np.sin(angle)
            side = along > shift * along.std()
            labels[y[side], x[side]] = labels.max() + 1
    return labels


def touching_pairs(labels: np.ndarray) -> np.ndarray:
    """(P, 2) pairs of labels that have pixels side by side."""
    pairs = []
    for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        edge = (a != b) & (a > 0) & (b > 0)
        pairs.append(np.sort(np.stack([a[edge], b[edge]], axis=1), axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def plain_stitching(slices: list[Slice], min_iou: float = 0.25) -> np.ndarray:
    """Slices joined one after the other by IoU alone, as usual 2D tools do: (Z, Y, X) uint32."""
    planes: list[np.ndarray] = []
    used = 0
    for item in slices:
        names = np.zeros(item.labels.max(initial=0) + 1, np.uint32)
        if planes:
            found = overlap(planes[-1], item.labels)
            for pair in np.argsort(-found.iou, kind="stable"):
                row, column = found.rows[pair], found.columns[pair]
                name, label = found.labels_a[row], found.labels_b[column]
                if found.iou[pair] >= min_iou and not names[label] and name not in names:
                    names[label] = name
        fresh = np.flatnonzero(names[1:] == 0) + 1
        names[fresh] = np.arange(used + 1, used + 1 + len(fresh))
        used += len(fresh)
        planes.append(names[item.labels])
    return np.stack(planes)


@dataclass(frozen=True)
class Counts:
    """Shares of the true nuclei that are split, merged with another, found (IoU above 0.5), and mean IoU of all."""

    splits: float
    merges: float
    found: float
    seg: float


def count_errors(truth: np.ndarray, predicted: np.ndarray, part: float = 0.1) -> Counts:
    """A nucleus is split if two predictions with `part` of its volume lie mostly in it; merged: the reverse."""
    found = overlap(truth, predicted)
    of_truth = (found.share_of_a >= part) & (found.share_of_b > 0.5)
    of_prediction = (found.share_of_b >= part) & (found.share_of_a > 0.5)
    n, m = len(found.labels_a), len(found.labels_b)
    split = np.bincount(found.rows[of_truth], minlength=n) > 1
    crowd = np.bincount(found.columns[of_prediction], minlength=m)
    merged = np.zeros(n, bool)
    merged[found.rows[of_prediction & (crowd > 1)[found.columns]]] = True
    best = np.zeros(n)
    np.maximum.at(best, found.rows, found.iou)
    return Counts(split.mean(), merged.mean(), (best > 0.5).mean(), np.where(best > 0.5, best, 0).mean())
