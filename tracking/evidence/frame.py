"""One time point as the tracker holds it: positions, features and how each nucleus is connected to the past."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, PointsZYX, RowsN
from nuset_engine.nuclei import Nuclei
from tracking.arrays import DistancesNK, FeaturesNF, RowsNK, SeenNS, StoredArray
from tracking.errors import TrackingError
from tracking.evidence.beliefs import FEATURES, Sums
from tracking.evidence.motion import spacing_of
from tracking.evidence.neighbours import nearest, tree_of

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

SEEN = (
    "score_seen",
    "thickness",
    "unseen",
    "bridged",
    "border",
    "log_intensity",
    "elongation",
    "extent",
    "contrast",
)
"""What doubts are judged by besides: detection score, slices over and short of what is expected, whether a gap was
bridged and the border cuts it, log intensity, elongation, share of its box, variation of intensity over its mean."""


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
    seen : (N, S) float32
        `SEEN`; NaN where unknown.
    wrong : (N,) float64
        Logarithmic odds that it is not exactly one nucleus, see `tracking.doubts`.
    doubt, link_doubt, end_doubt : (N,) float64
        Probabilities that the nucleus, how it began or goes on, and how it ends are wrong; NaN where there is nothing
        to doubt.
    fault : (N,) int64
        What is likeliest wrong with it, in `tracking.doubts.model.FAULTS`; -1: nothing.
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
    seen: SeenNS
    wrong: FloatsN
    doubt: FloatsN
    link_doubt: FloatsN
    end_doubt: FloatsN
    fault: IntsN
    sums: Sums = field(default_factory=Sums)

    def __len__(self) -> int:
        """Number of nuclei."""
        return len(self.labels)

    def arrays(self) -> dict[str, StoredArray]:
        """All arrays by name, for `state`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("t", "sums")}

    @cached_property
    def tree(self) -> cKDTree:
        """Its positions, which never change and are searched many times."""
        return tree_of(self.positions)

    @cached_property
    def beside(self) -> tuple[DistancesNK, RowsNK]:
        """(N, 2) distances and rows of each nucleus itself and of its nearest neighbour; there are at least two."""
        return nearest(self.tree, self.positions, 2)

    @cached_property
    def spacing(self) -> float | None:
        """Median distance to the nearest neighbour at another place; None for fewer than two places."""
        return spacing_of(self.positions, self.beside[0][:, 1]) if len(self) > 1 else None

    @cached_property
    def middle_size(self) -> float:
        """Median of what is known of `size`."""
        return middle(self.size)

    @cached_property
    def middle_light(self) -> float:
        """Median of what is known of the logarithmic intensity."""
        return middle(self.seen[:, SEEN.index("log_intensity")].astype(np.float64))


def middle(values: FloatsN) -> float:
    """Median of what is known; NaN where nothing is."""
    known = np.sort(values[np.isfinite(values)])  # faster than `numpy.median` for so few
    half = len(known) // 2
    if not len(known):
        return float("nan")
    return float(known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2.0)


def frame_of(nuclei: Nuclei) -> Frame:
    """Bring a table of nuclei into canonical order, without connections.

    Raises
    ------
    TrackingError
        If a position is not finite.
    """
    positions, labels = _finite_positions(nuclei), nuclei.table["label"].to_numpy(np.int64, copy=True)
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
        seen=_seen(nuclei)[order],
        wrong=np.full(count, np.nan),
        fault=np.full(count, -1, np.int64),
        doubt=np.full(count, np.nan),
        link_doubt=np.full(count, np.nan),
        end_doubt=np.full(count, np.nan),
    )


def _finite_positions(nuclei: Nuclei) -> PointsZYX:
    """Positions, none of which is missing."""
    positions = nuclei.positions()
    bad = ~np.isfinite(positions).all(axis=1)
    if bad.any():
        raise TrackingError(
            f"{int(bad.sum())} of {len(positions)} nuclei of time point {nuclei.t} have no finite position in "
            f"{nuclei.unit}; remove them or give their positions."
        )
    return positions


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


def _seen(nuclei: Nuclei) -> SeenNS:
    """`SEEN` of a table; tables of positions alone know nothing of it."""
    table = nuclei.table
    expected, found = (table[f"slices_{name}"].to_numpy(np.float64) for name in ("expected", "seen"))
    known = (expected > 0) & (found > 0)
    mean = _log(table["intensity_mean"].to_numpy(np.float64))
    columns = {
        "score_seen": table["score"].to_numpy(np.float64),
        "thickness": np.where(known, _log(found) - _log(expected), np.nan),
        "unseen": np.where(known, np.maximum(expected - found, 0.0), np.nan),
        "bridged": np.where(known, table["gap_bridged"].to_numpy(np.float64), np.nan),
        "border": np.where(known, table["touches_border"].to_numpy(np.float64), np.nan),
        "log_intensity": mean,
        "elongation": table["elongation"].to_numpy(np.float64),
        "extent": table["extent"].to_numpy(np.float64),
        "contrast": _log(table["intensity_std"].to_numpy(np.float64)) - mean,
    }
    seen = np.stack([columns[name] for name in SEEN], axis=1)
    return np.where(np.isfinite(seen), seen, np.nan).astype(np.float32)


def _log(value: FloatsN) -> FloatsN:
    """Natural logarithm, NaN for what is not positive."""
    positive = value > 0
    return np.where(positive, np.log(np.where(positive, value, 1.0)), np.nan)
