"""Training targets: foreground, distance map, border weights, anchor classes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import LEVELS, anchor_boxes, box_iou, decode
from nuset_engine.training.targets import (
    BORDER_SIGMA_PX,
    BORDER_WEIGHT,
    anchor_targets,
    border_weights,
    distance_map,
    inner_borders,
    make_targets,
    truth_boxes,
)


def disk_pair(gap: int = 0) -> np.ndarray:
    """Two touching disks of diameter 24, or `gap` pixels apart, in 96 x 96."""
    y, x = np.ogrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    labels[(y - 48) ** 2 + (x - 30) ** 2 < 144] = 1
    labels[(y - 48) ** 2 + (x - 54 - gap) ** 2 < 144] = 2
    return labels


def test_border_weight_is_the_papers_formula() -> None:
    labels = disk_pair(gap=3)
    distances = np.sort([ndi.distance_transform_edt(labels != i) for i in (1, 2)], axis=0)
    expected = 1 + BORDER_WEIGHT * np.exp(-((distances[0] + distances[1]) ** 2) / (2 * BORDER_SIGMA_PX**2))
    near = (labels == 0) & (distances[1] < 14)
    assert np.allclose(border_weights(labels)[near], expected[near], atol=1e-3)
    assert (border_weights(labels)[labels > 0] == 1).all()


def test_border_weight_of_an_empty_image_is_one() -> None:
    assert (border_weights(np.zeros((20, 20), np.int32)) == 1).all()


def test_distance_map_has_a_valley_between_touching_nuclei() -> None:
    labels = disk_pair()
    distance = distance_map(labels)
    assert distance[48, 30] == distance.max() == 1
    assert distance[48, 41] < 0.2
    assert distance[48, 43] < 0.2
    assert (distance[labels == 0] == 0).all()


def test_inner_border_runs_on_both_sides_of_a_contact() -> None:
    labels = np.array([[1, 1, 1, 2, 2, 2]] * 3)
    assert inner_borders(labels).tolist() == [[False, False, True, True, False, False]] * 3


def test_every_nucleus_has_a_positive_anchor_that_decodes_to_its_box() -> None:
    labels = disk_pair()
    boxes = truth_boxes(labels)
    classes, offsets = anchor_targets(boxes, 96, 96)
    found = [
        decode(anchor_boxes(level, *c.shape[:2])[c == 1], o[c == 1])
        for level, c, o in zip(LEVELS, classes, offsets, strict=True)
    ]
    overlap = box_iou(boxes, np.concatenate(found))
    assert (overlap.max(axis=1) > 0.999).all()
    assert (overlap.max(axis=0) > 0.999).all()


def test_a_huge_and_a_tiny_nucleus_both_get_an_anchor() -> None:
    boxes = np.array([[10, 10, 110, 110], [120, 120, 128, 127]], np.float32)
    classes, _ = anchor_targets(boxes, 128, 128)
    assert (classes[0] == 1).any()
    assert (classes[2] == 1).any()


def test_an_image_without_a_nucleus_is_an_ordinary_target() -> None:
    targets = make_targets(np.zeros((32, 48), np.int32))
    assert targets.pixels.shape == (32, 48, 3)
    assert all((c == 0).all() for c in targets.classes)
    assert all((b == 0).all() for b in targets.boxes)
