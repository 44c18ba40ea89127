"""The picture of a result: right outlines, an order of lineages, and a PNG for any result, even an empty one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.plots.picture import TrackPicture, draw, lineage_order, outlines, parents_of, scale_bar_um


def tracks(*rows: tuple[int, float, float, int, int | None]) -> pd.DataFrame:
    """A table from t, y, x, track and parent."""
    table = pd.DataFrame(rows, columns=["t", "centroid_y_um", "centroid_x_um", "track_id", "parent_track_id"])
    return table.astype({"t": int, "track_id": int, "parent_track_id": "Int64"})


@pytest.fixture
def scene() -> TrackPicture:
    """Two daughters of one mother."""
    labels = np.zeros((4, 40, 60), dtype=np.uint32)
    labels[1:3, 5:15, 5:15], labels[1:3, 20:35, 30:50] = 1, 2
    table = tracks((0, 8, 8, 7, None), (1, 3, 3, 8, 7), (1, 9, 14, 9, 7))
    image = (labels > 0).astype(np.uint16) * 500 + 100
    return TrackPicture(image, labels, (1.0, 0.35, 0.35), table, np.array([8, 9]), 300.0, "title", "subtitle")


def test_the_picture_is_a_png_of_fair_size(scene: TrackPicture, tmp_path: Path) -> None:
    import matplotlib.image

    draw(scene, tmp_path / "a.png")
    pixels = matplotlib.image.imread(tmp_path / "a.png")
    assert pixels.shape[1] > 1000
    assert len(np.unique((pixels * 255).round() @ 256 ** np.arange(pixels.shape[2]))) > 50


def test_results_without_nuclei_tracks_or_times_can_be_drawn(scene: TrackPicture, tmp_path: Path) -> None:
    nothing = replace(scene, labels=scene.labels * 0, tracks=scene.tracks[:0], track_of=np.empty(0, dtype=int))
    for name, odd in {"empty": nothing, "timeless": replace(scene, frame_interval_s=None)}.items():
        draw(odd, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


def test_single_planes_can_be_drawn(scene: TrackPicture, tmp_path: Path) -> None:
    draw(replace(scene, image=scene.image[1:2], labels=scene.labels[1:2]), tmp_path / "flat.png")
    assert (tmp_path / "flat.png").exists()


def test_an_outline_runs_around_the_shadow(scene: TrackPicture) -> None:
    found = dict(outlines(scene.labels, axis=0))
    assert set(found) == {1, 2}
    assert found[2].min(axis=0) == pytest.approx([19.5, 29.5])
    assert found[2].max(axis=0) == pytest.approx([34.5, 49.5])
    side = dict(outlines(scene.labels, axis=1))
    assert side[1].min(axis=0) == pytest.approx([0.5, 4.5])


def test_parents_outside_the_table_do_not_count() -> None:
    table = tracks((0, 1, 1, 1, None), (1, 1, 1, 2, 1), (1, 1, 1, 3, 99))
    assert parents_of(table) == {2: 1}


def test_a_mother_stands_between_her_daughters() -> None:
    assert lineage_order([1, 2, 3, 4, 5, 6], {3: 1, 4: 1, 5: 4, 6: 4}) == [3, 1, 5, 4, 6, 2]


@given(st.dictionaries(st.integers(2, 40), st.integers(1, 39), max_size=30))
def test_every_track_has_one_place(raw: dict[int, int]) -> None:
    parents = {child: parent for child, parent in raw.items() if parent < child}
    everyone = sorted({1, *parents, *parents.values()})
    assert sorted(lineage_order(everyone, parents)) == everyone


@pytest.mark.parametrize(("width", "bar"), [(89.6, 20), (40, 10), (20, 5), (7.9, 1), (0.9, 0.2), (800, 200)])
def test_scale_bars_are_round(width: float, bar: float) -> None:
    assert scale_bar_um(width) == pytest.approx(bar)
