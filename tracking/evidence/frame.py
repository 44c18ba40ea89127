"""One time point as the tracker holds it: positions, features and how each nucleus is connected to the past."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, PointsZYX, RowsN
from nuset_engine.nuclei import Nuclei
from tracking.arrays import FeaturesNF, StoredArray
from tracking.errors import TrackingError
from tracking.evidence.beliefs import FEATURES, Sums


@dataclass
class Frame:
    """N nuclei of one time point in canonical order (by position, then label), so that the order of rows never matters.

    Attributes
    ----------
    t : int
    labels : (N,) int64
    positions : (N, 3) float64
        z, y, x in the unit of the nuclei.
    features : (N, F) float64
        `FEATURES`; NaN where unknown.
    suspect : (N,) bool
        It may be only a part of a nucleus.
    fused : (N,) bool
        It may be more than one nucleus.
    growth : (N,) float64
        How much its logarithmic size rose in the step that led here, NaN where not known.
    size : (N,) float64
        Its logarithmic size as measured, that of parts and of several taken for one included.
    usual : (N,) float64
        Logarithmic size along its track, recent nuclei counted most; NaN where never known.
    back : (N,) int64
        How many frames back the predecessor lies; 0: none.
    row : (N,) int64
        Row of the predecessor in that frame; -1: none.
    newborn : (N,) bool
        The predecessor divided, and this is one daughter.
    sister : (N,) int64
        How many frames later the other daughter appeared; 0: none of later than this frame.
    score : (N,) float64
        Score of that division, NaN for others.
    residual : (N, 3) float64
        How far the step that led here went beyond that of the neighbours.
    born_t : (N,) float64
        First time point of the track, or of the sister's where that is earlier.
    age_known : (N,) bool
        The track began with a division, so that its age is that of the nucleus.
    cycle : (N,) float64
        How long the parent lived from its own birth to its division, NaN if not known.
    born_score : (N,) float64
        Score of the division that the track began with, as far as the age is known.
    length : (N,) int64
        Nuclei in the track until here.
    start_id : (N,) int64
        The id given to the track that starts here; 0: none was needed yet. It is kept, so that ids do not wander.
    track_id : (N,) int64
    sums : Sums
        What the step into this frame showed.
    """

    t: int
    labels: IntsN
    positions: PointsZYX
    features: FeaturesNF
    suspect: FlagsN
    fused: FlagsN
    growth: FloatsN
    size: FloatsN
    usual: FloatsN
    back: IntsN
    row: RowsN
    newborn: FlagsN
    sister: IntsN
    score: FloatsN
    residual: PointsZYX
    born_t: FloatsN
    age_known: FlagsN
    cycle: FloatsN
    born_score: FloatsN
    length: IntsN
    start_id: IntsN
    track_id: IntsN
    sums: Sums = field(default_factory=Sums)

    def __len__(self) -> int:
        """Number of nuclei."""
        return len(self.labels)

    def arrays(self) -> dict[str, StoredArray]:
        """All arrays by name, for `state`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("t", "sums")}


def frame_of(nuclei: Nuclei) -> Frame:
    """Bring a table of nuclei into canonical order, without connections.

    Raises
    ------
    TrackingError
        If a position is not finite.
    """
    positions = nuclei.positions()
    labels = nuclei.table["label"].to_numpy(np.int64, copy=True)
    bad = ~np.isfinite(positions).all(axis=1)
    if bad.any():
        raise TrackingError(
            f"{int(bad.sum())} of {len(labels)} nuclei of time point {nuclei.t} have no finite position in "
            f"{nuclei.unit}; remove them or give their positions."
        )
    features = _features(nuclei)
    order = np.lexsort((labels, *positions.T[::-1]))
    # Parts of nuclei, and several taken for one, have sizes and intensities that say nothing of a whole one.
    part, fused = (nuclei.table[f"{fault}_suspected"].to_numpy(bool) for fault in ("split", "merge"))
    size = features[:, 0].copy()
    features[part | fused] = np.nan
    count = len(labels)
    return Frame(
        t=int(nuclei.t),
        labels=labels[order],
        positions=positions[order],
        features=features[order],
        suspect=part[order],
        fused=fused[order],
        growth=np.full(count, np.nan),
        size=size[order],
        usual=features[order, 0].copy(),
        back=np.zeros(count, np.int64),
        row=np.full(count, -1, np.int64),
        newborn=np.zeros(count, bool),
        sister=np.zeros(count, np.int64),
        score=np.full(count, np.nan),
        residual=np.zeros((count, 3)),
        born_t=np.full(count, float(nuclei.t)),
        age_known=np.zeros(count, bool),
        cycle=np.full(count, np.nan),
        born_score=np.zeros(count),
        length=np.ones(count, np.int64),
        start_id=np.zeros(count, np.int64),
        track_id=np.zeros(count, np.int64),
    )


def _features(nuclei: Nuclei) -> FeaturesNF:
    """Size (as a diameter) and intensity as logarithms, elongation as it is; NaN where unknown."""
    table = nuclei.table
    columns = np.full((len(table), len(FEATURES)), np.nan)
    sources = (
        ("equivalent_diameter_um", 1.0),
        ("volume_um3", 3.0),
        ("area_um2", 2.0),
        ("volume_px", 3.0),
    )
    for name, power in sources:
        value = table[name].to_numpy(np.float64)
        if not np.isnan(columns[:, 0]).all():
            break
        columns[:, 0] = _log(value) / power
    columns[:, 1] = _log(table["intensity_mean"].to_numpy(np.float64))
    columns[:, 2] = table["elongation"].to_numpy(np.float64)
    columns[~np.isfinite(columns)] = np.nan
    return columns


def _log(value: FloatsN) -> FloatsN:
    """Natural logarithm, NaN for what is not positive."""
    positive = value > 0
    return np.where(positive, np.log(np.where(positive, value, 1.0)), np.nan)
