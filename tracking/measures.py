"""Measures per track: how long, how far, how fast, how it spreads, grows and divides. Tables in, a table out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tracking.errors import TrackingError

AXES = ("z", "y", "x")
MSD_POINTS = 4
"""A diffusion exponent is fitted to at least this many lags, else it is not known."""


def track_measures(nuclei: pd.DataFrame, frame_interval_s: float | None = None, unit: str = "um") -> pd.DataFrame:
    """Measures of every track.

    Parameters
    ----------
    nuclei : pandas.DataFrame
        One row per nucleus: t, track_id, parent_track_id (missing: none), centroid_z_um, centroid_y_um, centroid_x_um
        (`_px` for unit "px"), and volume_um3 where known.
    frame_interval_s : float or None
        Seconds per time point; None: speeds and times are per time point (columns end in `_per_frame`, `_frames`).
    unit : "um" or "px"

    Returns
    -------
    pandas.DataFrame
        Indexed by track_id: duration, net_displacement, total_displacement, mean_speed, msd_1 (mean squared
        displacement over one time point), diffusion_exponent and diffusion_coefficient (of MSD = 2 d D lag^exponent),
        volume_growth (slope of the log volume), cycle (birth to division; missing unless both were seen), division_t.

    Raises
    ------
    TrackingError
        If columns are missing.
    """
    places = [f"centroid_{axis}_{unit}" for axis in AXES]
    missing = [name for name in ("t", "track_id", "parent_track_id", *places) if name not in nuclei.columns]
    if missing:
        raise TrackingError(f"The table of nuclei lacks the columns {', '.join(missing)}; give tracked nuclei.")
    step = 1.0 if frame_interval_s is None else float(frame_interval_s)
    rows = nuclei.sort_values(["track_id", "t"], kind="stable")
    parents = set(rows["parent_track_id"].dropna().astype(np.int64).tolist())
    records = [
        {"track_id": part["track_id"].iloc[0], **_measures(part, places, step, parents)}
        for _, part in rows.groupby("track_id", sort=True)
    ]
    names = _names(unit, frame_interval_s is not None)
    return pd.DataFrame.from_records(records, columns=["track_id", *names]).set_index("track_id").rename(columns=names)


def _names(unit: str, seconds: bool) -> dict[str, str]:
    """Names with units of the measures."""
    time, per = ("s", "s") if seconds else ("frames", "frame")
    return {
        "duration": f"duration_{time}",
        "net": f"net_displacement_{unit}",
        "total": f"total_displacement_{unit}",
        "speed": f"mean_speed_{unit}_per_{per}",
        "msd_1": f"msd_1_{unit}2",
        "exponent": "diffusion_exponent",
        "coefficient": f"diffusion_coefficient_{unit}2_per_{per}",
        "growth": f"volume_growth_per_{per}",
        "cycle": f"cycle_{time}",
        "division_t": "division_t",
    }


def _measures(part: pd.DataFrame, places: list[str], step: float, parents: set[int]) -> dict[str, float]:
    """Measures of one track, whose rows are in order of time."""
    t = part["t"].to_numpy(np.float64)
    divides = int(part["track_id"].iloc[0]) in parents
    position = part[places].to_numpy(np.float64)
    position = position[:, ~np.isnan(position).all(axis=0)]
    moves = np.linalg.norm(np.diff(position, axis=0), axis=1)
    duration = float(t[-1] - t[0]) * step
    born = bool(part["parent_track_id"].notna().any())
    lags, msd = mean_squared_displacement(part["t"].to_numpy(), position)
    exponent, coefficient = diffusion(lags * step, msd, max(1, position.shape[1]))
    return {
        "duration": duration,
        "net": float(np.linalg.norm(position[-1] - position[0])),
        "total": float(moves.sum()),
        "speed": float(moves.sum()) / duration if duration > 0 else np.nan,
        "msd_1": float(msd[0]) if len(lags) and lags[0] == 1 else np.nan,
        "exponent": exponent,
        "coefficient": coefficient,
        "growth": _growth(part, t * step),
        "cycle": duration + step if born and divides else np.nan,
        "division_t": float(t[-1]) if divides else np.nan,
    }


def mean_squared_displacement(t: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared displacement of one track by trackpy, over lags up to half its duration.

    Parameters
    ----------
    t : (N,) int
        Time points, rising; some may be missing.
    position : (N, D) float64

    Returns
    -------
    (L,) float64, (L,) float64
        Lags in time points, and mean squared displacements in square units of the positions; empty for one nucleus.
    """
    if len(t) < 2 or position.shape[1] == 0:
        return np.zeros(0), np.zeros(0)
    from trackpy.motion import msd

    columns = ["x", "y", "z"][: position.shape[1]]
    track = pd.DataFrame(position, columns=columns)
    track["frame"] = np.asarray(t, np.int64)
    longest = max(1, int(t[-1] - t[0]) // 2)
    table = msd(track, mpp=1.0, fps=1.0, max_lagtime=longest, pos_columns=columns)
    known = np.isfinite(table["msd"].to_numpy(np.float64))
    return table.index.to_numpy(np.float64)[known], table["msd"].to_numpy(np.float64)[known]


def diffusion(lag: np.ndarray, msd: np.ndarray, dimensions: int) -> tuple[float, float]:
    """Exponent and coefficient of MSD = 2 d D lag^exponent by a straight line through the logarithms.

    1 is free diffusion, 2 directed motion, less than 1 confinement. NaN for fewer than `MSD_POINTS` lags or no motion.
    """
    use = msd > 0
    if use.sum() < MSD_POINTS:
        return np.nan, np.nan
    slope, intercept = np.polyfit(np.log(lag[use]), np.log(msd[use]), 1)
    return float(slope), float(np.exp(intercept) / (2 * dimensions))


def _growth(part: pd.DataFrame, time: np.ndarray) -> float:
    """Slope of the log volume over time; NaN without two volumes."""
    if "volume_um3" not in part.columns:
        return np.nan
    volume = part["volume_um3"].to_numpy(np.float64)
    use = volume > 0
    if use.sum() < 2:
        return np.nan
    return float(np.polyfit(time[use], np.log(volume[use]), 1)[0])
