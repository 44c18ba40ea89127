"""Seconds per step add up, and a stream's seconds are not counted twice."""

from __future__ import annotations

import pytest

from daemon.processing import stopwatch
from daemon.processing.stopwatch import Stopwatch


def test_a_stream_inside_a_lap_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])

    def slices() -> object:
        for _ in range(3):
            now[0] += 2.0
            yield None

    watch = Stopwatch()
    with watch.lap("join_s"):
        for _ in watch.timed("segment_s", slices()):
            now[0] += 0.5
    with watch.lap("write_s"):
        now[0] += 1.0
    assert watch.seconds == {"segment_s": 6.0, "join_s": 1.5, "write_s": 1.0}
