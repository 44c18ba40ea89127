"""A plane as the network sees it, at its resolution, of which windows are made when they are asked for."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import PlaneF32, PlaneYX
from nuset_engine.planes.exposure import PLAIN, Exposure, places
from nuset_engine.planes.quantiles import median
from nuset_engine.planes.resample import reach, resample, resample_window, scaled_shape, steps

CELLS = 4  # a window is found on a grid of a quarter of its edge
FINER = 8  # so many times as fine where what is near counts
SAMPLES = 8  # pixels along the edge of such a cell that are looked at, at least


class ScaledPlane:
    """A plane (Y, X) of any real dtype at `factor` times its resolution, as float32.

    Parameters
    ----------
    plane : (Y, X)
        Kept as it is, never copied whole.
    factor : float
    background : float
        Taken for pixels that are not finite; as `exposure` shows it.
    exposure : Exposure
        Polarity, believable range, uneven background, stripes and level of the stack.
    shape : (int, int), optional
        Its shape at that resolution where another one is wanted than the nearest.
    """

    def __init__(
        self,
        plane: PlaneYX,
        factor: float,
        background: float,
        exposure: Exposure = PLAIN,
        shape: tuple[int, int] | None = None,
    ) -> None:
        self._plane, self._background, self._exposure = exposure.straight(plane), background, exposure
        self.source_shape: tuple[int, int] = (plane.shape[0], plane.shape[1])
        self.shape = shape or scaled_shape(plane.shape, factor)
        self._step = steps(plane.shape, self.shape)

    def __getitem__(self, window: tuple[slice, slice]) -> PlaneF32:
        """Rows and columns of the scaled plane, (Y, X) float32."""
        cut = tuple(reach(w, step, n) for w, step, n in zip(window, self._step, self.source_shape, strict=True))
        scaled = resample_window(self._shown(cut), (cut[0].start, cut[1].start), self._step, window)
        return self._exposure.flattened(scaled, *(places(w, n) for w, n in zip(window, self.shape, strict=True)))

    def _shown(self, cut: tuple[slice, ...]) -> PlaneF32:
        where = (places(c, n) for c, n in zip(cut, self.source_shape, strict=True))
        return self._exposure.shown(self._plane[cut], self._background, *where)

    def whole(self) -> PlaneF32:
        """All of it."""
        return self[slice(0, self.shape[0]), slice(0, self.shape[1])]

    def busiest(self, edge: int, parts: int = 1, near: bool = False) -> list[tuple[slice, slice]]:
        """The windows of at most edge x edge pixels that show most, one in each of parts x parts parts of the plane.

        What is shown is what differs from the middle of the plane; or, in finer cells, from what is `near`, so that it
        is no background.
        """
        cell, across = max(1, edge // CELLS), CELLS
        rough = max(1, int(cell * min(self._step)) // (2 * SAMPLES if near else SAMPLES))  # source pixels passed over
        if near and cell >= FINER:
            cell, across = cell // FINER, CELLS * FINER
        sparse = self._shown(tuple(slice(0, n, rough) for n in self.source_shape))
        cells = resample(sparse, (max(1, self.shape[0] // cell), max(1, self.shape[1] // cell)))
        cells = self._exposure.flattened(cells, *(places(slice(0, n), n) for n in cells.shape))
        usual = ndi.uniform_filter(cells, FINER + 1) if near else median(cells)
        busy = ndi.uniform_filter(np.abs(cells - usual), across, mode="constant")
        chosen = []
        for rows in np.array_split(np.arange(busy.shape[0]), parts):
            for columns in np.array_split(np.arange(busy.shape[1]), parts):
                if rows.size and columns.size:
                    part = busy[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                    y, x = np.unravel_index(int(part.argmax()), part.shape)
                    middle = (rows[0] + y) * cell, (columns[0] + x) * cell
                    chosen.append(self._around((int(middle[0]), int(middle[1])), edge))
        return chosen

    def _around(self, middle: tuple[int, int], edge: int) -> tuple[slice, slice]:
        starts = [min(max(0, m - edge // 2), max(0, n - edge)) for m, n in zip(middle, self.shape, strict=True)]
        rows, columns = (slice(s, min(n, s + edge)) for s, n in zip(starts, self.shape, strict=True))
        return rows, columns
