"""Names for the arrays that are drawn, beside those of `nuset_engine.arrays`, whose rules they follow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PointsXY = NDArray[np.float64]  # (N, 2) x, y
SegmentsN22 = NDArray[np.float64]  # (N, 2, 2) x, y of both ends
ColoursN4 = NDArray[np.float64]  # (N, 4) red, green, blue, opacity from 0 to 1
TracksN5 = NDArray[np.float64]  # (N, 5) track id, t, z, y, x in pixels
