"""Intensity normalisation: of the whole image for the coarse pass, of the predicted foreground for the fine pass.

The network sees three views of the intensities. The first is the paper's, ``(x - mean) / std`` of the foreground. The
others compress the range above the background, one strongly and one as a square root does, so that a nucleus at a
tenth of the brightness of its neighbours is still seen. A fourth channel says whether a plane is a slice of a stack:
then what lies above and below shows through, and is no nucleus of this slice.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from nuset_engine.arrays import InputYXC, Mask, MatrixF32, Pixels, ValuesN
from nuset_engine.planes.quantiles import median, percentiles

CHANNELS = 4
STACKED = 3  # the channel that says whether planes are slices
CLIP = 10.0
BRIGHTEST = 3.0  # times the median nucleus: a few that are brighter still count as so bright in the statistics
TOGETHER_PX = 1 << 14  # pixels that are normalised at once: what is made on the way stays in the processor's cache
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


def sample(image: Pixels, most: int = LARGEST_SAMPLE) -> ValuesN:
    """Finite values (N,) of an image, about `most` of them where there are more, evenly taken.

    They are in its own precision: of whole numbers, the order is found in a tenth of the time.
    """
    flat = image.reshape(-1)
    flat = flat[:: max(1, flat.size // most)]
    return flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat


def whole_image_statistics(image: Pixels) -> IntensityStatistics:
    """Statistics of all pixels of an image of any shape, for the coarse pass; NaN and infinite pixels do not count."""
    own = sample(image)
    if own.size == 0:
        return BLANK
    low, quarter, half, high = percentiles(own, (0.5, 25, 50, 99.8))
    values = own.astype(np.float64)
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
    background = median(rest)
    nuclei = np.minimum(nuclei, background + BRIGHTEST * max(median(nuclei) - background, 0.0))
    contrast = float(nuclei.mean()) - background
    if contrast <= 0:
        return None
    noise = 1.4826 * median(np.abs(rest - background))  # standard deviation from the median deviation
    return IntensityStatistics(
        float(nuclei.mean()),
        max(float(nuclei.std()), 0.1 * contrast),
        background,
        max(noise, 1e-3 * contrast),
        contrast,
    )


def normalize(
    image: Pixels, statistics: IntensityStatistics, stacked: bool = False, channels: int = CHANNELS
) -> InputYXC:
    """The network's input.

    Parameters
    ----------
    image : (..., Y, X) any real dtype
    statistics : IntensityStatistics
    stacked : bool
        Whether the planes are slices of a stack.
    channels : int
        How many of the channels the weights read, the first ones; older weights read two.

    Returns
    -------
    (..., Y, X, channels) float32, within a few units of 0; pixels that are not finite count as background. In memory
        each channel of a plane lies by itself.
    """
    height, width = image.shape[-2:]
    views = np.empty((*image.shape[:-2], channels, height, width), np.float32)
    for pixels, own in zip(image.reshape(-1, height * width), views.reshape(-1, channels, height * width), strict=True):
        for start in range(0, len(pixels), TOGETHER_PX):
            some = slice(start, start + TOGETHER_PX)
            _write_views(pixels[some], statistics, own[:, some])
        own[STACKED:] = stacked
    return np.moveaxis(views, -3, -1)


def _write_views(pixels: ValuesN, statistics: IntensityStatistics, views: MatrixF32) -> None:
    """Write the views of some pixels (N,) into the first of `views` (channels, N)."""
    if statistics.is_blank:
        views[:STACKED] = 0
        return
    # The offset goes off first, in the image's own precision: what is left of a dim image on a high one is small.
    x = pixels if pixels.dtype.kind == "f" else pixels.astype(np.float32)
    above = (x - x.dtype.type(statistics.background)).astype(np.float32, copy=False)
    finite = np.isfinite(above)
    if not finite.all():
        above = np.where(finite, above, np.float32(0))
    for make, view in zip((_standardised, _compressed, _root), views, strict=False):
        np.clip(make(above, statistics), -CLIP, CLIP, out=view)


def _standardised(above: ValuesN, statistics: IntensityStatistics) -> ValuesN:
    """(N,) float32 with the foreground's mean and standard deviation, from what is above the background (N,)."""
    return (above - np.float32(statistics.mean - statistics.background)) / np.float32(statistics.std)


def _compressed(above: ValuesN, statistics: IntensityStatistics) -> ValuesN:
    """(N,) float32 whose bright range is compressed strongly."""
    return np.arcsinh(above / np.float32(0.05 * statistics.contrast + statistics.noise))


def _root(above: ValuesN, statistics: IntensityStatistics) -> ValuesN:
    """(N,) float32 whose bright range is compressed as by a square root."""
    root: ValuesN = np.copysign(2 * np.sqrt(np.abs(above) / np.float32(statistics.contrast)), above)
    return root
