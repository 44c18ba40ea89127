"""Facts that a person gives: which of two counts, how they are kept, and what they make of an image."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cases.stored import acquisition, pixels

from storage.description import Origins
from storage.errors import StorageError
from storage.given_facts import GivenFacts, checked_axes, fitted


@pytest.mark.parametrize(
    ("given", "size_z", "known_z", "meant"),
    [
        ((2.0, 0.3, 0.2), 5, None, (2.0, 0.3, 0.2)),
        ((0.3,), 1, None, (0.3, 0.3, 0.3)),
        ((0.3, 0.2), 1, None, (0.3, 0.3, 0.2)),
        ((0.3, 0.2), 1, 9.0, (0.3, 0.3, 0.2)),
        ((0.3,), 5, 2.0, (2.0, 0.3, 0.3)),
    ],
)
def test_one_or_two_numbers_are_the_pixel_and_three_the_voxel(
    given: tuple, size_z: int, known_z: float | None, meant: tuple
) -> None:
    assert fitted(given, size_z, known_z) == meant


@pytest.mark.parametrize(("given", "size_z"), [((), 1), ((1, 1, 1, 1), 1), ((0.0,), 1), ((0.3, 0.2), 5), ((0.3,), 5)])
def test_a_size_that_says_too_little_is_refused(given: tuple, size_z: int) -> None:
    with pytest.raises(StorageError, match="not three positive numbers"):
        fitted(given, size_z)


def test_axes_are_letters_each_once_with_y_and_x_both_or_neither() -> None:
    assert [checked_axes(text) for text in ("tyx", "TZC", "TCZYX")] == ["TYX", "TZC", "TCZYX"]
    assert [checked_axes(text) for text in ("", "TT", "TY", "TQYX")] == [None] * 4


def test_facts_go_before_others_and_are_kept_as_plain_values() -> None:
    one = GivenFacts(axes="TYX", voxel_size_um=(0.3,))
    other = GivenFacts(axes="ZYX", frame_interval_s=30.0, nuclear_channel="DAPI")
    both = GivenFacts("TYX", (0.3,), None, 30.0, "DAPI")
    assert one.over(other) == both
    stored = {"axes": "TYX", "voxel_size_um": [0.3], "frame_interval_s": 30.0, "nuclear_channel": "DAPI"}
    assert both.stored() == stored
    assert GivenFacts.restored({**stored, "of_a_later_version": 1}) == both
    assert (bool(both), bool(GivenFacts()), GivenFacts.restored(None)) == (True, False, GivenFacts())


def test_metadata_are_kept_unless_a_person_overrules_them_and_then_it_is_said() -> None:
    image = acquisition()  # 2 x 0.5 x 0.5 um, 60 s
    kept = image.with_given(GivenFacts(voxel_size_um=(1, 1, 1)))
    assert (kept.voxel_size_um, kept.voxel_source, kept.overruled) == ((2.0, 0.5, 0.5), "metadata", {})
    changed = image.with_given(
        GivenFacts(voxel_size_um=(1, 1, 1), voxel_size_override_um=(0.3,), frame_interval_s=30.0)
    )
    assert (changed.voxel_size_um, changed.voxel_source) == ((2.0, 0.3, 0.3), "configured")
    assert (changed.frame_interval_s, changed.origins.frame_interval) == (30.0, "configured")
    assert changed.overruled == {"voxel_size_um": [2.0, 0.5, 0.5], "frame_interval_s": 60.0}


def test_what_a_person_says_as_the_file_does_overrules_nothing() -> None:
    same = acquisition().with_given(GivenFacts(voxel_size_override_um=(2.0, 0.5, 0.5), frame_interval_s=60.0))
    assert (same.voxel_source, same.origins.frame_interval, same.overruled) == ("configured", "configured", {})


def test_a_series_without_times_says_what_stays_empty_and_what_to_do() -> None:
    series = replace(acquisition(), frame_interval_s=None)
    assert "--frame-interval" in series.lacks[0]
    assert replace(acquisition(pixels(t=1)), frame_interval_s=None).lacks == ()
    assert replace(acquisition(pixels(t=1)), frame_interval_s=None, first_number=0).lacks != ()
    assert acquisition().lacks == ()


def test_guessed_axes_are_doubted() -> None:
    (doubt,) = replace(acquisition(), origins=Origins(axes="guessed")).doubts
    assert "3 slices and 3 time points" in doubt


@pytest.mark.parametrize(
    ("interval_s", "stamps", "said"),
    [
        (60.0, (0.0, 60.0, 121.0, 180.0), ""),
        (60.0, (0.0, 58.0), ""),
        (60.0, (0.0, 10.0, 20.0), "60 s apart, and gives times that are 10 s apart"),
        (10.0, (0.0, 10.0, 20.0, 320.0), "uneven times, 10 to 300 s apart"),
        (10.0, (0.0, 10.0, 11.0, 21.0), "uneven times, 1 to 10 s apart"),
        (None, (0.0, 0.0, 0.0), ""),
        (60.0, (), ""),
    ],
)
def test_times_that_do_not_go_with_the_interval_are_said_unless_a_person_gave_it(
    interval_s: float | None, stamps: tuple[float, ...], said: str
) -> None:
    image = replace(acquisition(pixels(2)), frame_interval_s=interval_s, time_stamps_s=stamps, origins=Origins())
    assert [said in one for one in image.doubts] == ([True] if said else [])
    given = replace(image, origins=Origins(frame_interval="configured"))
    assert given.doubts == ()
