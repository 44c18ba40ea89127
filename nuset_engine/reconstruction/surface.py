"""Smooth surfaces: slices are outlined one by one, and only together do they show where a nucleus ends.

A nucleus is blurred by a fixed part of its own extent along each axis, and what stays above a level is the nucleus. On
the surface of a ball of radius r, a blur of standard deviation s leaves 1/2 - s / (sqrt(2 pi) r), to first order in
s / r (Gaussian average of the half space less the paraboloid between it and the ball); this level keeps the volume.
"""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FlatN, LabelsZYX, MaskZYX

REACH = 3  # standard deviations
FEWEST_SLICES = 5  # of a nucleus whose surface can be told from its slices
LEAST_KEPT = 0.7  # of its voxels: what would lose more is a thread or a sheet, not a ragged nucleus


def smooth_surfaces(labels: LabelsZYX, blur: float) -> None:
    """Smooth the surface of every nucleus in place.

    Voxels that a nucleus gains come from the background, or from a neighbour that gives them up; of two that gain the
    same one, the first has it.

    Parameters
    ----------
    labels : (Z, Y, X) uint32
        A stack; nuclei in fewer than `FEWEST_SLICES` slices stay as they are, and so do threads and sheets.
    blur : float
        Standard deviation over the nucleus' extent; 0 changes nothing.
    """
    from scipy import ndimage

    if not blur:
        return
    changes = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None and box[0].stop - box[0].start >= FEWEST_SLICES:
            changes.append((label, *_changes(labels, label, box, blur)))
    flat = labels.reshape(-1)
    for _, _, lost in changes:
        flat[lost] = 0
    for label, gained, _ in changes:
        flat[gained[flat[gained] == 0]] = label


def _changes(labels: LabelsZYX, label: int, box: tuple[slice, ...], blur: float) -> tuple[FlatN, FlatN]:
    """Flat indices that a nucleus gains and that it loses, as small as they can be: there are many nuclei."""
    from scipy import ndimage

    across = blur * _width(labels[box] == label)
    sigma = (blur * (box[0].stop - box[0].start), across, across)
    wide = tuple(
        slice(max(0, b.start - pad), min(n, b.stop + pad))
        for b, n, pad in zip(box, labels.shape, (int(np.ceil(REACH * s)) for s in sigma), strict=True)
    )
    mask = labels[wide] == label
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=REACH, mode="nearest")
    smooth = blurred >= 0.5 - 2 * blur / np.sqrt(2 * np.pi)
    if np.count_nonzero(smooth & mask) < LEAST_KEPT * np.count_nonzero(mask):
        smooth = mask
    corner = np.array([w.start for w in wide])[:, None]

    def flat(found: MaskZYX) -> FlatN:
        where = np.ravel_multi_index(tuple(np.array(np.nonzero(found)) + corner), labels.shape)
        small: FlatN = where.astype(np.min_scalar_type(labels.size))
        return small

    return flat(smooth & ~mask), flat(mask & ~smooth)


def _width(mask: MaskZYX) -> float:
    """Diameter in pixels of the circle as large as the largest section."""
    return float(np.sqrt(4 / np.pi * mask.sum(axis=(1, 2)).max()))
