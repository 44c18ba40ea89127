"""Frame-to-frame links by trackpy, and what replaces it where it gives up."""

from __future__ import annotations

import numpy as np
import pytest

import tracking.linking.link
from tests.unit.tracking.movies import grid
from tracking.linking.link import link, link_by_assignment


def test_trackpy_links_every_point_to_its_own() -> None:
    rng = np.random.default_rng(3)
    places = grid()
    order = rng.permutation(len(places))
    match = link(places, places[order] + rng.normal(0, 0.2, places.shape), 5.0)
    assert (order[match] == np.arange(len(places))).all()


def test_trackpy_is_what_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the assignment was used")

    monkeypatch.setattr(tracking.linking.link, "link_by_assignment", never)
    assert (link(grid(), grid(), 5.0) == np.arange(27)).all()


def test_subnetworks_that_are_too_large_are_solved_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    places = rng.uniform(0, 1, (60, 3))
    calls: list[int] = []

    def counted(*arguments: np.ndarray) -> np.ndarray:
        calls.append(1)
        return link_by_assignment(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tracking.linking.link, "link_by_assignment", counted)
    match = link(places, places, 100.0)
    assert calls
    assert (match == np.arange(60)).all()


def test_points_out_of_reach_stay_unlinked() -> None:
    match = link(np.array([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]), np.array([[0.0, 0.0, 0.4]]), 1.0)
    assert match.tolist() == [0, -1]


def test_nothing_to_link() -> None:
    assert link(np.zeros((2, 3)), np.zeros((0, 3)), 1.0).tolist() == [-1, -1]
    assert link(np.zeros((0, 3)), np.zeros((2, 3)), 1.0).tolist() == []
