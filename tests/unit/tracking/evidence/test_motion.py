"""Distances of neighbours and local flow."""

from __future__ import annotations

import numpy as np

from tests.unit.tracking.movies import grid
from tracking.evidence.motion import local_flow, spacing


def test_spacing_ignores_duplicates() -> None:
    points = np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 3], [0, 0, 6]])
    assert spacing(points) == 3.0
    assert spacing(points[:2]) is None


def test_local_flow_follows_a_rotation_and_forgives_an_outlier() -> None:
    at = grid(5)
    centred = at - at.mean(axis=0)
    step = 0.1 * np.stack([np.zeros(len(at)), -centred[:, 2], centred[:, 1]], axis=1)
    wrong = step.copy()
    wrong[62] = [8.0, 8.0, 8.0]
    flow = local_flow(at, wrong, at, np.arange(len(at)), 10.0)
    inner = (np.abs(centred) < 15).all(axis=1)
    assert np.linalg.norm(flow - step, axis=1)[inner].max() < 0.35


def test_local_flow_without_anchors_is_none() -> None:
    assert (local_flow(np.zeros((0, 3)), np.zeros((0, 3)), grid(), np.full(27, -1), 1.0) == 0).all()
