"""Names for the arrays of tracking, after those of `nuset_engine.arrays`, whose rules they follow.

N stands for nuclei, E for possible links or divisions, K for tracks or neighbours, F for features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PointsND = NDArray[np.float64]  # (N, 2 or 3) y, x or z, y, x
DistancesNK = NDArray[np.float64]  # (N, K) to the K nearest of each
RowsNK = NDArray[np.signedinteger]  # (N, K) int64
