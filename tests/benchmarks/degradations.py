"""What benchmarks do to images: each takes an image (Y, X) and its labels, and gives both back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.planes.resample import resample, resample_labels, scaled_shape
from nuset_engine.training.targets import median_diameter

Changed = tuple[np.ndarray, np.ndarray]
Change = Callable[[np.ndarray, np.ndarray], Changed]


def background_and_contrast(image: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Median outside the labels, and by how much the nuclei differ from it; negative where they are darker."""
    background = float(np.median(image[labels == 0]))
    return background, float(np.median(image[labels > 0]) - background)


def noisy(image: np.ndarray, labels: np.ndarray) -> Changed:
    """Gaussian noise of a third of the contrast between nuclei and background."""
    contrast = image[labels > 0].mean() - image[labels == 0].mean()
    return image + np.random.default_rng(0).normal(0, contrast / 3, image.shape), labels


def uneven(image: np.ndarray, labels: np.ndarray) -> Changed:
    """A background that rises from one side to the other by as much as the nuclei are bright."""
    contrast = np.percentile(image[labels > 0], 90) - np.median(image[labels == 0])
    return image + contrast * np.linspace(0, 1, image.shape[1]), labels


def with_hot_pixels(image: np.ndarray, labels: np.ndarray) -> Changed:
    """One pixel in 5,000 forty times as bright as any other."""
    out = image.astype(np.float32)
    out[np.random.default_rng(0).random(image.shape) < 2e-4] = 40 * float(image.max())
    return out, labels


def rescaled(factor: float) -> Change:
    """A change of image and labels to another number of pixels."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        shape = scaled_shape(image.shape, factor)
        return resample(image, shape), resample_labels(labels, shape)

    return change


def half_dimmed(share: float) -> Change:
    """Every second nucleus at a share of its contrast, its glow too, in grey levels as coarse as before.

    The glow is what is nearest to the nucleus, up to half a diameter, and fades into what is not up to one and a half.
    """

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        present = np.unique(labels[labels > 0])
        dim = np.random.default_rng(0).permutation(present)[: len(present) // 2]
        background, _ = background_and_contrast(image, labels)
        distance, nearest = ndi.distance_transform_edt(labels == 0, return_indices=True)
        gain = np.where(np.isin(labels[tuple(nearest)], dim), share, 1.0)
        gain = 1 + (gain - 1) * np.clip(1.5 - distance / median_diameter(labels), 0, 1)
        out = background + (image - background) * gain
        return (np.rint(out) if image.dtype.kind in "iu" else out).astype(image.dtype), labels

    return change


def with_blobs(image: np.ndarray, labels: np.ndarray) -> Changed:
    """Four out-of-focus blobs, wider and brighter than nuclei."""
    rng = np.random.default_rng(0)
    _, contrast = background_and_contrast(image, labels)
    rows, columns = np.indices(image.shape)
    out = image.astype(np.float32)
    for _ in range(4):
        sigma = rng.uniform(0.7, 1.2) * median_diameter(labels)
        y, x = rng.uniform(0, image.shape[0]), rng.uniform(0, image.shape[1])
        out += 1.5 * contrast * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2)).astype(np.float32)
    return out, labels


def with_fibres(image: np.ndarray, labels: np.ndarray) -> Changed:
    """Six bent fibres, two pixels wide and as bright as nuclei."""
    rng = np.random.default_rng(0)
    _, contrast = background_and_contrast(image, labels)
    drawn = np.zeros(image.shape, np.float32)
    for _ in range(6):
        angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 1 / (6 * median_diameter(labels)))
        y, x = rng.uniform(0, image.shape[0]), rng.uniform(0, image.shape[1])
        for _ in range(int(8 * median_diameter(labels))):
            if not (0 <= y < image.shape[0] and 0 <= x < image.shape[1]):
                break
            drawn[int(y), int(x)] = 1
            y, x, angle = y + np.sin(angle), x + np.cos(angle), angle + bend
    blurred = ndi.gaussian_filter(drawn, 1.0)
    return image + contrast * blurred / max(float(blurred.max()), 1e-6), labels


def lined(share: float, period_px: float = 0) -> Change:
    """Rows lighter and darker, by noise or in waves of so many pixels; the deviation is a share of the contrast.

    Of a stack (Z, Y, X) each slice has noise of its own, and all have the same waves.
    """

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        contrast = np.percentile(image, 99.5) - np.median(image)
        noise = np.random.default_rng(0).normal(size=image.shape[:-1])
        waves = np.sqrt(2) * np.sin(2 * np.pi * np.arange(image.shape[-2]) / period_px) if period_px else noise
        return image + share * contrast * waves[..., None], labels

    return change


def _lost(extent: int) -> np.ndarray:
    """Eight lines, or as many as there are, of so many."""
    return np.random.default_rng(extent).permutation(np.arange(2, extent - 2))[:8]


def with_columns(level: Callable[[np.ndarray], float], width_px: int = 1) -> Change:
    """Eight columns of so many pixels that have one value throughout."""

    def change(image: np.ndarray, labels: np.ndarray) -> Changed:
        out = image.copy()
        for column in _lost(image.shape[1] - width_px):
            out[:, column : column + width_px] = level(image)
        return out, labels

    return change


def with_broken_rows(image: np.ndarray, labels: np.ndarray) -> Changed:
    """Eight rows, over half of the width each: four are black there, four as bright as the brightest pixel."""
    out, width = image.copy(), image.shape[1]
    starts = np.random.default_rng(0).integers(0, width - width // 2 + 1, 8)
    for number, (row, start) in enumerate(zip(_lost(len(image)), starts, strict=False)):
        out[row, start : start + width // 2] = image.max() if number % 2 else 0
    return out, labels


def blurred(sigma_px: float) -> Change:
    """Gaussian blur."""
    return lambda image, labels: (ndi.gaussian_filter(image.astype(np.float32), sigma_px), labels)


def dim(image: np.ndarray, labels: np.ndarray) -> Changed:
    """8 bit, of which a twentieth is used."""
    return np.round(image / max(image.max(), 1) * 0.05 * 255).astype(np.uint8), labels


AS_THEY_ARE = "as they are"
DIMMED = {f"half of the nuclei at {round(100 * share)} %": half_dimmed(share) for share in (0.15, 0.05)}
BLURRED = {f"blurred, sigma {sigma} px": blurred(sigma) for sigma in (1, 2, 4)}
DEGRADATIONS: dict[str, Change] = {
    AS_THEY_ARE: lambda image, labels: (image, labels),
    "blurred, sigma 2 px": blurred(2),
    "noisy, SNR 3": noisy,
    "dim, 5 % of the range": dim,
    "uneven background": uneven,
    "hot pixels": with_hot_pixels,
    "inverted": lambda image, labels: (image.max() - image, labels),
    "double size": rescaled(2),
    "half size": rescaled(0.5),
    **DIMMED,
    "bright blobs, out of focus": with_blobs,
    "fibres": with_fibres,
    "rows lighter and darker, 10 %": lined(0.1),
    "stripes of 40 px, 10 %": lined(0.1, 40),
    "eight dead columns": with_columns(lambda image: 0.0),
    "eight hot columns": with_columns(lambda image: float(image.max())),
    "eight rows broken over half": with_broken_rows,
}
