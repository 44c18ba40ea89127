"""Names for the arrays of tracking, beside those of `nuset_engine.arrays`, whose rules they follow.

N stands for nuclei, or for possible links and divisions; K for the nearest of each; F for features; D for 2 or 3 axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PlacesND = NDArray[np.float64]  # (N, D) y, x or z, y, x
DistancesNK = NDArray[np.float64]  # (N, K) to the nearest of each
RowsNK = NDArray[np.signedinteger]  # (N, K) int64: the nearest of each
FeaturesNF = NDArray[np.float64]  # (N, F) features, or how they change
SeenNS = NDArray[np.float32]  # (N, S) what doubts are judged by
ScalesF = NDArray[np.float64]  # (F,) one for each feature
TracksLBEP = NDArray[np.signedinteger]  # (N, 4) int64: label, first and last time point, parent or 0
StoredArray = NDArray[Any]  # (N, ...) of any kind, as states hold it by name
