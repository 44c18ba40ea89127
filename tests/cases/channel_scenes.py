"""Pictures of two or three channels of which one shows nuclei: the others show what microscopes show beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.synthetic.confocal import random_optics
from nuset_engine.synthetic.render import render
from nuset_engine.synthetic.shapes import crowd


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes
    ----------
    channels : (C, Y, X) uint16
    kinds : tuple of str
        What each channel shows.
    nuclear : int
        The channel with the nuclei.
    """

    channels: np.ndarray
    kinds: tuple[str, ...]
    nuclear: int


def scene(seed: int, size: int = 256, kinds: tuple[str, ...] | None = None) -> Scene:
    """Render a picture; the same seed gives the same.

    Parameters
    ----------
    seed : int
    size : int
        Of a side in pixels.
    kinds : tuple of str, optional
        What the channels beside the nuclei show, of `KINDS`; drawn where not given, one or two.
    """
    rng = np.random.default_rng([seed, 40_000])
    pixel_um = rng.uniform(0.2, 0.6)
    diameter = rng.uniform(7, 13)
    share = np.exp(rng.uniform(np.log(0.03), np.log(0.5)))
    count = max(3, int(share * (size * pixel_um) ** 2 / (np.pi / 4 * diameter**2)))
    spacing, shape = (diameter, pixel_um, pixel_um), (1, size, size)
    shapes = crowd(rng, shape, spacing, min(count, 150), diameter, rng.uniform(0.1, 0.8))
    shapes.centres_um[:, 0] = rng.normal(0, 0.15 * diameter, len(shapes))
    image, labels = render(shapes, shape, spacing, random_optics(rng), rng)
    around = Cells.around(rng, labels[0].astype(np.int32), diameter / 2 / pixel_um)
    if kinds is None:
        kinds = tuple(map(str, rng.choice(sorted(KINDS), size=rng.integers(1, 3), replace=False)))
    others = [camera(rng, KINDS[kind](rng, around, image[0].astype(np.float32)), kind) for kind in kinds]
    order = rng.permutation(1 + len(others))
    planes, names = [image[0], *others], ["nuclei", *kinds]
    return Scene(np.stack([planes[i] for i in order]), tuple(names[i] for i in order), int(np.argmin(order)))


@dataclass(frozen=True)
class Cells:
    """The nuclei's labels, those of the cells around them, (Y, X) each, and the radius of a nucleus in pixels."""

    nuclei: np.ndarray
    bodies: np.ndarray
    radius: float

    @classmethod
    def around(cls, rng: np.random.Generator, nuclei: np.ndarray, radius: float) -> Cells:
        """Cells reach as far as their neighbours let them, up to about a nucleus' diameter."""
        wavy = smooth(rng, nuclei.shape, radius) * 0.35 * radius
        reach = radius * rng.uniform(0.25, 2.0)
        distance, where = ndi.distance_transform_edt(nuclei == 0, return_indices=True)
        bodies = nuclei[tuple(where)] * (distance + wavy < reach)
        return cls(nuclei, np.where(nuclei > 0, nuclei, bodies), radius)

    def levels(self, rng: np.random.Generator, spread: float = 0.35) -> np.ndarray:
        """(Y, X) a brightness for each cell, 0 outside."""
        values = np.exp(rng.normal(0, spread, self.nuclei.max(initial=0) + 1))
        values[0] = 0
        return values[self.bodies]


def smooth(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    """(Y, X) noise of this grain, mean 0 and deviation 1."""
    field = ndi.gaussian_filter(rng.normal(size=shape), sigma, mode="wrap")
    return (field - field.mean()) / field.std()


def cytoplasm(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """Stain of whole cells, more or less of it in the nucleus."""
    del image
    grain = 1 + rng.uniform(0.05, 0.35) * smooth(rng, cells.nuclei.shape, rng.uniform(0.8, 3))
    inside = np.where(cells.nuclei > 0, rng.uniform(0.25, 1.0), 1.0)
    return cells.levels(rng) * np.clip(grain, 0.2, None) * ndi.gaussian_filter(inside, 1.0)


def membrane(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """The outlines of cells, with a little inside."""
    del image
    edge = ndi.morphological_gradient(cells.bodies, size=3) > 0
    line = ndi.gaussian_filter(edge.astype(float), rng.uniform(0.7, 1.6))
    uneven = np.clip(1 + 0.4 * smooth(rng, edge.shape, 6), 0.1, None)
    return line * uneven * 2 + rng.uniform(0, 0.15) * (cells.bodies > 0)


def filaments(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """Curved lines, over the whole field or within cells."""
    del image
    shape = cells.nuclei.shape
    canvas = np.zeros(shape)
    for _ in range(rng.integers(20, 160)):
        place, angle = rng.uniform(0, shape[0], 2), rng.uniform(0, 2 * np.pi)
        turn = np.cumsum(rng.normal(0, 0.06, rng.integers(40, 300)))
        steps = np.stack([np.sin(angle + turn), np.cos(angle + turn)])
        y, x = (place[:, None] + np.cumsum(steps, axis=1)).astype(int)
        seen = (y >= 0) & (x >= 0) & (y < shape[0]) & (x < shape[1])
        canvas[y[seen], x[seen]] += rng.uniform(0.4, 1.0)
    canvas = ndi.gaussian_filter(np.minimum(canvas, 2), rng.uniform(0.6, 1.4)) * 3
    return canvas * (cells.bodies > 0) if rng.random() < 0.5 else canvas


def vesicles(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """Spots around nuclei."""
    del image
    spots = np.zeros(cells.nuclei.shape)
    y, x = np.nonzero((cells.bodies > 0) & (cells.nuclei == 0))
    if len(y):
        chosen = rng.integers(0, len(y), max(1, int(len(y) * rng.uniform(0.002, 0.03))))
        np.add.at(spots, (y[chosen], x[chosen]), rng.uniform(0.3, 1.0, len(chosen)))
    return ndi.gaussian_filter(spots, rng.uniform(0.8, 2.5)) * 12


def noise(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """Nothing but uneven background."""
    del image
    return 0.1 + rng.uniform(0, 0.15) * (1 + smooth(rng, cells.nuclei.shape, cells.nuclei.shape[0] / 4))


def bleed_through(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """The nuclei again, dimly, alone or over another stain."""
    nuclei = image - np.percentile(image, 5)
    share = rng.uniform(0.05, 0.35)
    own = rng.choice(["membrane", "filaments", "noise", "cytoplasm"])
    return share * nuclei / max(np.percentile(nuclei, 99), 1e-6) + KINDS[str(own)](rng, cells, image)


def brightfield(rng: np.random.Generator, cells: Cells, image: np.ndarray) -> np.ndarray:
    """Light that cells bend: bright background, dark and bright edges."""
    del image
    height = ndi.gaussian_filter((cells.bodies > 0) * 1.0 + 0.4 * (cells.nuclei > 0), rng.uniform(1.5, 3))
    bend = ndi.laplace(height) if rng.random() < 0.5 else np.gradient(height, axis=int(rng.integers(2)))
    bend = bend / max(float(np.abs(bend).max()), 1e-6)
    return (
        3 + rng.uniform(0.3, 1.2) * bend + 0.08 * smooth(rng, height.shape, 1.2) + 0.3 * smooth(rng, height.shape, 60)
    )


Draw = Callable[[np.random.Generator, Cells, np.ndarray], np.ndarray]
KINDS: dict[str, Draw] = {
    "cytoplasm": cytoplasm,
    "membrane": membrane,
    "filaments": filaments,
    "vesicles": vesicles,
    "noise": noise,
    "bleed-through": bleed_through,
    "brightfield": brightfield,
}


def camera(rng: np.random.Generator, light: np.ndarray, kind: str) -> np.ndarray:
    """(Y, X) uint16: light of about 1 as a camera records it, now and then with a few hot pixels."""
    photons = float(np.exp(rng.uniform(np.log(8), np.log(200)))) * (4 if kind == "brightfield" else 1)
    blurred = ndi.gaussian_filter(np.clip(light, 0, None), rng.uniform(0.3, 1.2))
    counts = rng.poisson(blurred * photons + rng.uniform(0.5, 6)) * rng.uniform(5, 25)
    grey = 100 + counts + rng.normal(0, rng.uniform(2, 20), light.shape)
    if rng.random() < 0.2:
        grey[rng.random(light.shape) < 2e-4] += 8000
    return np.clip(np.rint(grey), 0, 65535).astype(np.uint16)
