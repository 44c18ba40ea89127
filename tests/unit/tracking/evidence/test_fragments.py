"""Nuclei that are found in two fragments, and do not divide."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.unit.tracking.linking.test_doubtful_parents import WHEN, WHOLE, divisions, play, sized
from tests.unit.tracking.movies import wandering
from tracking.linking.decide import joined
from tracking.linking.packing import Solution, Triples

FRAMES = 14


def cut_for_good(shares: tuple[float, float], suspected: bool) -> list[pd.DataFrame]:
    """A movie of whole nuclei, one of which (row 13, label 14) is found in two fragments from `WHEN` on."""
    movie = sized(wandering(FRAMES))
    for t in range(WHEN, FRAMES):
        frame = movie[t]
        y = frame.loc[13, "y"]
        part = frame.loc[[13]].assign(volume=shares[1] * WHOLE, y=y + 4.0 * shares[0], split=suspected)
        frame.loc[13, ["volume", "y"]] = shares[0] * WHOLE, y - 4.0 * shares[1]
        movie[t] = pd.concat([frame, part], ignore_index=True)
    return movie


@pytest.mark.parametrize("shares", [(0.65, 0.35), (0.55, 0.45)])
def test_a_nucleus_cut_for_good_goes_on_in_its_larger_piece(shares: tuple[float, float]) -> None:
    record = play(cut_for_good(shares, suspected=True))
    assert divisions(record) == 0
    assert record.ids[FRAMES - 1][14] == record.ids[0][14]


def test_what_is_rather_fragments_is_no_division() -> None:
    triples = Triples(np.array([0, 1]), np.array([0, 2]), np.array([1, 3]), np.array([9.0, 9.0]), np.array([-1.0, 2.0]))
    solution = Solution(np.array([-1, -1]), {0: (0, 1, 7.0), 1: (2, 3, 7.0)})
    whole = joined(solution, triples, size=np.array([1.0, 2.0, 1.0, 1.0]))
    assert whole.match.tolist() == [1, -1]
    assert whole.divisions == {1: (2, 3, 2.0)}  # no surer than that it is no fragments
    assert solution.match.tolist() == [-1, -1]
