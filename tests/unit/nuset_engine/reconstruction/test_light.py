"""Light that flickers from slice to slice is taken off the brightness of sections, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.reconstruction.light import LEAST_NUCLEI, evenly_lit
from nuset_engine.reconstruction.link import Nodes
from nuset_engine.reconstruction.volume import reconstruct
from nuset_engine.segment import PlaneLabels

SLICES, SIDE = 13, 40
SPAN = slice(2, 11)  # slices of the nuclei
LAMPS = {
    "odd slices half as bright again": np.where(np.arange(SLICES) % 2, 1.5, 1.0),
    "odd slices four times": np.where(np.arange(SLICES) % 2, 4.0, 1.0),
    "every fifth four times": np.where(np.arange(SLICES) % 5 == 1, 4.0, 1.0),
    "one slice a tenth": np.where(np.arange(SLICES) == 6, 0.1, 1.0),
}


def columns(profiles: np.ndarray, areas: np.ndarray | None = None) -> tuple[Nodes, list[np.ndarray]]:
    """Nuclei as columns whose sections have the given brightness, (N, Z); slices that have none are NaN."""
    there = np.isfinite(profiles)
    z, number = np.nonzero(there.T)
    areas = np.full(profiles.shape, 100.0) if areas is None else areas
    offset = np.concatenate([[0], np.cumsum(there.sum(axis=0))])
    nodes = Nodes(z, areas[number, z], np.ones(len(z)), profiles[number, z], np.zeros((len(z), 2)), offset)
    return nodes, [np.flatnonzero(number == n) for n in range(len(profiles))]


def profiles(count: int = 6) -> np.ndarray:
    """(count, Z) brightness of nuclei that all lie in the middle slices, each of its own."""
    out = np.full((count, SLICES), np.nan)
    z = np.linspace(-1, 1, SLICES)[SPAN]
    out[:, SPAN] = np.linspace(50, 300, count)[:, None] * (1 - 0.6 * z**2)
    return out


@pytest.mark.parametrize("lamp", LAMPS)
def test_flicker_is_taken_off(lamp: str) -> None:
    true = profiles()
    nodes, rows = columns(true * LAMPS[lamp])
    lit = evenly_lit(nodes, rows, SLICES).brightness
    wanted = columns(true)[0].brightness
    rough = [np.abs(np.diff(np.log(values[rows[0]] / wanted[rows[0]]))).max() for values in (nodes.brightness, lit)]
    assert rough[0] > 0.4
    assert rough[1] < 0.35 * rough[0]


def test_brightness_stays_as_it_is_without_flicker() -> None:
    z = np.arange(SLICES)
    stacked = profiles() * np.where(z == 6, 0.6, 1.0)  # dark between two sheets of nuclei in register
    fading = profiles() * np.exp(-z / 4)
    for course in (profiles(), stacked, fading):
        nodes, rows = columns(course)
        assert evenly_lit(nodes, rows, SLICES) is nodes


def test_few_nuclei_or_such_whose_area_changes_say_nothing_of_the_light() -> None:
    lamp = LAMPS["odd slices four times"]
    few = columns(profiles(LEAST_NUCLEI - 1) * lamp)
    changing = columns(profiles() * lamp, np.where(np.arange(SLICES) % 2, 170.0, 100.0) * np.ones((6, 1)))
    for nodes, rows in (few, changing):
        assert evenly_lit(nodes, rows, SLICES) is nodes


def test_one_nucleus_is_not_the_light_nor_are_two_that_follow_each_other() -> None:
    odd = profiles()
    odd[2, 6] *= 200.0
    behind = np.full((20, SLICES), np.nan)
    for number, course in enumerate(behind):
        begin = 2 * (number % 5)
        course[begin : begin + 2] = 100 * LAMPS["odd slices four times"][begin : begin + 2]
    for nodes, rows in (columns(odd), columns(behind)):
        assert evenly_lit(nodes, rows, SLICES) is nodes


def test_unknown_brightness_stays_unknown() -> None:
    nodes, rows = columns(profiles())
    unknown = Nodes(nodes.z, nodes.area, nodes.score, np.full(len(nodes.z), np.nan), nodes.centroid, nodes.offset)
    assert evenly_lit(unknown, rows, SLICES) is unknown


def test_nuclei_are_not_cut_where_the_lamp_was_dim() -> None:
    z, y, x = np.mgrid[:SLICES, :SIDE, :SIDE]
    ball = ((z - 6) ** 2 + ((y - 20) * 0.35) ** 2 + ((x - 20) * 0.35) ** 2) < 25
    labels = np.concatenate([np.where(ball, number, 0) for number in range(1, 7)], axis=2)
    image = np.where(labels > 0, 300.0, 20.0) * LAMPS["odd slices four times"][:, None, None]
    slices = []
    for plane in labels:
        present, names = np.unique(np.append(plane, 0), return_inverse=True)
        slices.append(PlaneLabels(names[:-1].reshape(plane.shape).astype(np.int32), np.ones(len(present) - 1)))
    found = reconstruct(slices, (1.0, 0.35, 0.35), planes=image)
    assert len(found.trust) == 6
