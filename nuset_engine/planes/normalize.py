"""Intensity normalisation: of the whole image for the coarse pass, of the predicted foreground for the fine pass.

The network sees two channels. The first is the paper's, ``(x - mean) / std`` of the foreground. The second compresses
the range above the background, so that a nucleus at a tenth of the brightness of its neighbours is still seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, InputYXC, Mask, Pixels

CLIP = 10.0
LARGEST_SAMPLE = 1 << 18  # pixels that statistics are taken from; more do not change them


@dataclass(frozen=True)
class IntensityStatistics:
    """What an image is normalised by, in its own intensity units.

    Attributes
    ----------
    mean, std : float
        Of the foreground (fine pass) or of everything (coarse pass).
    background : float
        Typical intensity outside nuclei.
    noise : float
        Spread of the intensity outside nuclei.
    contrast : float
        Typical intensity of nuclei above the background; 0 marks an image without any contrast.
    """

    mean: float
    std: float
    background: float
    noise: float
    contrast: float

    @property
    def is_blank(self) -> bool:
        """True where no nucleus can be: the image is constant or holds no finite value."""
        return self.contrast <= 0

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)


BLANK = IntensityStatistics(0.0, 1.0, 0.0, 1.0, 0.0)


def sample_values(image: Pixels, most: int = LARGEST_SAMPLE) -> FloatsN:
    """Finite values (N,) float64 of an image, about `most` of them where there are more, evenly taken."""
    flat = image.reshape(-1)
    flat = flat[:: max(1, flat.size // most)].astype(np.float64)
    return flat[np.isfinite(flat)]


def whole_image_statistics(image: Pixels) -> IntensityStatistics:
    """Statistics of all pixels of an image of any shape, for the coarse pass; NaN and infinite pixels do not count."""
    values = sample_values(image)
    if values.size == 0:
        return BLANK
    low, quarter, half, high = np.percentile(values, (0.5, 25, 50, 99.8))
    if high <= low:  # a few bright pixels on a constant image are still an image
        high = values.max()
    if high <= low:
        return BLANK
    noise = max(half - quarter, 1e-3 * (high - low))
    return IntensityStatistics(
        float(values.mean()),
        float(max(values.std(), 1e-6 * (high - low))),
        float(quarter),
        float(noise),
        float(high - quarter),
    )


def foreground_statistics(image: Pixels, foreground: Mask, minimum_px: int = 30) -> IntensityStatistics | None:
    """Statistics of the predicted foreground and of the background.

    Parameters
    ----------
    image, foreground : same shape, any axes; foreground is bool

    Returns
    -------
    IntensityStatistics or None
        None where foreground or background is too small (under `minimum_px` pixels) to be measured.
    """
    step = max(1, image.size // LARGEST_SAMPLE)
    flat, inside = image.ravel()[::step].astype(np.float64), foreground.ravel()[::step]
    finite = np.isfinite(flat)
    nuclei, rest = flat[inside & finite], flat[~inside & finite]
    if min(nuclei.size, rest.size) * step < minimum_px or min(nuclei.size, rest.size) == 0:
        return None
    background = float(np.median(rest))
    contrast = float(nuclei.mean()) - background
    if contrast <= 0:
        return None
    noise = 1.4826 * float(np.median(np.abs(rest - background)))  # standard deviation from the median deviation
    return IntensityStatistics(
        float(nuclei.mean()),
        max(float(nuclei.std()), 0.1 * contrast),
        background,
        max(noise, 1e-3 * contrast),
        contrast,
    )


def normalize(image: Pixels, statistics: IntensityStatistics) -> InputYXC:
    """The network's input.

    Parameters
    ----------
    image : (..., Y, X) any real dtype
    statistics : IntensityStatistics

    Returns
    -------
    (..., Y, X, 2) float32, both channels within a few units of 0; pixels that are not finite count as background
    """
    x = image.astype(np.float32)
    if not np.isfinite(x).all():
        x = np.where(np.isfinite(x), x, np.float32(statistics.background))
    out = np.empty((*x.shape, 2), np.float32)
    if statistics.is_blank:
        out[...] = 0
        return out
    np.clip((x - statistics.mean) / statistics.std, -CLIP, CLIP, out=out[..., 0])
    knee = 0.05 * statistics.contrast + statistics.noise
    np.arcsinh((x - statistics.background) / knee, out=out[..., 1])
    np.clip(out[..., 1], -CLIP, CLIP, out=out[..., 1])
    return out
