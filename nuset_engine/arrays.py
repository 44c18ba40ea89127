"""Names for arrays: what lies along the axes and what kind of number it is.

A name ends in its axes: Z, Y, X of images, C colours or channels, N (or another letter) one entry per nucleus, section,
pair or pixel, a digit for so many components. Grey values are of any real dtype, as cameras and files give them, and
labels any integers; all else has one dtype. NumPy tells the checker of no axes, so these names tell the reader.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Images as they come: any real dtype.
Pixels = NDArray[Any]  # any axes
ImageYX = NDArray[Any]  # (Y, X), or (Y, X, 3 or 4) in colour
ImageYXS = NDArray[Any]  # (Y, X, samples)
PlaneYX = NDArray[Any]  # (Y, X)
StackZYX = NDArray[Any]  # (Z, Y, X)

# Images that are computed.
PlaneF32 = NDArray[np.float32]  # (Y, X)
PlaneF64 = NDArray[np.float64]  # (Y, X)
PlaneFloat = NDArray[np.floating]  # (Y, X) of any precision
AnyFloats = NDArray[np.floating]  # any axes, of any precision
StackF32 = NDArray[np.float32]  # (Z, Y, X)
StackF64 = NDArray[np.float64]  # (Z, Y, X)
StackU16 = NDArray[np.uint16]  # (Z, Y, X)
PictureYX3 = NDArray[np.uint8]  # (Y, X, 3) red, green, blue
DistancesNYX = NDArray[np.float64]  # (N, Y, X)

# Labels: 0 is background, and every other number an object.
Labels = NDArray[np.integer]  # any axes
LabelsYX = NDArray[np.integer]  # (Y, X)
LabelsZYX = NDArray[np.integer]  # (Z, Y, X)

Mask = NDArray[np.bool_]  # any axes
MaskYX = NDArray[np.bool_]  # (Y, X)
MaskZYX = NDArray[np.bool_]  # (Z, Y, X)

# What the network takes and gives.
InputYXC = NDArray[np.float32]  # (..., Y, X, channels)
InputsNYXC = NDArray[np.float32]  # (N, Y, X, channels), a batch
HeadYXK = NDArray[np.float32]  # (y, x, anchors * 5): scores and offsets of one level
AnchorsYXA4 = NDArray[np.float32]  # (y, x, anchors, 4) boxes
SidesA2 = NDArray[np.float32]  # (anchors, 2) heights and widths
TensorF32 = NDArray[np.float32]  # weights and targets of training: axes are said where it is used

# One entry per thing: nuclei, sections, pairs, pixels.
FlagsN = NDArray[np.bool_]  # (N,)
FlagsNM = NDArray[np.bool_]  # (N, M)
IntsN = NDArray[np.signedinteger]  # (N,) int64: counts, labels; the checker sees the type of indices apart from it
RowsN = NDArray[np.signedinteger]  # (N,) int64: positions in other arrays
FlatN = NDArray[np.integer]  # (N,) positions in an array without its axes
MaskOrRowsN = FlagsN | RowsN  # a choice among things
FloatsN = NDArray[np.float64]  # (N,)
AnyFloatsN = NDArray[np.floating]  # (N,) of any precision
ScoresN = NDArray[np.float32]  # (N,)
PlacesN = NDArray[np.float32]  # (N,) along one axis
ValuesN = NDArray[Any]  # (N,) any real dtype

# Several numbers per thing.
PointsZYX = NDArray[np.float64]  # (N, 3) z, y, x
PointsYX = NDArray[np.float64]  # (N, 2) y, x
PointsYX32 = NDArray[np.float32]  # (N, 2) y, x
PointsND = NDArray[Any]  # (N, 2 or 3) y, x or z, y, x, any real dtype
SidesN2 = NDArray[np.float32]  # (N, 2) heights and widths
PixelsYX = NDArray[np.signedinteger]  # (N, 2) row and column
PairsN2 = NDArray[np.signedinteger]  # (N, 2)
BoxesN4 = NDArray[np.float32]  # (N, 4) y0, x0, y1, x1
Boxes4 = NDArray[np.float32]  # (..., 4) y0, x0, y1, x1
AxesND = NDArray[np.float64]  # (N, 2 or 3) lengths
RotationsN33 = NDArray[np.float64]  # (N, 3, 3)
CountsNM = NDArray[np.unsignedinteger]  # (N, M) as files store them
MatrixNM = NDArray[np.float64]  # (N, M)
MatrixF32 = NDArray[np.float32]  # (N, M)
TermsNMK = NDArray[np.float64]  # (N, M, K)
Points3N = NDArray[np.float64]  # (3, N) z, y, x
Points3F32 = NDArray[np.float32]  # (3, ...) z, y, x
PlacesYX = NDArray[np.float32]  # (2, Y, X) y, x of every pixel
GridF32 = NDArray[np.float32]  # any axes, those of the points that it belongs to

# One place or direction.
PointYX = NDArray[np.floating]  # (2,) of any precision
VectorZYX = NDArray[np.float64]  # (3,)
Rotation33 = NDArray[np.float64]  # (3, 3)
