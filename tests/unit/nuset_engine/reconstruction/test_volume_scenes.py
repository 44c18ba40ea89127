"""Reconstruction of touching nuclei with known truth, against plain stitching, and of a real embryo's slices."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from volume_scenes import Errors, cluster, count_errors, plain_stitching, slices_of

from nuset_engine.evaluation.metrics import match
from nuset_engine.reconstruction.volume import reconstruct

VOXEL = (1.0, 0.3, 0.3)
DATA = Path(os.environ.get("NUSETD_DATA", Path(__file__).parents[5] / "shared" / "data"))


@pytest.fixture(scope="module")
def truth():
    return cluster(20, VOXEL, np.random.default_rng(13))


@pytest.mark.parametrize(
    "errors",
    [
        Errors(),
        Errors(blank_every=10),
        Errors(missed=0.1),
        Errors(blank_every=10, fused=0.05, broken=0.05, ragged_px=0.7),
    ],
    ids=["clean", "blank slices", "missed sections", "all errors"],
)
def test_touching_nuclei_are_neither_split_nor_merged(truth, errors):
    slices = slices_of(truth, np.random.default_rng(5), errors)
    ours, plain = count_errors(truth, reconstruct(slices, VOXEL).labels), count_errors(truth, plain_stitching(slices))
    assert ours.found == 1.0
    assert ours.splits == ours.merges == 0.0
    assert ours.seg > max(plain.seg, 0.85)
    assert plain.splits + plain.merges > 0.05  # otherwise the scene proves nothing


def test_the_same_slices_give_the_same_volume_bit_for_bit(truth):
    slices = slices_of(truth, np.random.default_rng(5), Errors(blank_every=10, fused=0.05, broken=0.05))
    first, second = (reconstruct(iter(slices), VOXEL) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.trust.equals(second.trust)


@pytest.mark.parametrize(
    "errors", [Errors(), Errors(blank_every=10), Errors(missed=0.1)], ids=["clean", "blank", "missed"]
)
def test_slices_of_a_real_embryo_give_its_eight_nuclei(errors):
    path = DATA / "volumes" / "mouse_embryo_8cell.labels.tif"
    if not path.exists():
        pytest.skip(f"{path} is not there; set NUSETD_DATA to the folder of the development data")
    import tifffile

    truth = tifffile.imread(path)
    slices = slices_of(truth.astype(np.uint16), np.random.default_rng(1), errors)
    volume = reconstruct(slices, (1.75, 0.8, 0.8))
    assert len(volume.trust) == 8
    assert match(truth, volume.labels, 0.5).true_positives == 8
