"""The order in which the files of a growing acquisition go on."""

from __future__ import annotations

from daemon.watching.series import Series

PATIENCE = 10.0


def series_with(*numbers: int, now: float = 0.0) -> Series:
    series = Series()
    for number in numbers:
        series.settle(number, now)
    return series


def test_files_go_on_in_order_as_they_come() -> None:
    series = Series()
    for number in (0, 1, 2):
        series.settle(number, float(number))
        assert series.release(float(number), PATIENCE).ready == (number,)


def test_counting_from_one_waits_for_nothing() -> None:
    assert series_with(1, 2).release(0.0, PATIENCE).ready == (1, 2)


def test_the_first_file_is_waited_for_when_it_is_there_but_not_whole() -> None:
    series = series_with(1)
    series.seen.add(0)
    assert series.release(0.0, PATIENCE).ready == ()
    series.settle(0, 1.0)
    assert series.release(1.0, PATIENCE).ready == (0, 1)


def test_a_gap_is_waited_for_and_then_passed_over() -> None:
    series = series_with(0, 2, 3)
    assert series.release(0.0, PATIENCE).ready == (0,)
    assert series.release(9.9, PATIENCE).ready == ()
    release = series.release(10.0, PATIENCE)
    assert release.ready == (2, 3)
    assert release.passed_over == (1,)


def test_a_gap_that_is_filled_in_time_is_no_gap() -> None:
    series = series_with(0, 2)
    series.release(0.0, PATIENCE)
    series.settle(1, 5.0)
    assert series.release(5.0, PATIENCE).ready == (1, 2)


def test_an_acquisition_that_starts_late_is_waited_for_too() -> None:
    series = series_with(5)
    assert series.release(0.0, PATIENCE).ready == ()
    assert series.release(10.0, PATIENCE).passed_over == (1, 2, 3, 4)


def test_what_was_set_aside_holds_nobody_up() -> None:
    series = series_with(0, 2)
    series.give_up(1)
    assert series.release(0.0, PATIENCE).ready == (0, 2)


def test_one_that_comes_after_it_was_passed_over_still_goes_on() -> None:
    series = series_with(0, 2)
    series.release(20.0, PATIENCE)
    series.settle(1, 30.0)
    assert series.release(30.0, PATIENCE).ready == (1,)


def test_a_changed_file_goes_on_again_alone() -> None:
    series = series_with(0, 1, 2)
    series.release(0.0, PATIENCE)
    series.settle(1, 5.0)
    assert series.release(5.0, PATIENCE).ready == (1,)


def test_over_means_quiet_and_nothing_left() -> None:
    series = series_with(0, 2)
    series.release(0.0, PATIENCE)
    assert not series.is_over(9.0, PATIENCE)
    assert not series.is_over(11.0, PATIENCE), "a time point is still held back"
    series.release(11.0, PATIENCE)
    assert series.is_over(11.0, PATIENCE)
    series.settle(3, 12.0)
    series.release(12.0, PATIENCE)
    assert not series.is_over(21.0, PATIENCE)
