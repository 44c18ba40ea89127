"""What a run waits for is told: once it lasts, not at every turn, and when it is over."""

from __future__ import annotations

import pytest
from cases.moved_clock import MovedClock

from daemon.processing.steps.troubles import Trouble
from daemon.progress import LINES_S, Bars

FULL = Trouble("results", "the disk of /out is full: 3 MB are free.")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What has been written since the last look."""
    out, err = capsys.readouterr()
    assert not out, "results go there"
    return err.splitlines()


def test_a_moment_is_worth_no_line(clock: MovedClock, capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars(clock)
    bars.wait([FULL])
    clock.now = 2.9
    bars.wait([FULL])
    bars.wait([])
    assert lines(capsys) == []


def test_what_lasts_is_told_once_and_its_end(clock: MovedClock, capsys: pytest.CaptureFixture[str]) -> None:
    bars = Bars(clock)
    for clock.now in (0.0, 3.0, 4.0, 100.0):
        bars.wait([FULL, Trouble("worker", "nobody is there.")] if clock.now >= 4.0 else [FULL])
    assert lines(capsys) == [f"waiting, results: {FULL.reason}", "waiting, worker: nobody is there."]
    bars.wait([FULL])
    bars.wait([])
    assert lines(capsys) == ["waiting no more, worker: it goes on.", "waiting no more, results: it goes on."]
    bars.wait([])
    assert lines(capsys) == []


def test_a_reason_that_changes_is_told_anew_but_not_all_the_time(
    clock: MovedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = Bars(clock)
    for second in range(61):
        clock.now = float(second)
        bars.wait([Trouble("results", f"{second} MB are free.")])
    told = lines(capsys)
    assert told[0] == "waiting, results: 3 MB are free."
    assert len(told) == 2
    assert told[1] == f"waiting, results: {3 + LINES_S:.0f} MB are free."
