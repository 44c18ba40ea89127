"""Augmentation of training crops: geometry, intensity, and errors of the coarse pass that the fine pass must bear."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import FloatsN, InputYXC, LabelsYX, MaskYX, PlacesYX, PlaneF32, PlaneFloat, PlaneYX, PointYX
from nuset_engine.planes.normalize import IntensityStatistics, foreground_statistics, normalize, whole_image_statistics
from nuset_engine.synthetic.blobs import add_artefacts
from nuset_engine.training.words import MILD, STRONG


@dataclass(frozen=True)
class AugmentParams:
    """Strength of the augmentation; chances are per crop."""

    scale: tuple[float, float] = (0.6, 1.7)
    stretch: float = 0.12
    brightness_chance: float = 0.3
    gamma: tuple[float, float] = (0.55, 1.7)
    gamma_chance: float = 0.4
    blur_px: tuple[float, float] = (0.3, 2.2)
    blur_chance: float = 0.35
    blocks_chance: float = 0.15
    noise: tuple[float, float] = (0.005, 0.2)
    noise_chance: float = 0.5
    grey_levels: tuple[float, float] = (5, 40)
    coarse_chance: float = 0.35
    dimmed_chance: float = 0.0
    dimmed_to: tuple[float, float] = (0.04, 0.5)


# "mild" suits the last part of a training: what strong augmentation hides, such as how wide the outlines of a kind of
# images are drawn, is learned then. Blur is not spared: it keeps more of what blurred images score.
AUGMENTATIONS = {
    STRONG: AugmentParams(),
    MILD: AugmentParams(
        scale=(0.72, 1.4),
        brightness_chance=0.2,
        gamma_chance=0.3,
        blur_chance=0.5,
        blocks_chance=0.08,
        noise_chance=0.35,
    ),
}


@dataclass(frozen=True)
class Warp:
    """Where the pixels of a crop lie in the source: coordinates and which of them are inside the source."""

    coordinates: PlacesYX  # (2, Y, X) float32
    inside: MaskYX  # (Y, X) bool

    def image(self, source: PlaneYX) -> PlaneF32:
        """Bilinear samples, mirrored beyond the source's edges: (Y, X) float32."""
        return ndi.map_coordinates(source, self.coordinates, order=1, mode="reflect", output=np.float32)

    def labels(self, source: LabelsYX) -> LabelsYX:
        """Nearest samples, mirrored beyond the source's edges."""
        index = []
        for axis, length in enumerate(source.shape):
            at = np.floor(self.coordinates[axis] + 0.5).astype(np.int64) % (2 * length)
            index.append(np.where(at < length, at, 2 * length - 1 - at))
        samples: LabelsYX = source[index[0], index[1]]
        return samples


def random_warp(
    rng: np.random.Generator,
    shape: tuple[int, int],
    size: int,
    zoom: float,
    params: AugmentParams,
    near: PointYX | None = None,
) -> Warp:
    """A random rotation, flip and zoom; `zoom` is network pixels per source pixel before the random factor.

    The crop lies anywhere, or so that it shows the place `near` (y, x).
    """
    factor = zoom * np.exp(rng.uniform(*np.log(params.scale)))
    stretch = np.exp(rng.normal(0, params.stretch, 2))
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else rng.integers(4) * np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag(stretch * np.array([1, rng.choice([-1, 1])])) / factor
    reach = np.abs(turn).sum(axis=1) * size / 2
    centre = [rng.uniform(min(r, n / 2), max(n - r, n / 2)) for r, n in zip(reach, shape, strict=True)]
    if near is not None:
        centre = list(near + rng.uniform(-0.3, 0.3, 2) * size / factor)
    axis = np.arange(size) + 0.5 - size / 2
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"))
    where = np.tensordot(turn, grid, axes=1) + np.reshape(centre, (2, 1, 1)) - 0.5
    limits = np.reshape(shape, (2, 1, 1)) - 0.5
    return Warp(where.astype(np.float32), np.all((where > -0.5) & (where < limits), axis=0))


def _change_brightness(rng: np.random.Generator, image: PlaneFloat, labels: LabelsYX) -> PlaneFloat:
    """Dim or brighten each nucleus by its own factor, above the local background."""
    background = np.percentile(image, 10)
    factors = np.exp(rng.normal(-0.3, rng.uniform(0.2, 0.8), int(labels.max(initial=0)) + 1)).astype(np.float32)
    factors[0] = 1
    field = ndi.gaussian_filter(factors[labels], 1.0)
    return background + (image - background) * np.clip(field, 0.08, 3)


def dim_some(
    rng: np.random.Generator, image: PlaneFloat, labels: LabelsYX, to: tuple[float, float]
) -> tuple[PlaneFloat, float]:
    """Dim some of the nuclei to a small share of their contrast, as beside others that express ten times as much.

    None is dimmed below one and a half times the noise between pixels: what nobody could see teaches nothing but to see
    what is not there. The glow around a nucleus goes with it, or stays as the haze of others.

    Returns
    -------
    image (Y, X), and the least contrast of a dimmed nucleus above the background, 1 where none is
    """
    areas = np.bincount(labels.ravel(), minlength=1)[1:]  # a crop of an image lacks most of its numbers
    count = len(areas)
    if np.count_nonzero(areas) < 2:
        return image, 1.0
    background = float(np.median(image[labels == 0])) if (labels == 0).any() else float(image.min())
    totals = np.bincount(labels.ravel(), image.ravel())[1:]
    contrasts = np.maximum(totals / np.maximum(areas, 1) - background, 1e-3)
    noise = 1.4826 * float(np.median(np.abs(np.diff(image, axis=1)))) / np.sqrt(2)
    gains = np.exp(rng.uniform(*np.log(to)) + rng.normal(0, 0.25, count))
    gains = np.clip(np.maximum(gains, 1.5 * noise / contrasts), to[0], 1)
    gains[rng.random(count) > rng.uniform(0.15, 0.7)] = 1
    field = np.concatenate([[1], gains]).astype(np.float32)
    if rng.random() < 0.5:
        gain = ndi.gaussian_filter(field[labels], 1.0)
    else:
        distance, nearest = ndi.distance_transform_edt(labels == 0, return_indices=True)
        fading = np.clip(1.5 - distance / TRAINED_DIAMETER_PX, 0, 1).astype(np.float32)
        gain = 1 + (field[labels[tuple(nearest)]] - 1) * fading
    dimmed = gains < 1
    least = float((gains * contrasts)[dimmed].min()) if dimmed.any() else 1.0
    return background + (image - background) * gain, min(least, 1.0)


def _bearable(params: AugmentParams, least: float) -> AugmentParams:
    """The same with no more noise, and no fewer grey levels, than a nucleus of so little contrast bears."""
    quiet = min(params.noise[1], max(0.4 * least, params.noise[0] * 1.01))
    coarse = max(params.grey_levels[0], 2 / max(least, 1e-3))
    return replace(params, noise=(params.noise[0], quiet), grey_levels=(coarse, max(params.grey_levels[1], 2 * coarse)))


def _degrade(rng: np.random.Generator, image: PlaneFloat, params: AugmentParams, zoom: float) -> PlaneFloat:
    """Blur, loss of resolution, uneven light, noise, few grey levels."""
    if rng.random() < params.blur_chance:
        image = ndi.gaussian_filter(image, max(1.0, zoom) * rng.uniform(*params.blur_px))
    if rng.random() < params.blocks_chance:
        step = int(rng.integers(2, 4))
        image = np.kron(image[::step, ::step], np.ones((step, step), np.float32))[: image.shape[0], : image.shape[1]]
    if rng.random() < 0.3:
        rough = rng.normal(0, 0.4, (3, 3))
        image = image * np.exp(ndi.zoom(rough, np.array(image.shape) / 3, order=1)).astype(np.float32)
    if rng.random() < params.noise_chance:
        level = np.exp(rng.uniform(*np.log(params.noise)))
        white = rng.standard_normal(image.shape).astype(np.float32)
        if rng.random() < 0.3:  # noise that is correlated, as after a camera's interpolation
            white = ndi.gaussian_filter(white, 0.8) * 2.3
        image = image + level * white * np.sqrt(0.3 + np.clip(image, 0, 1.5))
    if rng.random() < 0.25:
        grey = np.exp(rng.uniform(*np.log(params.grey_levels)))
        image = np.round(np.clip(image, 0, None) * grey) / grey
    return image


def random_intensity(
    rng: np.random.Generator,
    image: PlaneFloat,
    labels: LabelsYX,
    params: AugmentParams,
    zoom: float = 1.0,
    stacked: bool = False,
) -> PlaneFloat:
    """A crop (Y, X) as another microscope could have shown it; the result is near 0..1.

    `zoom` is network pixels per source pixel: where the source's are the larger ones, it is these that blur spans. In
    slices of stacks no nucleus is dimmed much: what is dim there lies above or below.
    """
    low, high = np.percentile(image, (1, 99.8))
    image = ((image - low) / max(high - low, 1e-6)).astype(np.float32)
    if rng.random() < params.brightness_chance:
        image = _change_brightness(rng, image, labels)
    if rng.random() < params.gamma_chance:
        image = np.sign(image) * np.abs(image) ** np.exp(rng.uniform(*np.log(params.gamma)))
    if rng.random() < params.dimmed_chance and not stacked:
        image, least = dim_some(rng, image, labels, params.dimmed_to)
        params = _bearable(params, least)
    if rng.random() < 0.12:
        add_artefacts(rng, image)
    image = _degrade(rng, image + rng.uniform(0, 0.2), params, zoom)
    return np.minimum(image, rng.uniform(0.6, 1.2)) if rng.random() < 0.15 else image


def random_normalize(
    rng: np.random.Generator, image: PlaneFloat, foreground: MaskYX, params: AugmentParams, stacked: bool = False
) -> InputYXC:
    """Normalise as the coarse or as the fine pass would, with statistics as wrong as they may be there: (Y, X, C)."""
    statistics = None if rng.random() < params.coarse_chance else foreground_statistics(image, foreground)
    if statistics is None:
        statistics = whole_image_statistics(image)
    shift, stretch = rng.normal(0, 0.15), np.exp(rng.normal(0, 0.15, 2))
    return normalize(image, _disturbed(statistics, shift, stretch), stacked)


def _disturbed(statistics: IntensityStatistics, shift: float, stretch: FloatsN) -> IntensityStatistics:
    """Statistics off by `shift` standard deviations and by factors."""
    return replace(
        statistics,
        mean=statistics.mean + shift * statistics.std,
        std=statistics.std * float(stretch[0]),
        contrast=statistics.contrast * float(stretch[1]),
    )
