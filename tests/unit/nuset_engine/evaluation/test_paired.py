"""Differences of two segmentations: what holds image by image is significant, what one image decides is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nuset_engine.evaluation.paired import LEAST_IMAGES, paired_difference


def images(hits: list[int], nuclei: int = 20) -> pd.DataFrame:
    """Images with so many nuclei, of which so many were found, and nothing else."""
    rows = {"tp_50": hits, "true_nuclei": nuclei, "predicted_nuclei": hits}
    return pd.DataFrame(rows, index=[f"i{n}" for n in range(len(hits))])


def test_a_gain_in_every_image_is_significant_and_its_measure_is_that_of_all_nuclei() -> None:
    found = paired_difference(images([12, 14, 13, 15, 12, 14]), images([10, 11, 10, 12, 9, 12]))
    assert found.difference == pytest.approx(80 / 120 - 64 / 120)
    assert 0 < found.low < found.difference < found.high
    assert found.is_significant
    assert "is significant (" in found.words
    assert paired_difference(images([10] * 6), images([15] * 6)).is_significant, "a loss as well"


def test_what_one_image_decides_may_be_chance() -> None:
    found = paired_difference(images([19, 10, 10, 10, 10, 10]), images([5, 11, 10, 10, 11, 10]))
    assert found.difference > 0.05
    assert not found.is_significant
    assert "may be chance" in found.words


def test_a_few_images_tell_nothing_and_none_are_no_error() -> None:
    few = LEAST_IMAGES - 1
    assert not paired_difference(images([18] * few), images([2] * few)).is_significant
    assert paired_difference(images([18]), images([2])).words.startswith("1 image cannot tell")
    assert paired_difference(images([]), images([])).difference == 0.0


def test_images_are_compared_by_name_and_the_draw_is_always_the_same() -> None:
    new, present = images([12, 14, 13, 15, 12, 14]), images([10, 15, 10, 15, 9, 14])
    shuffled = present.iloc[np.random.default_rng(1).permutation(len(present))]
    assert paired_difference(new, shuffled) == paired_difference(new, present)
