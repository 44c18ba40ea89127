"""Leica projects: runs that were stopped, wavelengths, images that are no planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import leica_file
from cases.stored import pixels

from storage.errors import UnsupportedInputError
from storage.readers import open_acquisitions, probe


@pytest.mark.parametrize(("stamps", "whole"), [(12, 2), (8, 1), (6, 2)])
def test_of_a_run_that_was_stopped_the_blank_rest_is_not_there(tmp_path: Path, stamps: int, whole: int) -> None:
    """Stamps of all planes; of a part of the second time point; one for both channels of a plane."""
    array = pixels(4, 2, 3) + 1
    array[2:] = 0
    path = leica_file.project(tmp_path / "a.lif", {"one": array}, stamps)
    verdict = probe(path)
    assert (verdict.state, verdict.time_points_ready) == ("growing", tuple(range(whole)))
    assert "stopped early" in verdict.reason
    (found,) = open_acquisitions(path)
    with found:
        assert (found.size_t, found.time_points) == (4, tuple(range(whole)))
        np.testing.assert_array_equal(found.plane(whole - 1, 1, 2), array[whole - 1, 1, 2])


@pytest.mark.parametrize(("stamps", "blank"), [(24, True), (12, False), (0, True)])
def test_what_has_stamps_or_grey_values_is_there(tmp_path: Path, stamps: int, blank: bool) -> None:
    array = pixels(4, 2, 3) + 1
    array[2:] *= not blank
    path = leica_file.project(tmp_path / "a.lif", {"one": array}, stamps)
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    assert found.time_points == (0, 1, 2, 3)


def test_a_stopped_image_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    array = pixels(4, 1, 2) + 1
    stopped = array.copy()
    stopped[1:] = 0
    path = leica_file.project(tmp_path / "a.lif", {"one": array[:1], "two": stopped}, stamps=2)
    assert probe(path).state == "complete"
    assert [one.time_points for one in open_acquisitions(path)] == [(0,), (0,)]


def test_wavelengths_are_channels(tmp_path: Path) -> None:
    array = pixels(3, 2, 2)
    path = leica_file.project(tmp_path / "a.lif", {"one": array}, renamed={"one": {4: 5}})
    (found,) = open_acquisitions(path)
    with found:
        assert (found.size_t, found.size_c, found.size_z) == (1, 6, 2)
        for c, wavelength, z in np.ndindex(2, 3, 2):
            np.testing.assert_array_equal(found.plane(0, 3 * c + wavelength, z), array[wavelength, c, z])


def test_a_scan_without_planes_is_refused(tmp_path: Path) -> None:
    path = leica_file.project(tmp_path / "a.lif", {"one": pixels(1)[:, :, :1]}, renamed={"one": {2: 3}})
    assert probe(path).state == "complete"
    with pytest.raises(UnsupportedInputError, match=r"scan of xz, without whole planes"):
        open_acquisitions(path)


def test_other_images_of_a_project_keep_their_numbers_and_say_what_was_left_out(tmp_path: Path) -> None:
    flat = pixels(1)[:, :, :1]
    path = leica_file.project(tmp_path / "a.lif", {"one": flat, "two": flat, "three": flat}, renamed={"two": {2: 3}})
    found = open_acquisitions(path)
    assert [one.source_path.name for one in found] == ["a.lif#0", "a.lif#2"]
    assert [len(one.doubts) for one in found] == [1, 0]
    assert "two is a scan" in found[0].doubts[0]


def test_planes_of_x_and_z_are_no_planes_of_x_and_y(tmp_path: Path) -> None:
    """An xzy scan holds all three lengths, but its planes stand upright."""
    path = leica_file.project(tmp_path / "a.lif", {"one": pixels(2, 1, 3)}, renamed={"one": {2: 3, 3: 2}})
    assert probe(path).state == "complete"
    with pytest.raises(UnsupportedInputError, match=r"one is a scan of xzyt, without whole planes"):
        open_acquisitions(path)


def test_lifetimes_are_left_out_and_said(tmp_path: Path) -> None:
    array = pixels(2, 1, 3)
    path = leica_file.with_lifetimes(leica_file.project(tmp_path / "a.lif", {"one": array, "two": array + 1}), "FLIM")
    assert probe(path).state == "complete"
    found = open_acquisitions(path)
    assert [one.source_path.name for one in found] == ["a.lif#0", "a.lif#1"]
    assert "FLIM holds lifetimes, not grey values" in found[0].doubts[0]
    for one, expected in zip(found, (array, array + 1), strict=True):
        with one:
            np.testing.assert_array_equal(one.plane(1, 0, 2), expected[1, 0, 2])
    alone = leica_file.with_lifetimes(leica_file.project(tmp_path / "b.lif", {}), "FLIM")
    assert probe(alone).state == "complete", "nothing to wait for"
    with pytest.raises(UnsupportedInputError, match="FLIM holds lifetimes"):
        open_acquisitions(alone)
