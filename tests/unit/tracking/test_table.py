"""Tables in, tables out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.unit.tracking.movies import dividing
from tracking.errors import TrackingError
from tracking.table import track_table


def table() -> pd.DataFrame:
    parts = [
        pd.DataFrame(p, columns=["z", "y", "x"]).assign(t=t, truth=range(len(p))) for t, p in enumerate(dividing())
    ]
    return pd.concat(parts, ignore_index=True)


def test_rows_stay_as_they_are_with_two_columns_more() -> None:
    rows = table().sample(frac=1.0, random_state=1)
    tracked = track_table(rows)
    pd.testing.assert_frame_equal(tracked[rows.columns], rows)
    assert list(tracked.columns) == [*rows.columns, "track_id", "parent_track_id"]
    assert tracked.groupby("track_id")["truth"].nunique().max() == 1
    assert tracked["parent_track_id"].dropna().nunique() == 1


def test_truth_columns_of_these_names_are_replaced() -> None:
    rows = table().assign(track_id=7, parent_track_id=8)
    assert track_table(rows)["track_id"].nunique() > 20


def test_flat_tables() -> None:
    rows = table()[lambda d: d["truth"] < 9].drop(columns="z")
    assert track_table(rows)["track_id"].nunique() == 9


def test_an_empty_table() -> None:
    assert len(track_table(table().iloc[:0])) == 0


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    track_table(table(), progress=lambda done, of: seen.append((done, of)))
    assert seen[0] == (1, 12)
    assert seen[-1] == (12, 12)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d.drop(columns=["y", "x"]), "no column y, x"),
        (lambda d: d.assign(z=d["z"].where(d.index != 4)), r"1 rows have no finite t, z, y, x \(the first is row 5"),
        (lambda d: d.assign(x=np.inf), "rows have no finite"),
        (lambda d: d.assign(t=d["t"] + 0.5), "whole numbers"),
        (lambda d: d.assign(y=d["y"].astype(str) + " um"), "Column y holds something that is not a number"),
    ],
)
def test_faults_are_one_sentence(change, fault: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrackingError, match=fault):
        track_table(change(table()))
