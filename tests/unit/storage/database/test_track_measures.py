"""What `tracks` says of tracks that are final."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cases.stored import acquisition, pixels, register, work_off

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.query.question import Question
from storage.schema.columns import TRACK_MEASURES
from storage.schema.rows import TimepointJob
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate


def update(t: int) -> TrackUpdate:
    """Track 1 divides after t = 5 into 2 and 3, which last to t = 9; everything becomes final as it ends."""
    labels, ids = (np.array([1]), np.array([1])) if t < 6 else (np.array([1, 2]), np.array([2, 3]))
    tracks = [Track(1, None, 0, min(t, 5), min(t, 5) + 1, t >= 6, None)]
    tracks += [Track(n, 1, 6, t, t - 5, t == 9, 0.9) for n in (2, 3) if t >= 6]
    return TrackUpdate((FrameTracks(t, labels, ids, t == 9),), tuple(tracks), ())


def movie(job: TimepointJob) -> tuple[Nuclei, TrackUpdate]:
    """Nuclei move by 2 um along y at each time point and double their volume in 4."""
    t = job.t
    places = np.array([[3.0, 2.0 * t, 5.0]] if t < 6 else [[3.0, 2.0 * t, 5.0], [6.0, 2.0 * t, 5.0]])
    columns = {} if job.acquisition.unit == "px" else {"volume_um3": np.full(len(places), 100 * 2 ** (t / 4))}
    return Nuclei.from_positions(t, places, unit=job.acquisition.unit, **columns), update(t)


def tracks(catalog: Catalog, voxel: bool = True) -> pd.DataFrame:
    row = register(catalog, acquisition(pixels(t=10), voxel=voxel))
    catalog.add_timepoints(row.id, dict.fromkeys(range(10), "a"))
    work_off(catalog, movie)
    return Question.tracks(catalog.url, row.id).frame().set_index("track_id")


def test_final_tracks_are_measured(catalog: Catalog) -> None:
    measures = tracks(catalog)
    mother, daughter = measures.loc[1], measures.loc[2]
    assert mother["duration_frames"] == 6
    assert mother["duration_s"] == 360
    assert mother["net_displacement_um"] == mother["total_displacement_um"] == pytest.approx(10.0)
    assert mother["mean_speed_um_per_s"] == pytest.approx(2 / 60)
    assert mother["msd_1_um2"] == pytest.approx(4.0)
    assert mother["volume_growth_per_frame"] == pytest.approx(np.log(2) / 4)
    assert mother["division_t"] == 5
    assert daughter["duration_frames"] == 4
    assert np.isnan(daughter["division_t"])
    assert np.isnan(mother["net_displacement_px"])


def test_without_a_voxel_size_lengths_are_pixels(catalog: Catalog) -> None:
    measures = tracks(catalog, voxel=False).loc[1]
    assert measures["net_displacement_px"] == pytest.approx(10.0)
    assert measures["mean_speed_px_per_frame"] == pytest.approx(2.0)
    assert np.isnan(measures["net_displacement_um"])


def test_tracks_that_go_on_are_not_measured(catalog: Catalog) -> None:
    row = register(catalog, acquisition(pixels(t=10)))
    catalog.add_timepoints(row.id, dict.fromkeys(range(8), "a"))
    work_off(catalog, movie)
    measures = Question.tracks(catalog.url, row.id).frame().set_index("track_id")[list(TRACK_MEASURES)]
    assert measures.loc[1].notna().sum() > 8
    assert measures.loc[[2, 3]].isna().all().all()
