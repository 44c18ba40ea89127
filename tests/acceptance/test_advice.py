"""Each line of the table "what I see, and what to change" (SETTINGS.md), on a rendered example that shows it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage as ndi

from daemon.configuration.advice import ADVICE
from daemon.configuration.catalogue import every_setting
from nuset_engine.inference.instances import PlaneLabels
from nuset_engine.params import SegmentationParams
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.segment import Segmenter
from tracking.params import TrackingParams
from tracking.table import track_table


class Canvas:
    """A plane of ellipses on a dark ground, out of one generator."""

    def __init__(self, edge: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.plane = np.zeros((edge, edge))

    def ellipse(self, y: float, x: float, radius: float, value: float, flat: float = 1.0, angle: float = 0.0) -> None:
        down, along = np.mgrid[: len(self.plane), : len(self.plane)]
        far = (down - y) * np.cos(angle) + (along - x) * np.sin(angle)
        wide = (along - x) * np.cos(angle) - (down - y) * np.sin(angle)
        inside = (far / radius) ** 2 + (wide / (radius * flat)) ** 2 < 1
        self.plane[inside] = np.maximum(self.plane[inside], value)

    def grid(self, radius: float, value: Callable[[int, int], float]) -> Canvas:
        for i, j in np.ndindex(5, 5):
            y, x = (48 * k + 24 + self.rng.integers(-4, 5) for k in (i, j))
            self.ellipse(y, x, radius, value(i, j))
        return self

    def taken(self, blur: float = 1.0, noise: float = 3.0) -> np.ndarray:
        seen = 100 + ndi.gaussian_filter(self.plane, blur) + self.rng.normal(0, noise, self.plane.shape)
        return seen.clip(0).astype(np.uint16)


@pytest.fixture(scope="module")
def counted() -> Callable[..., int]:
    """How many nuclei are found in a plane with these settings."""
    segmenter = Segmenter()

    def count(plane: np.ndarray, **settings: float | bool) -> int:
        segmenter.params = SegmentationParams(**settings)  # type: ignore[arg-type]
        return len(segmenter.segment_plane(plane).scores)

    return count


def with_chromocentres(radius: int, brightness: float) -> tuple[np.ndarray, int]:
    """Nuclei with a few very bright spots each, as of mice, and their number."""
    canvas, step = Canvas(300, 1), 2 * radius + 14
    across = 300 // step
    for i, j in np.ndindex(across, across):
        y, x = (k * step + radius + 7 for k in (i, j))
        canvas.ellipse(y, x, radius, 100)
        for _ in range(3 if radius < 20 else 8):
            angle, far = canvas.rng.random() * 2 * np.pi, canvas.rng.random() ** 0.5 * radius * 0.75
            canvas.ellipse(y + far * np.cos(angle), x + far * np.sin(angle), radius / 6, brightness)
    return canvas.taken(1.2), across**2


def test_every_line_names_settings_that_there_are_and_has_an_example() -> None:
    known = {one.full_name for one in every_setting()}
    assert all(name in known for line in ADVICE for name in line.settings)
    assert {line.seen for line in ADVICE} == set(EXAMPLES)
    assert all(callable(globals()[example]) for example in EXAMPLES.values())


EXAMPLES = {
    "Single nuclei are cut into pieces": "test_cut_nuclei",
    "Touching nuclei stay together": "test_merged_nuclei",
    "Dim nuclei are missed": "test_dim_nuclei",
    "Debris is taken for nuclei": "test_debris",
    "Outlines lie too far out or too far in": "test_outlines",
    "Nuclei have the wrong size altogether: groups are one, or one is many": "test_wrong_size",
    "Micronuclei are missing": "test_micronuclei",
    "Nuclei stacked along z are one": "test_stacked_nuclei",
    "One nucleus falls apart along z": "test_a_nucleus_that_falls_apart",
    "Tracks break where a nucleus is missed for a while": "test_tracks_that_break_over_gaps",
    "Tracks jump from one nucleus to another": "test_tracks_that_jump",
    "Divisions are missed": "test_missed_divisions",
    "Divisions are invented": "test_invented_divisions",
}


def test_cut_nuclei(counted: Callable[..., int]) -> None:
    plane, true = with_chromocentres(18, 6000)
    usual = counted(plane)
    assert usual > true
    assert abs(counted(plane, nms_iou=0.1) - true) < usual - true


def test_wrong_size(counted: Callable[..., int]) -> None:
    plane, true = with_chromocentres(40, 1500)
    assert abs(counted(plane, nucleus_diameter_px=80) - true) < abs(counted(plane) - true)


def test_merged_nuclei(counted: Callable[..., int]) -> None:
    canvas = Canvas(240, 5)
    for i, j in np.ndindex(4, 4):
        y, x, angle, half = i * 60 + 30, j * 60 + 30, canvas.rng.random() * np.pi, 7.75 + 0.5 * j
        for side in (-half, half):
            canvas.ellipse(y + side * np.sin(angle), x + side * np.cos(angle), 12, 300)
    plane = canvas.taken(4)
    usual = counted(plane)
    assert usual < 32
    assert usual < counted(plane, nucleus_diameter_px=24) <= 32
    assert usual < counted(plane, seed_score=0.1) <= 32
    assert counted(plane, watershed=False) == 16  # what touches is one


def test_dim_nuclei(counted: Callable[..., int]) -> None:
    plane = Canvas(240, 1).grid(13, lambda i, j: 14 if (i + j) % 2 else 300).taken(2, 40)
    usual = counted(plane)
    assert usual < 25
    assert usual < counted(plane, min_score=0.3, foreground_threshold=0.2, soft_foreground_threshold=0.3) <= 25


def test_debris(counted: Callable[..., int]) -> None:
    canvas = Canvas(240, 3).grid(13, lambda i, j: 300)
    for _ in range(60):
        y, x = canvas.rng.integers(5, 235, 2)
        if canvas.plane[max(0, y - 9) : y + 9, max(0, x - 9) : x + 9].max() == 0:
            radius, flat, angle = canvas.rng.uniform((4, 0.2, 0), (7, 0.5, 3))
            canvas.ellipse(y, x, radius, 300, flat, angle)
    plane = canvas.taken()
    assert counted(plane) > 25
    assert counted(plane, min_score=0.8) == counted(plane, min_area_fraction=0.5) == 25


def test_micronuclei(counted: Callable[..., int]) -> None:
    canvas = Canvas(240, 3).grid(13, lambda i, j: 300)
    for i in range(5):
        canvas.ellipse(i * 48 + 42, i * 48 + 28, 3.8, 250)
    plane = canvas.taken()
    assert counted(plane) == 25
    assert 25 < counted(plane, min_area_fraction=0) <= counted(plane, min_area_fraction=0, min_score=0.5) <= 30


def test_outlines() -> None:
    plane = Canvas(240, 1).grid(13, lambda i, j: 300).taken(2)
    areas = [
        np.count_nonzero(
            Segmenter(params=SegmentationParams(foreground_threshold=low, soft_foreground_threshold=low))
            .segment_plane(plane)
            .labels
        )
        for low in (0.2, 0.5, 0.8)
    ]
    assert areas[0] > 1.03 * areas[1] > 1.06 * areas[2]


def slices_of(*sections: tuple[int, int] | None) -> list[PlaneLabels]:
    """A slice for each section: a square from row y0 on to row y1, or nothing."""
    slices = []
    for section in sections:
        labels = np.zeros((60, 40), np.int32)
        if section is not None:
            labels[slice(*section), 10:30] = 1
        slices.append(PlaneLabels(labels, np.full(int(section is not None), 0.9, np.float32)))
    return slices


def found_in(slices: list[PlaneLabels], **settings: float) -> int:
    """Nuclei of slices 2 µm apart, of pixels of 0.5 µm."""
    volume = reconstruct(slices, (2.0, 0.5, 0.5), VolumeParams(**settings))  # type: ignore[arg-type]
    return int(volume.labels.max())


def test_stacked_nuclei() -> None:
    slices = slices_of(*[(10, 30)] * 4, *[(19, 39)] * 4)
    assert found_in(slices) == 1
    assert found_in(slices, min_overlap=0.7, min_iou=0.6) == 2


def test_a_nucleus_that_falls_apart() -> None:
    slices = slices_of(*[(10, 50)] * 4, *[None] * 4, *[(10, 50)] * 4)
    assert found_in(slices) == 2
    assert found_in(slices, max_missed_slices=5) == 1


def tracks_of(points: list[tuple[int, float, float]], **settings: float | bool) -> tuple[int, int]:
    """Tracks and daughters among points (t, y, x) in micrometres."""
    table = pd.DataFrame(points, columns=["t", "y", "x"]).assign(diameter=10.0)
    tracked = track_table(table, TrackingParams(**settings))  # type: ignore[arg-type]
    return tracked["track_id"].nunique(), tracked.loc[tracked["parent_track_id"].notna(), "track_id"].nunique()


def resting(count: int, frames: int) -> list[tuple[int, float, float]]:
    """A row of nuclei 60 µm apart that tremble."""
    rng = np.random.default_rng(5)
    return [(t, *rng.normal((300, 60 * i), 0.5)) for t in range(frames) for i in range(count)]


def test_tracks_that_break_over_gaps() -> None:
    points = [*resting(5, 16), *((t, 0.0, 0.0) for t in range(16) if not 5 <= t < 11)]
    assert tracks_of(points)[0] == 7
    assert tracks_of(points, memory_frames=7, lag_frames=10)[0] == 6


def test_tracks_that_jump() -> None:
    """One nucleus ends where another appears 20 µm away."""
    points = [*resting(5, 12), *((t, 0.0, 0.0 if t < 6 else 20.0) for t in range(12))]
    assert tracks_of(points)[0] == 6
    assert tracks_of(points, search_range=10.0)[0] == 7


def beside(apart: float, shift: float) -> list[tuple[int, float, float]]:
    """A nucleus, and one that appears so far from it while it moves aside a little."""
    first = [(t, 0.0 if t < 6 else -shift, 0.0) for t in range(16)]
    return [*resting(5, 16), *first, *((t, apart, 0.0) for t in range(6, 16))]


def test_missed_divisions() -> None:
    points = beside(9.0, 3.0)
    assert tracks_of(points)[1] == 0
    assert tracks_of(points, min_division_score=0.05)[1] == 2


def test_invented_divisions() -> None:
    points = beside(9.0, 5.0)
    assert tracks_of(points)[1] == 2
    assert tracks_of(points, min_division_score=0.95)[1] == tracks_of(points, find_divisions=False)[1] == 0
