"""Which nuclei are found, by how bright they are beside the others of their image, and how large they are drawn.

The brightness of a nucleus is the mean of its pixels minus the median of the image outside all labels, relative to the
median of this difference over the nuclei of its image: 1 is a usual nucleus, 0.3 a dim one, whatever the exposure, and
also where nuclei are darker than what surrounds them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from nuset_engine.arrays import FloatsN, Labels, Pixels
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.metrics import match_overlap
from nuset_engine.overlap import overlap

BRIGHTNESS_EDGES = (0.3, 0.6, 1.5)
"""Between dim, somewhat dim, usual and bright nuclei."""
CLASSES = ("below 0.3", "0.3 to 0.6", "0.6 to 1.5", "above 1.5")


def relative_brightness(image: Pixels, labels: Labels) -> FloatsN:
    """Brightness of every nucleus, by ascending label.

    Parameters
    ----------
    image : (Y, X) or (Z, Y, X)
    labels : same shape, int

    Returns
    -------
    (N,) float64
        NaN where it cannot be told: no background, or nuclei that do not differ from it.

    Raises
    ------
    EngineError
        If the shapes differ.
    """
    if image.shape != labels.shape:
        raise EngineError(f"Image {image.shape} and labels {labels.shape} differ in shape; give two of one source.")
    values, pixels = np.unique(labels, return_inverse=True)
    inside = labels.ravel() > 0
    if not inside.any() or inside.all():
        return np.full(int((values > 0).sum()), np.nan)
    flat = image.ravel().astype(np.float64)
    sums = np.bincount(pixels.ravel(), weights=flat)[values > 0]
    contrast = sums / np.bincount(pixels.ravel())[values > 0] - np.median(flat[~inside])
    usual = np.median(contrast)
    return contrast / usual if usual else np.full(len(contrast), np.nan)


def nuclei_by_brightness(image: Pixels, truth: Labels, predicted: Labels) -> pd.DataFrame:
    """One row per true nucleus: `label`, `brightness`, whether it is `found` (matched at IoU 0.5), and `area_ratio`,
    the area as predicted over the true one, of those that are found (NaN of the others)."""
    found = overlap(truth, predicted)
    matching = match_overlap(found)
    places = np.searchsorted(found.labels_a, matching.true_labels)
    drawn = found.areas_b[np.searchsorted(found.labels_b, matching.predicted_labels)]
    ratio = np.full(len(found.labels_a), np.nan)
    ratio[places] = drawn / found.areas_a[places]
    return pd.DataFrame(
        {
            "label": found.labels_a,
            "brightness": relative_brightness(image, truth),
            "found": np.isfinite(ratio),
            "area_ratio": ratio,
        }
    )


def by_brightness(nuclei: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """What `nuclei_by_brightness` gave for several images, by class of brightness.

    Returns
    -------
    pandas.DataFrame
        Index `brightness` (`CLASSES`); `nuclei` (count), `found` (share; NaN without nuclei), `area_ratio` (median).
    """
    rows = pd.concat([pd.DataFrame({"brightness": [], "found": [], "area_ratio": []}), *nuclei])
    rows = rows[rows["brightness"].notna()].astype({"found": float, "brightness": float})
    kind = np.searchsorted(BRIGHTNESS_EDGES, rows["brightness"], side="right")
    groups = rows.groupby(kind)
    table = pd.DataFrame(
        {"nuclei": groups.size(), "found": groups["found"].mean(), "area_ratio": groups["area_ratio"].median()}
    )
    table = table.reindex(range(len(CLASSES)))
    table["nuclei"] = table["nuclei"].fillna(0).astype(int)
    return table.set_index(pd.Index(CLASSES, name="brightness"))
