"""From labels at network resolution to those of the source."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.inference.instances import nuclei_of
from nuset_engine.inference.maps import Separated
from nuset_engine.params import SegmentationParams


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("larger", [2, 3, 7])
def test_beside_a_narrow_gap_each_side_has_the_number_of_its_own_nucleus(order: tuple[int, int], larger: int) -> None:
    """The outline lies between pixels, beyond the labels, and whichever number is the higher one."""
    first, second = order
    labels = np.zeros((20, 20), np.int32)
    labels[:, 2:9], labels[:, 10:18] = first, second
    probability = np.where(labels > 0, 0.9, 0.3).astype(np.float32)
    probability[labels == first] = 0.99
    probability[:, 9] = 0.1
    found = nuclei_of(
        Separated(labels, np.ones(2, np.float32), probability), (20 * larger, 20 * larger), at(0.4)
    ).labels
    middle = 9.5 * larger
    left, right = np.arange(20 * larger) + 0.5 < middle, np.arange(20 * larger) + 0.5 > middle
    assert set(np.unique(found[:, left])) == {0, first}
    assert set(np.unique(found[:, right])) == {0, second}
    assert np.count_nonzero(found == first) > np.count_nonzero(labels == first) * larger**2, "out to between pixels"


def at(threshold: float) -> SegmentationParams:
    return SegmentationParams(foreground_threshold=threshold)
