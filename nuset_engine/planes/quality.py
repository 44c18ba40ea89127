"""What a stack itself tells about its quality, noted in passing while its planes are read for segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import AnyFloatsN, PlaneYX
from nuset_engine.planes.lazy import LazyPlanes

_STRIDE = 8  # every eighth pixel in each direction says enough about the background
_DARK_PERCENT = 10.0


@dataclass(frozen=True)
class Quality:
    """Quality of one stack.

    Attributes
    ----------
    blank_slices : tuple of int
        Slices all of whose pixels have one value: missing from the file, or lost by the camera.
    background : float or None
        Intensity of dark places: median over the slices that are not blank of each slice's 10th percentile.
    """

    blank_slices: tuple[int, ...]
    background: float | None

    def signal(self, intensities: AnyFloatsN) -> float | None:
        """Mean intensity of nuclei above the background, None without nuclei; a bleaching dye makes it fall.

        Parameters
        ----------
        intensities : (N,) float
            Mean intensity of each nucleus.
        """
        known = np.asarray(intensities, dtype=np.float64)
        known = known[np.isfinite(known)]
        if self.background is None or not known.size:
            return None
        return float(known.mean()) - self.background


class WatchedPlanes(LazyPlanes):
    """The planes of a stack, (Y, X) each, passed on as they are while their quality is noted."""

    def __init__(self, planes: Sequence[PlaneYX]) -> None:
        super().__init__(planes.__getitem__, len(planes), seen=self._note)
        self._blank: dict[int, bool] = {}
        self._dark: dict[int, float] = {}

    @property
    def quality(self) -> Quality:
        """The quality of the planes that were read so far."""
        blank = tuple(sorted(z for z, is_blank in self._blank.items() if is_blank))
        dark = [value for value in self._dark.values() if np.isfinite(value)]
        return Quality(blank, float(np.median(dark)) if dark else None)

    def _note(self, z: int, plane: PlaneYX) -> None:
        if z in self._blank:
            return
        values = np.asarray(plane)
        self._blank[z] = not values.size or bool((values == values.flat[0]).all()) or not np.isfinite(values).any()
        if not self._blank[z]:
            sample = values[::_STRIDE, ::_STRIDE].astype(np.float64)
            sample = sample[np.isfinite(sample)]
            self._dark[z] = float(np.percentile(sample, _DARK_PERCENT)) if sample.size else np.nan
