"""Synthetic images and training crops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from nuset_engine.errors import EngineError
from nuset_engine.models.losses import pixel_losses
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, add_artefacts, synthetic_image
from nuset_engine.synthetic.confocal import confocal_slices
from nuset_engine.training import dataset
from nuset_engine.training.augment import AUGMENTATIONS, AugmentParams, random_intensity
from nuset_engine.training.dataset import CropSampler, make_example, masked_targets, negative_of
from nuset_engine.training.examples import load_examples, split
from nuset_engine.training.pairs import check_labels, read_image, read_pairs
from nuset_engine.training.targets import UNSEEN, border_weights, median_diameter
from nuset_engine.training.trainer import TrainingConfig, rate_at


def test_the_same_seed_gives_the_same_image() -> None:
    one, other = (synthetic_image(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])
    assert not np.array_equal(one[0], synthetic_image(np.random.default_rng(6))[0])


def test_nuclei_are_brighter_than_what_surrounds_them() -> None:
    rng = np.random.default_rng(0)
    params = SyntheticParams(artefact_chance=0, covered=(0.2, 0.4))
    for _ in range(10):
        image, labels = synthetic_image(rng, params)
        assert image.dtype == np.float32
        assert labels.dtype == np.int32
        assert image[labels > 0].mean() > image[labels == 0].mean()


def test_some_nuclei_touch() -> None:
    _, labels = synthetic_image(np.random.default_rng(1), SyntheticParams(covered=(0.4, 0.5), clustering=(0.8, 0.9)))
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    both = ((labels[1:] > 0) & (labels[:-1] > 0) & down).any() or (
        (labels[:, 1:] > 0) & (labels[:, :-1] > 0) & right
    ).any()
    assert both


def test_artefacts_change_the_image_and_stay_finite() -> None:
    for seed in range(30):
        image = np.zeros((64, 80), np.float32)
        add_artefacts(np.random.default_rng(seed), image)
        assert np.isfinite(image).all()
        assert image.max() > 0


def test_confocal_slices_are_reproducible_and_labelled() -> None:
    one, other = (confocal_slices(np.random.default_rng(2)) for _ in range(2))
    assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(one, other, strict=True))
    assert sum(int(labels.max() > 0) for _, labels in one) >= 4


def test_crops_are_reproducible_and_finite() -> None:
    one, other = (CropSampler([], seed=9, crop_px=64).batch(3) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert one[0].shape == (3, 64, 64, CHANNELS)
    assert all(np.isfinite(array).all() for array in (one[0], *one[1]))


def disks(count: int) -> np.ndarray:
    """Labels (128, 128) of `count` disks of 20 px across, in rows."""
    labels = np.zeros((128, 128), np.int32)
    y, x = np.ogrid[:128, :128]
    for index in range(count):
        labels[(y - 14 - 25 * (index // 5)) ** 2 + (x - 14 - 25 * (index % 5)) ** 2 <= 100] = index + 1
    return labels


def test_crops_show_nuclei_as_large_as_they_are_measured() -> None:
    labels = disks(9)
    image = labels.astype(np.float32)
    plain = make_example("a", image, labels)
    looks_px = 20.1  # the circle of a disk's area
    for ratio, used in ((0.75, 0.75), (1.2, 1.2), (3.0, 1.0), (float("nan"), 1.0)):
        example = make_example("a", image, labels, lambda _, ratio=ratio: ratio * looks_px)
        assert example.diameter_px == pytest.approx(used * plain.diameter_px, rel=0.01)
        assert np.array_equal(example.labels, plain.labels)


def test_the_weights_to_start_from_measure_the_images(tmp_path: Path) -> None:
    for name, plane in zip(("images", "labels"), synthetic_image(np.random.default_rng(4)), strict=True):
        (tmp_path / name).mkdir()
        grey_levels = 1000 * np.clip(plane, 0, None) if name == "images" else plane
        imsave(tmp_path / name / "a.tif", grey_levels.astype(np.uint16), check_contrast=False)
    folders = tmp_path / "images", tmp_path / "labels", tmp_path / "out.npz"
    ((labelled,), _) = load_examples(TrainingConfig(*folders), print)
    config = TrainingConfig(*folders, start_from="fluorescence", sizes="measured")
    ((measured,), _) = load_examples(config, print)
    seen = Segmenter("fluorescence").statistics([read_image(tmp_path / "images" / "a.tif")]).diameter_px
    true = median_diameter(read_image(tmp_path / "labels" / "a.tif"))
    assert measured.diameter_px / labelled.diameter_px == pytest.approx(seen / true)
    assert seen != pytest.approx(true)
    with pytest.raises(EngineError, match="sizes = 'measured' needs weights to start from"):
        TrainingConfig(*folders, sizes="measured")


def test_crowds_are_drawn_more_often() -> None:
    examples = [make_example(str(n), (disks(n) > 0).astype(np.float32), disks(n)) for n in (0, 3, 24)]
    sampler = CropSampler(examples, seed=3, crop_px=64, synthetic_share=0.0)
    drawn = [sampler._example().name for _ in range(800)]
    shares = [drawn.count(example.name) / 800 for example in examples]
    assert shares == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.06)


def test_mild_augmentation_changes_less() -> None:
    strong, mild = AUGMENTATIONS["strong"], AUGMENTATIONS["mild"]
    assert mild.scale[0] > strong.scale[0]
    assert mild.scale[1] < strong.scale[1]
    chances = [name for name in vars(strong) if name.endswith("_chance")]
    assert len(chances) == 7
    assert all(getattr(mild, name) <= getattr(strong, name) for name in chances if name != "blur_chance")
    assert mild.blur_chance >= strong.blur_chance, "blurred images are not to be unlearned"


def test_blur_spans_source_pixels_where_these_are_the_larger_ones() -> None:
    labels = disks(9)

    def blurred(blur_px: float, zoom: float) -> np.ndarray:
        params = AugmentParams(blur_px=(blur_px, blur_px), blur_chance=1, noise_chance=0)
        return random_intensity(np.random.default_rng(1), labels.astype(np.float32), labels, params, zoom)

    assert np.array_equal(blurred(1.5, 2), blurred(3, 1))
    assert np.array_equal(blurred(1.5, 0.5), blurred(1.5, 1))
    assert not np.array_equal(blurred(1.5, 2), blurred(1.5, 1))


def test_crops_of_small_nuclei_are_blurred_more(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def noted(*given: Any) -> np.ndarray:
        seen.append(given[4])
        return random_intensity(*given)

    monkeypatch.setattr(dataset, "random_intensity", noted)
    labels = disks(9)
    for diameter_px in (12.0, 24.0, 30.0):
        example = replace(make_example("a", labels.astype(np.float32), labels), diameter_px=diameter_px)
        CropSampler([example], seed=1, crop_px=64, synthetic_share=0.0).crop()
    assert seen == pytest.approx([2.0, 1.0, 0.8])


def test_what_lies_beyond_the_source_is_not_counted() -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[10:30, 20:44] = 1
    inside = np.zeros((64, 64), bool)
    inside[:, :32] = True
    targets = masked_targets(labels, border_weights(labels), inside)
    assert (targets.pixels[:, 32:, 2] == 0).all()
    assert (targets.pixels[:, :32, 2] > 0).all()
    assert (targets.classes[0][:, 8:] == -1).all()
    assert (targets.classes[0][:, :8] == 1).any()


def test_where_nobody_looked_nothing_is_learned() -> None:
    labels = np.zeros((64, 64), np.int32)
    labels[10:30, 4:28] = 1
    labels[10:30, 36:60] = 2
    seen = np.zeros((64, 64), bool)
    seen[:, :32] = True
    whole = np.ones_like(seen)
    targets = masked_targets(labels, border_weights(labels), whole, seen)
    assert (targets.pixels[:, 32:, 1] == UNSEEN).all()
    assert (targets.pixels[:, 32:, 2] == 0).all()
    assert (targets.pixels[:, :32] == masked_targets(labels, border_weights(labels), whole).pixels[:, :32]).all()
    assert (targets.classes[0][:, 8:] == -1).all()
    maps = np.random.default_rng(0).normal(size=(1, 64, 64, 2)).astype(np.float32)
    other = np.where(seen[None, :, :, None], maps, -maps)
    losses = [{n: float(v) for n, v in pixel_losses(targets.pixels[None], one).items()} for one in (maps, other)]
    assert losses[0] == losses[1]
    nothing = masked_targets(labels, border_weights(labels), whole, np.zeros_like(seen))
    assert {n: float(v) for n, v in pixel_losses(nothing.pixels[None], maps).items()} == {
        "bce": 0.0, "dice": 0.0, "distance": 0.0,
    }  # fmt: skip


def test_crops_are_drawn_to_what_was_seen(tmp_path: Path) -> None:
    labels = np.zeros((400, 400), np.int32)
    for n, (y, x) in enumerate(((40, 40), (40, 340), (340, 40), (340, 340)), start=1):
        labels[y : y + 24, x : x + 24] = n
    seen = np.zeros(labels.shape, bool)
    seen[300:, 300:] = True
    example = make_example("a", labels.astype(np.float32), labels, seen=seen)
    sampler = CropSampler([example], seed=1, crop_px=64, synthetic_share=0.0)
    crops = [sampler.crop()[1] for _ in range(20)]
    assert all((targets.pixels[..., 1] > 0).any() for targets in crops)
    for name, plane in (("images", labels), ("labels", labels), ("seen", seen)):
        (tmp_path / name).mkdir()
        imsave(tmp_path / name / "a.tif", plane.astype(np.uint8), check_contrast=False)
    config = TrainingConfig(tmp_path / "images", tmp_path / "labels", tmp_path / "o.npz", tmp_path / "seen")
    ((loaded,), _) = load_examples(config, print)
    assert loaded.seen is not None
    assert config.recipe()["seen"] == "seen"
    with pytest.raises(EngineError, match="export them again"):
        make_example("a", labels.astype(np.float32), labels, seen=seen[:-1])
    with pytest.raises(EngineError, match="seen belongs to images"):
        TrainingConfig(None, None, tmp_path / "o.npz", tmp_path / "seen")


def test_images_are_learned_as_the_engine_shows_them() -> None:
    """Only where the darker values are the rarer ones does it look at the negative: a bright rim, and it does not."""
    y, x = np.ogrid[:64, :64]
    distance = np.hypot(y - 32, x - 32)
    labels = (distance < 12).astype(np.int32)
    stained = np.where(labels, 60, 100).astype(np.uint8)
    rimmed = np.where(labels & (distance > 10), 250, stained).astype(np.uint8)
    assert np.median(rimmed[labels > 0]) < np.median(rimmed[labels == 0]), "darker they are both"
    for image, turned in ((stained, True), (rimmed, False), (255 - stained, False)):
        example = make_example("a", image, labels)
        assert example.either_way is turned
        assert (float(example.image.max()) < 0) is turned
        seen = make_example("a", image, labels, seen=distance < 20)
        assert seen.either_way is turned


def test_in_the_negative_there_is_nothing_to_find() -> None:
    image, labels = synthetic_image(np.random.default_rng(3), SyntheticParams(size_px=128, covered=(0.3, 0.5)))
    example = make_example("a", image.max() - image, labels)
    negative = negative_of(example)
    assert (negative.image == -example.image).all()
    assert not negative.labels.any()
    draw = CropSampler([example], seed=1, crop_px=64, synthetic_share=0.0)
    found = [targets.pixels[..., 0].any() for _, targets in (draw.crop() for _ in range(60))]
    assert 40 < sum(found) < 60
    plain = CropSampler([make_example("a", image, labels)], seed=1, crop_px=64, synthetic_share=0.0)
    assert all(plain.crop()[1].pixels[..., 0].any() for _ in range(20))
    empty = CropSampler([negative], seed=1, crop_px=64, synthetic_share=0.0).crop()[1]
    assert not any(level.any() for level in empty.classes), "no proposal is right, and none is left open"


def test_pairs_are_checked(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    with pytest.raises(EngineError, match="is not a folder"):
        read_pairs(images, labels)
    images.mkdir()
    labels.mkdir()
    with pytest.raises(EngineError, match="holds no image"):
        read_pairs(images, labels)
    imsave(images / "a.tif", np.zeros((20, 20), np.uint8), check_contrast=False)
    with pytest.raises(EngineError, match=r"1 of 1 images .* a\.tif"):
        read_pairs(images, labels)
    (images / "a.tif").write_text("no image")
    with pytest.raises(EngineError, match="cannot be read"):
        read_image(images / "a.tif")


def test_labels_may_be_called_as_segment_calls_them(tmp_path: Path) -> None:
    """In a folder of their own, or beside their images."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    for folder, names in ((images, ("a.tif", "b.tif", "b.labels.tif", "._a.tif")), (labels, ("a.labels.tif", "b.png"))):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    assert [(name, truth.name) for name, _, truth in read_pairs(images, labels)] == [
        ("a", "a.labels.tif"),
        ("b", "b.png"),
    ]
    (images / "a.labels.tif").touch()
    assert [truth.name for *_, truth in read_pairs(images, images)] == ["a.labels.tif", "b.labels.tif"]
    (labels / "b.tif").touch()
    with pytest.raises(EngineError, match=r"b\.png and b\.tif in .* have one name"):
        read_pairs(images, labels)


def test_images_that_lose_a_little_are_read_and_no_image_that_has_labels_is_left_out(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    for folder, names in ((images, ("a.jpg", "b.JPEG", "notes.txt")), (labels, ("a.png", "b.labels.tif"))):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    assert [path.name for _, path, _ in read_pairs(images, labels)] == ["a.jpg", "b.JPEG"]
    imsave(images / "a.jpg", np.full((20, 20), 9, np.uint8), check_contrast=False)
    assert read_image(images / "a.jpg").shape == (20, 20)
    for name in ("c.czi", "c.zarr"):
        (labels / "c.tif").touch()
        (images / name).touch()
        with pytest.raises(EngineError, match=rf"{name} has labels and is none of .*save it as one of these"):
            read_pairs(images, labels)
        (images / name).unlink()
    (labels / "c.tif").rename(labels / "c.jpg")
    (images / "c.tif").touch()
    with pytest.raises(EngineError, match=r"no label image of the same name \(\.tif, \.tiff, \.png\)"):
        read_pairs(images, labels)


def test_a_mask_among_labels_is_told_of(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("images", "labels")]
    for folder in folders:
        folder.mkdir()
    for seed, name in enumerate(("a", "b", "c")):
        image, labels = synthetic_image(np.random.default_rng(seed), SyntheticParams(size_px=128))
        shown = 255 * (labels > 0).astype(np.uint8) if name == "b" else labels
        for folder, plane in zip(folders, (image.astype(np.float32), shown), strict=True):
            tifffile.imwrite(folder / f"{name}.tif", plane)
    told: list[str] = []
    load_examples(TrainingConfig(*folders, tmp_path / "mine.npz"), told.append)
    (mask,) = (line for line in told if "mask" in line)
    assert mask.startswith("b.tif in ")
    assert mask.endswith("(1 of 3)")


def test_one_nucleus_from_edge_to_edge_is_a_label() -> None:
    check_labels(Path("labels"), [np.ones((32, 32), np.uint8)])


def test_masks_and_images_are_not_learned_as_labels() -> None:
    image, labels = synthetic_image(np.random.default_rng(3), SyntheticParams(size_px=128, covered=(0.3, 0.5)))
    grey, nothing = (1000 * image).astype(np.uint16), np.zeros_like(labels)
    folder = Path("labels")
    for wrong, why in (((labels > 0).astype(np.uint8), "it is a mask"), (grey, "they are images")):
        with pytest.raises(EngineError, match=rf"labels holds no instance labels: .*{why}"):
            check_labels(folder, [nothing, wrong, wrong])
        check_labels(folder, [wrong, labels])
    check_labels(folder, [nothing])
    check_labels(folder, [(labels == 1).astype(np.uint8)])


@pytest.mark.parametrize(
    ("labels", "why"),
    [(np.zeros((20, 21), np.uint8), "equal shape"), (np.zeros((20, 20), np.float32), "not whole numbers")],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, why: str) -> None:
    with pytest.raises(EngineError, match=why):
        make_example("a", np.zeros((20, 20), np.uint8), labels)


def test_examples_come_near_the_trained_size() -> None:
    y, x = np.ogrid[:400, :400]
    labels = ((y - 200) ** 2 + (x - 200) ** 2 < 60**2).astype(np.uint16)
    example = make_example("big", labels * 100, labels)
    assert example.diameter_px == pytest.approx(36, rel=0.05)
    assert example.image.shape == example.labels.shape == (120, 120)


def test_an_image_that_is_all_nucleus_stays_nucleus() -> None:
    example = make_example("full", np.ones((40, 40)), np.ones((40, 40), np.uint8))
    assert (example.labels == 1).all()


def test_split_keeps_the_parts_apart() -> None:
    names = [f"image{i}" for i in range(100)]
    train, validate, held = split(names, 10, 20)
    assert (len(train), len(validate), len(held)) == (72, 18, 10)
    assert sorted(train + validate + held) == sorted(names)
    assert split(list(reversed(names)), 10, 20) == (train, validate, held)


def test_learning_rate_rises_and_falls() -> None:
    config = TrainingConfig(Path("i"), Path("l"), Path("o.npz"), steps=1000, learning_rate=1e-3)
    rates = [rate_at(step, config) for step in range(1000)]
    assert np.argmax(rates) == 19 or np.argmax(rates) == 20
    assert rates[0] < 1e-4
    assert rates[-1] < 1e-5


def test_training_settings_report_all_faults_at_once() -> None:
    with pytest.raises(EngineError, match=r"width.*crop_px.*synthetic_share.*dimmed = -1"):
        TrainingConfig(Path("i"), Path("l"), Path("o.npz"), width=0, crop_px=50, synthetic_share=2, dimmed=-1)
    with pytest.raises(EngineError, match=r"held_out = -3 .*validation = -1 .*learning_rate = nan .*end in \.npz"):
        TrainingConfig(Path("i"), Path("l"), Path("o.json"), held_out=-3, validation=-1, learning_rate=float("nan"))
    with pytest.raises(EngineError, match="scores = 'guessed' is not one of learned, fitted"):
        TrainingConfig(Path("i"), Path("l"), Path("o.npz"), scores="guessed")
    with pytest.raises(EngineError, match="give these, and no events"):
        TrainingConfig(None, None, Path("o.npz"), scores="fitted")
