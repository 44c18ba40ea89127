"""Measures of tracks whose motion is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tracking.errors import TrackingError
from tracking.measures import MSD_POINTS, diffusion, mean_squared_displacement, msd_curve, track_measures


def nuclei() -> pd.DataFrame:
    """Tracks move by 2 um a frame along x and double in 8 frames; 1 divides into 2 and 3, 2 into 4 and 5."""
    spans = {1: (0, 16, None), 2: (17, 20, 1), 3: (17, 30, 1), 4: (21, 30, 2), 5: (21, 30, 2)}
    rows = [(t, i, p, 1.0, 0.0, 2.0 * t, 2.0 ** (t / 8)) for i, (a, b, p) in spans.items() for t in range(a, b + 1)]
    names = ["t", "track_id", "parent_track_id", "centroid_z_um", "centroid_y_um", "centroid_x_um", "volume_um3"]
    return pd.DataFrame(rows, columns=names)


def test_directed_motion() -> None:
    measures = track_measures(nuclei(), frame_interval_s=10.0).loc[1]
    assert measures["duration_s"] == 170.0
    assert measures["net_displacement_um"] == pytest.approx(32.0)
    assert measures["total_displacement_um"] == pytest.approx(32.0)
    assert measures["mean_speed_um_per_s"] == pytest.approx(0.2)
    assert measures["msd_1_um2"] == pytest.approx(4.0)
    assert measures["diffusion_exponent"] == pytest.approx(2.0)
    assert measures["volume_growth_per_frame"] == pytest.approx(np.log(2) / 8)


def test_cycles_need_birth_and_division() -> None:
    measures = track_measures(nuclei())
    assert measures["cycle_frames"].dropna().to_dict() == {2: 4.0}
    assert "cycle_s" not in measures
    in_seconds = track_measures(nuclei(), 10.0)
    assert in_seconds["cycle_s"].dropna().to_dict() == {2: 40.0}
    assert in_seconds.loc[2, "duration_s"] == 40.0, "both count the first and the last time point"
    part = track_measures(nuclei()[lambda d: d["track_id"] == 2], dividing={2})
    pd.testing.assert_frame_equal(part, measures.loc[[2]])
    assert measures["division_t"].dropna().to_dict() == {1: 16.0, 2: 20.0}


def track_exponent(walk: np.ndarray) -> float:
    lags, msd, independent = msd_curve(np.arange(len(walk)), walk)
    return diffusion(lags, msd, walk.shape[1], independent)[0]


def test_free_diffusion_has_exponent_one() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(0, 1, (4000, 3)), axis=0)
    far = np.cumsum([0, *range(16_000, 16_100)])
    assert all(len(one) == 0 for one in msd_curve(far, walk[: len(far)])), "hardly two lags are the same"
    lag, msd = mean_squared_displacement(np.arange(4000), walk)
    assert lag[0] == 1
    assert msd[0] == pytest.approx(3.0, rel=0.1)
    assert track_exponent(walk) == pytest.approx(1.0, abs=0.05)


def test_a_plane_has_two_dimensions() -> None:
    walk = np.cumsum(np.random.default_rng(1).normal(0, 1, (3000, 3)), axis=0)
    table = pd.DataFrame(walk, columns=["centroid_z_px", "centroid_y_px", "centroid_x_px"])
    table = table.assign(centroid_z_px=0.0, t=np.arange(3000), track_id=1, parent_track_id=None)
    measures = track_measures(table, unit="px").loc[1]
    assert measures["msd_1_px2"] == pytest.approx(2.0, rel=0.1)
    assert measures["diffusion_coefficient_px2_per_frame"] == pytest.approx(0.5, rel=0.15)


def test_missed_time_points_are_no_steps() -> None:
    measures = track_measures(nuclei()[lambda d: ~d["t"].isin([3, 4, 9])]).loc[1]
    assert measures["msd_1_um2"] == pytest.approx(4.0)
    assert measures["mean_speed_um_per_frame"] == pytest.approx(2.0)


@pytest.mark.parametrize("missed", [(), (2,), (1, 3), (1, 3, 5)])
def test_a_short_track_has_the_displacement_that_trackpy_gives(missed: tuple[int, ...]) -> None:
    walk = np.cumsum(np.random.default_rng(2).normal(0, 1, (9, 3)), axis=0)
    for frames in range(1, 9):
        t = np.array([n for n in range(frames) if n not in missed])
        table = pd.DataFrame(walk[t], columns=[f"centroid_{axis}_um" for axis in "zyx"])
        measures = track_measures(table.assign(t=t, track_id=1, parent_track_id=None)).loc[1]
        lags, msd, _ = msd_curve(t, walk[t])
        assert measures["msd_1_um2"] == pytest.approx(msd[0] if 1 in lags else np.nan, nan_ok=True)
        assert np.isnan(measures["diffusion_exponent"])


def test_an_exponent_is_known_as_soon_as_there_are_lags_enough() -> None:
    walk = np.cumsum(np.random.default_rng(2).normal(0, 1, (9, 3)), axis=0)
    assert len(msd_curve(np.arange(9), walk)[0]) == MSD_POINTS
    table = pd.DataFrame(walk, columns=[f"centroid_{axis}_um" for axis in "zyx"])
    measures = track_measures(table.assign(t=np.arange(9), track_id=1, parent_track_id=None)).loc[1]
    assert measures["diffusion_exponent"] == pytest.approx(track_exponent(walk))


def test_a_single_nucleus_has_no_motion() -> None:
    measures = track_measures(nuclei().iloc[:1]).loc[1]
    assert measures["duration_frames"] == 1
    assert np.isnan(measures["mean_speed_um_per_frame"])


def test_missing_columns_are_named() -> None:
    with pytest.raises(TrackingError, match="centroid_z_um"):
        track_measures(nuclei().drop(columns="centroid_z_um"))


def test_no_nuclei() -> None:
    assert len(track_measures(nuclei().iloc[:0])) == 0
