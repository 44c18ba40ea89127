"""Measures per track: how long, how far, how fast, how it spreads, grows and divides. Tables in, a table out."""

from __future__ import annotations

import warnings
from collections.abc import Collection

import numpy as np
import pandas as pd

from nuset_engine.arrays import FlagsN, FloatsN, IntsN
from tracking.arrays import PlacesND
from tracking.errors import TrackingError
from tracking.trackpy_parts import MOTION, part

AXES = ("z", "y", "x")
SIZES = ("volume_um3", "area_um2", "volume_px")
"""Columns whose growth is measured: the first that is known."""
MSD_POINTS = 4
"""A diffusion exponent is fitted to at least this many lags, else it is not known."""
_LONGEST, _SPARSEST = 20_000, 10
"""Time points from which on a track has to have one in so many, or no lag is looked for: it costs their square."""


def measure_names(unit: str = "um", seconds: bool = True) -> tuple[str, ...]:
    """Columns of `track_measures`."""
    names = (
        "duration_frames",
        f"net_displacement_{unit}",
        f"total_displacement_{unit}",
        f"mean_speed_{unit}_per_frame",
        f"msd_1_{unit}2",
        "diffusion_exponent",
        f"diffusion_coefficient_{unit}2_per_frame",
        "volume_growth_per_frame",
        "cycle_frames",
        "division_t",
    )
    return (*names, "duration_s", f"mean_speed_{unit}_per_s", "cycle_s") if seconds else names


def track_measures(
    nuclei: pd.DataFrame,
    frame_interval_s: float | None = None,
    unit: str = "um",
    dividing: Collection[int] | None = None,
    step: int = 1,
) -> pd.DataFrame:
    """Measures of every track.

    Parameters
    ----------
    nuclei : pandas.DataFrame
        One row per nucleus: t, track_id, parent_track_id (missing: none), centroid_z_um, centroid_y_um, centroid_x_um
        (`_px` for unit "px"), and, where known, `SIZES`.
    frame_interval_s : float or None
        Seconds from one time point to the next; None: not known, columns in seconds are missing.
    unit : "um" or "px"
    dividing : collection of int or None
        Tracks that divide; None: those that are parents in `nuclei`.
    step : int
        From one time point to the next: what is counted in frames counts these steps.

    Returns
    -------
    pandas.DataFrame
        Indexed by track_id: `measure_names`. Duration (first and last time point included), cycle (the duration of a
        track whose birth and division were both seen: from division to division, each between two time points),
        net displacement (from first to last place), total displacement (length of the path: the sum of all steps), mean
        speed along the path, mean squared displacement over one time point, exponent and coefficient of diffusion (of
        MSD = 2 d D lag^exponent, d axes, lag in time points), growth (slope of the log size), and the
        last time point before a division.

    Raises
    ------
    TrackingError
        If columns are missing.
    """
    places = [f"centroid_{axis}_{unit}" for axis in AXES]
    missing = [name for name in ("t", "track_id", "parent_track_id", *places) if name not in nuclei.columns]
    if missing:
        raise TrackingError(f"The table of nuclei lacks the columns {', '.join(missing)}; give tracked nuclei.")
    rows = nuclei.sort_values(["track_id", "t"], kind="stable")
    parents = rows["parent_track_id"].dropna().astype(np.int64).tolist() if dividing is None else dividing
    sizes = next((name for name in SIZES if name in rows and rows[name].notna().any()), None)
    columns = {
        "t": rows["t"].to_numpy(np.int64) // step,
        "position": _extended(rows[places].to_numpy(np.float64, na_value=np.nan)),
        "size": rows[sizes].to_numpy(np.float64, na_value=np.nan) if sizes else np.full(len(rows), np.nan),
        "born": rows["parent_track_id"].notna().to_numpy(),
    }
    ids, starts = np.unique(rows["track_id"].to_numpy(np.int64), return_index=True)
    ends = np.append(starts[1:], len(rows))[: len(starts)]
    parts = (slice(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True))
    divides = set(parents)
    records = [
        _measures(**{name: values[part] for name, values in columns.items()}, divides=track in divides)
        for track, part in zip(ids.tolist(), parts, strict=True)
    ]
    names = measure_names(unit, seconds=False)
    table = pd.DataFrame(records, columns=names, index=pd.Index(ids, name="track_id"), dtype=np.float64)
    if step > 1 and len(rows):
        table["division_t"] = table["division_t"] * step + int(rows["t"].iloc[0]) % step
    if frame_interval_s is not None:
        seconds = float(frame_interval_s)
        table["duration_s"] = table["duration_frames"] * seconds
        table[f"mean_speed_{unit}_per_s"] = table[f"mean_speed_{unit}_per_frame"] / seconds
        table["cycle_s"] = table["cycle_frames"] * seconds
    return table


def _extended(position: PlacesND) -> PlacesND:
    """Positions without the axes along which nothing extends (a plane's z), so that these are no dimension."""
    if not len(position):
        return position
    extent = np.ptp(np.nan_to_num(position), axis=0) > 0
    return position[:, extent if extent.any() else [False, False, True]]


def _measures(t: IntsN, position: PlacesND, size: FloatsN, born: FlagsN, divides: bool) -> list[float]:
    """Measures of one track, whose rows are in order of time, in the order of `measure_names`."""
    moves = np.linalg.norm(np.diff(position, axis=0), axis=1)
    elapsed = float(t[-1] - t[0])
    msd_1, exponent, coefficient = _spread(t, position, moves)
    return [
        elapsed + 1.0,
        float(np.linalg.norm(position[-1] - position[0])),
        float(moves.sum()),
        float(moves.sum()) / elapsed if elapsed > 0 else np.nan,
        msd_1,
        exponent,
        coefficient,
        _growth(t, size),
        elapsed + 1.0 if born.any() and divides else np.nan,
        float(t[-1]) if divides else np.nan,
    ]


def _spread(t: IntsN, position: PlacesND, moves: FloatsN) -> tuple[float, float, float]:
    """Mean squared displacement over one time point, exponent and coefficient of diffusion.

    Of a track that is too short for an exponent the first lag is all that is wanted: the mean of its squared steps,
    which is here in a hundredth of the time that trackpy takes to say it, at every commit.
    """
    if t[-1] - t[0] < 2 * MSD_POINTS:
        steps = moves[np.diff(t) == 1]
        return float((steps**2).mean()) if len(steps) else np.nan, np.nan, np.nan
    lags, msd, independent = msd_curve(t, position)
    first = float(msd[0]) if len(lags) and lags[0] == 1 else np.nan
    return first, *diffusion(lags, msd, position.shape[1], independent)


def mean_squared_displacement(t: IntsN, position: PlacesND) -> tuple[FloatsN, FloatsN]:
    """Lags and mean squared displacements of `msd_curve`."""
    lags, msd, _ = msd_curve(t, position)
    return lags, msd


def msd_curve(t: IntsN, position: PlacesND) -> tuple[FloatsN, FloatsN, FloatsN]:
    """Mean squared displacement of one track by trackpy, over lags up to half its duration.

    Parameters
    ----------
    t : (N,) int
        Time points, rising; some may be missing.
    position : (N, D) float64

    Returns
    -------
    (L,) float64, (L,) float64, (L,) float64
        Lags in time points, mean squared displacements in square units of the positions, and how many independent
        displacements each rests on; empty for one nucleus, and for few over very many time points (`t` in
        milliseconds, say), of which hardly two have the same lag.
    """
    duration = int(t[-1] - t[0]) if len(t) else 0
    if len(t) < 2 or position.shape[1] == 0 or duration > max(_LONGEST, _SPARSEST * len(t)):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    columns = ["x", "y", "z"][: position.shape[1]]
    track = pd.DataFrame(position, columns=columns)
    track["frame"] = np.asarray(t, np.int64)
    longest = max(1, duration // 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of newer versions of pandas about how trackpy calls them
        table = part(MOTION).msd(track, mpp=1.0, fps=1.0, max_lagtime=longest, detail=True, pos_columns=columns)
    table = table[np.isfinite(table["msd"]) & (table["N"] > 0)]
    return (
        table.index.to_numpy(np.float64),
        table["msd"].to_numpy(np.float64),
        table["N"].to_numpy(np.float64),
    )


def diffusion(lag: FloatsN, msd: FloatsN, dimensions: int, independent: FloatsN | None = None) -> tuple[float, float]:
    """Exponent and coefficient of MSD = 2 d D lag^exponent by a straight line through the logarithms.

    1 is free diffusion, 2 directed motion, less than 1 confinement. NaN for fewer than `MSD_POINTS` lags or no motion.
    Long lags rest on few `independent` displacements and count less: the variance of a logarithm goes with one over
    their number.
    """
    use = msd > 0
    if use.sum() < MSD_POINTS:
        return np.nan, np.nan
    weight = None if independent is None else np.sqrt(independent[use])
    slope, intercept = np.polyfit(np.log(lag[use]), np.log(msd[use]), 1, w=weight)
    return float(slope), float(np.exp(intercept) / (2 * dimensions))


def _growth(t: IntsN, size: FloatsN) -> float:
    """Slope of the log size over time; NaN without two sizes."""
    use = size > 0
    if use.sum() < 2:
        return np.nan
    return float(np.polyfit(t[use], np.log(size[use]), 1)[0])
