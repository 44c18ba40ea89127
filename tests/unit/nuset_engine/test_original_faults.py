"""The faults of NuSeT as its authors released it, each as a case that it would fail."""

from __future__ import annotations

import numpy as np
import pytest
from cases.separating import separate

from daemon.cli import main
from nuset_engine.evaluation.paper_metrics import pixel_metrics
from nuset_engine.inference.proposals import EMPTY, Proposals
from nuset_engine.inference.survey import StackStatistics
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.training.dataset import CropSampler, make_example
from nuset_engine.training.targets import distance_map

SCENE = SyntheticParams(
    size_px=192,
    median_diameter_px=(22, 24),
    size_spread=(0.05, 0.1),
    covered=(0.25, 0.3),
    clustering=(0.5, 0.6),
    brightness_spread=(0.05, 0.2),
    photons=(100, 200),
    artefact_chance=0,
)


def disk(shape: tuple[int, int], y: float, x: float, radius: float) -> np.ndarray:
    """(Y, X) bool."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.hypot(rows - y, columns - x) < radius


def box(y: float, x: float, half: float, score: float) -> tuple[list[float], float]:
    return [y - half, x - half, y + half, x + half], score


def proposals(*boxes: tuple[list[float], float]) -> Proposals:
    return Proposals(np.array([b for b, _ in boxes], np.float32), np.array([s for _, s in boxes], np.float32))


def scene() -> np.ndarray:
    image, _ = synthetic_image(np.random.default_rng(5), SCENE)
    return np.clip(200 + 2000 * image, 0, 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def statistics(segmenter: Segmenter) -> StackStatistics:
    """Of the scene, so that it is surveyed once."""
    return segmenter.statistics([scene()])


def test_several_markers_in_one_nucleus_do_not_split_it() -> None:
    """The original compared (==) where it should have cleared markers inside a box."""
    truth = disk((64, 64), 32, 32, 14).astype(np.int32)
    several = proposals(box(31, 30, 14, 0.9), box(34, 35, 13, 0.8), box(28, 33, 12, 0.7))
    labels, _ = separate(truth > 0, distance_map(truth), several, 10)
    assert labels.max() == 1


@pytest.mark.parametrize("distance_to_border", [3, 10, 19])
def test_touching_nuclei_within_20_px_of_the_border_are_separated(distance_to_border: int) -> None:
    """The original ignored markers there."""
    one = disk((80, 80), distance_to_border, 30, 12)
    other = disk((80, 80), distance_to_border, 52, 12)
    truth = np.where(one, 1, np.where(other, 2, 0)).astype(np.int32)
    seeds = proposals(box(distance_to_border, 30, 12, 0.9), box(distance_to_border, 52, 12, 0.9))
    assert separate(truth > 0, distance_map(truth), seeds, 10)[0].max() == 2


@pytest.mark.parametrize("shape", [(96, 96), (101, 90)])
def test_labels_reach_the_last_row_and_column(segmenter: Segmenter, shape: tuple[int, int]) -> None:
    """The original cropped images to multiples of 16."""
    height, width = shape
    plane = np.random.default_rng(0).normal(100, 4, shape)
    for y, x in ((20, 20), (20, 60), (height - 7, 30), (60, width - 7)):
        plane += 600 * disk(shape, y, x, 12)
    labels = segmenter.segment_plane(plane.astype(np.uint16)).labels
    assert labels.shape == shape
    assert labels[-1, 30] > 0
    assert labels[60, -1] > 0


def test_touching_nuclei_have_labels_of_their_own_without_a_gap() -> None:
    """The original wrote a mask with cuts of one pixel, over which eight neighbours join again."""
    truth = np.zeros((40, 60), np.int32)
    truth[8:32, 6:30], truth[8:32, 30:54] = 1, 2
    labels, _ = separate(truth > 0, distance_map(truth), proposals(box(20, 18, 12, 0.9), box(20, 42, 12, 0.9)), 10)
    assert np.array_equal(labels, truth)


def test_blank_slices_are_empty_and_no_number_is_nan(segmenter: Segmenter, statistics: StackStatistics) -> None:
    """The original divided by a standard deviation of zero."""
    with np.errstate(all="raise"):
        for plane in (np.zeros((64, 64), np.uint16), np.full((64, 64), np.nan, np.float32)):
            for known in (None, statistics):
                result = segmenter.segment_plane(plane, known)
                assert not result.labels.any()
                assert len(result.scores) == 0


def test_a_training_image_without_a_nucleus_gives_crops_with_background_targets() -> None:
    """The original looped for ever on an image without a box."""
    empty = make_example("empty", np.random.default_rng(0).normal(100, 5, (96, 96)), np.zeros((96, 96), np.uint16))
    inputs, targets = CropSampler([empty], seed=1, crop_px=64, synthetic_share=0).crop()
    assert np.isfinite(inputs).all()
    assert not (targets.pixels[..., 0] > 0).any()
    assert not any((classes == 1).any() for classes in targets.classes)


def test_results_depend_on_the_stack_and_not_on_the_slice_or_the_part(
    segmenter: Segmenter, statistics: StackStatistics
) -> None:
    """The original computed its anchors' size anew from each array that it was given."""
    image = scene()
    alone = segmenter.segment_plane(image, statistics).labels
    # Half of the image under the stack's statistics: away from the cut, the labels are those of the whole.
    half = segmenter.segment_plane(image[:, :128], statistics).labels
    assert np.mean((half[:, :64] > 0) == (alone[:, :64] > 0)) > 0.995
    in_stack = list(segmenter.segment_stack([np.zeros_like(image), image], statistics))[1].labels
    assert np.mean((in_stack > 0) == (alone > 0)) > 0.999


def test_training_never_writes_into_the_shipped_weights(capsys: pytest.CaptureFixture[str]) -> None:
    """The original's best epoch overwrote the weights that it shipped; here there is no file to write by default."""
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--images", "images", "--labels", "labels"])
    assert stopped.value.code == 2
    assert "--output" in capsys.readouterr().err


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    """The original printed 2 mIoU / (1 + mIoU) as F1."""
    rng = np.random.default_rng(0)
    truth, predicted = rng.random((50, 50)) < 0.3, rng.random((50, 50)) < 0.4
    both = (truth & predicted).sum()
    precision, recall = both / predicted.sum(), both / truth.sum()
    scores = pixel_metrics(truth.astype(int), predicted.astype(int))
    assert scores["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert scores["f1"] != pytest.approx(2 * scores["mean_iou"] / (1 + scores["mean_iou"]), abs=0.01)


def test_nuclei_of_very_different_sizes_in_one_image_keep_their_labels() -> None:
    """The original had boxes of one size per image; here every size has anchors and one watershed."""
    truth = np.zeros((160, 160), np.int32)
    truth[disk((160, 160), 60, 60, 48)] = 1
    truth[disk((160, 160), 60, 116, 7)] = 2
    truth[disk((160, 160), 130, 130, 12)] = 3
    seeds = proposals(box(60, 60, 48, 0.9), box(60, 116, 7, 0.8), box(130, 130, 12, 0.9))
    labels, scores = separate(truth > 0, distance_map(truth), seeds, 10)
    assert np.array_equal(labels, truth)
    assert len(scores) == 3


def test_a_nucleus_that_no_proposal_saw_is_kept() -> None:
    """In the original such a nucleus joined the one beside it."""
    truth = np.zeros((60, 90), np.int32)
    truth[disk((60, 90), 30, 25, 14)], truth[disk((60, 90), 30, 51, 14)] = 1, 2
    labels, _ = separate(truth > 0, distance_map(truth), proposals(box(30, 25, 14, 0.9)), 10)
    assert labels.max() == 2
    assert separate(truth > 0, distance_map(truth), EMPTY, 10)[0].max() == 2


def test_dim_nuclei_beside_bright_ones_are_seen(segmenter: Segmenter) -> None:
    """Normalisation by the bright ones alone hid them in the original."""
    rng = np.random.default_rng(2)
    plane = rng.normal(100, 4, (160, 160))
    for y, x, brightness in ((40, 40, 1000), (40, 110, 1000), (110, 40, 120), (110, 110, 120)):
        plane += brightness * disk((160, 160), y, x, 12)
    found = segmenter.segment_plane(np.clip(plane, 0, None).astype(np.uint16)).labels
    assert all(found[y, x] > 0 for y, x in ((40, 40), (40, 110), (110, 40), (110, 110)))
