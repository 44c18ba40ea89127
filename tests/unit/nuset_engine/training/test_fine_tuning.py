"""Fine-tuning the shipped weights on a handful of images of another kind makes them good at that kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi
from skimage.io import imsave
from skimage.segmentation import find_boundaries

from nuset_engine.evaluation.metrics import average_precision
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.training.trainer import TrainingConfig, train

Pair = tuple[np.ndarray, np.ndarray]


def lamin_stained(rng: np.random.Generator) -> Pair:
    """An image (192, 192) of nuclei that are darker than the uneven background but for a bright rim, and its labels."""
    _, labels = synthetic_image(rng, SyntheticParams(size_px=192))
    inside = labels > 0
    depth = ndi.distance_transform_edt(inside & ~find_boundaries(labels, mode="inner"))
    rim = inside * np.exp(-((depth / 1.5) ** 2))
    uneven = ndi.gaussian_filter(rng.standard_normal(labels.shape), 6)
    image = 0.35 + 0.12 * uneven / uneven.std() + 0.6 * rim - 0.2 * inside * (1 - rim)
    image = ndi.gaussian_filter(image, 0.7) + 0.05 * rng.standard_normal(labels.shape)
    return (1000 * np.clip(image, 0, 4)).astype(np.uint16), labels


def precision(segmenter: Segmenter, pairs: list[Pair]) -> float:
    """Mean average precision at IoU 0.5 of the full engine over images."""
    found = [segmenter.segment_plane(image).labels for image, _ in pairs]
    return float(np.mean([average_precision(t, f, [0.5])[0] for (_, t), f in zip(pairs, found, strict=True)]))


@pytest.mark.long  # what it needs of the network is in `test_training`; this is how much it helps
def test_a_handful_of_images_of_another_stain_improves_the_shipped_weights(
    segmenter: Segmenter, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for index in range(5):
        for name, plane in zip(("images", "labels"), lamin_stained(rng), strict=True):
            imsave(tmp_path / name / f"{index}.tif", plane.astype(np.uint16), check_contrast=False)
    unseen = [lamin_stained(rng) for _ in range(2)]
    output = tmp_path / "lamin.npz"
    train(
        TrainingConfig(
            tmp_path / "images",
            tmp_path / "labels",
            output,
            steps=30,
            batch_size=2,
            crop_px=96,
            synthetic_share=0.0,
            validation=1,
            start_from="fluorescence",
        ),
        every=30,
    )
    before, after = precision(segmenter, unseen), precision(Segmenter(output), unseen)
    assert before < 0.5, "these images must be strange to the shipped weights, or there is nothing to improve"
    assert after > before + 0.3
