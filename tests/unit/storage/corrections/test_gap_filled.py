"""A nucleus that was missed and is added by a person joins the two halves of its track; undoing parts them again."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.corrected import SPACING, STARTS, CorrectedMovie, assert_consistent, assert_same_seen, disc

from daemon.cli import main

MISSED = 8
"""The nucleus that is not found everywhere; the last one, so that labels count through without it."""


def where(t: int) -> str:
    """Its middle in micrometres, as `--at` takes it."""
    y, x = STARTS[MISSED - 1]
    return ",".join(str(a * s) for a, s in zip((1, y + t % 3, x), SPACING, strict=True))


@pytest.mark.parametrize(
    ("missed", "memory", "halves"),
    [
        pytest.param((2,), 0, 2, id="two tracks"),
        pytest.param((2, 3), 2, 1, id="one track with a gap"),
    ],
)
def test_what_is_added_where_it_was_missed_makes_one_track(
    missed: tuple[int, ...], memory: int, halves: int, tmp_path: Path
) -> None:
    movie = CorrectedMovie(tmp_path / "out", 6, missed=tuple((t, MISSED) for t in missed), memory_frames=memory)
    row, database = movie.process(), ["--database", str(tmp_path / "out")]
    plain = movie.seen(row)
    ids = plain["nuclei"][plain["nuclei"]["label"] == MISSED]["track_id"]
    assert (len(ids), ids.nunique()) == (6 - len(missed), halves)
    for t in missed:
        assert main(["correct", "embryo", "add", "--t", str(t), "--at", where(t), *database]) == 0
    seen = movie.seen(row)
    assert_consistent(seen)
    nuclei, tracks = seen["nuclei"].set_index(["t", "label"]), seen["tracks"].set_index("track_id")
    assert len(nuclei) == 6 * len(STARTS)
    assert tracks["nuclei_count"].tolist() == [6] * len(STARTS)
    whole = tracks.loc[nuclei.loc[(0, MISSED), "track_id"]]
    assert (whole["first_t"], whole["last_t"], whole["corrected"]) == (0, 5, 1)
    kept = max(ids.unique(), key=lambda one: int((ids == one).sum()))
    assert nuclei.loc[(0, MISSED), "track_id"] == kept, "as the half with more nuclei"
    for t in missed:
        added = seen["labels"][t][disc(*_middle(t), radius=2.0)]
        (label,) = set(added.tolist())
        assert nuclei.loc[(t, label), "track_id"] == kept
    for _ in missed:
        assert main(["correct", "embryo", "undo", *database]) == 0
    assert_same_seen(movie.seen(row), plain)


def _middle(t: int) -> tuple[float, float]:
    y, x = STARTS[MISSED - 1]
    return y + t % 3, x
