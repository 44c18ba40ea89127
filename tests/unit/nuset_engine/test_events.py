"""Rare events: attention weights, synthetic mitoses, crops drawn to events, scores, and a training run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave
from skimage.measure import regionprops

from nuset_engine.errors import EngineError
from nuset_engine.evaluation.event_scores import EventScores, score_events, score_linked_events
from nuset_engine.events import EventDetector, in_source_pixels, linked
from nuset_engine.inference.proposals import EMPTY, Proposals
from nuset_engine.synthetic.blobs import SyntheticParams
from nuset_engine.synthetic.mitosis import divide_some, mitotic_slices, spindles
from nuset_engine.synthetic.shapes import crowd
from nuset_engine.training import examples as examples_of
from nuset_engine.training.augment import AugmentParams, random_warp
from nuset_engine.training.dataset import CropSampler
from nuset_engine.training.event_images import event_examples, make_event_example
from nuset_engine.training.examples import augmentation_of, load_examples
from nuset_engine.training.pairs import read_image
from nuset_engine.training.targets import ATTENTION, FAR_WEIGHT, attention_weights
from nuset_engine.training.trainer import TrainingConfig, train
from nuset_engine.training.words import AUGMENTATION


def test_attention_is_largest_on_events_and_fades_with_a_diameter() -> None:
    labels = np.zeros((9, 101), np.int32)
    labels[:, :2] = 7
    weights = attention_weights(labels, 10.0)
    assert weights[0, 0] == pytest.approx(FAR_WEIGHT + ATTENTION)
    assert weights[0, 11] == pytest.approx(FAR_WEIGHT + ATTENTION * np.exp(-0.5))  # 10 px from the event
    assert weights[0, 100] == pytest.approx(FAR_WEIGHT)


def test_attention_without_events_is_even() -> None:
    assert (attention_weights(np.zeros((4, 5), int), 10.0) == np.float32(FAR_WEIGHT)).all()


def test_mitotic_slices_repeat_and_label_only_events() -> None:
    first, again = (mitotic_slices(np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert any(part.events.any() for part in first)
    for part in first:
        assert (part.nuclei[part.events > 0] > 0).all()
        assert (part.events > 0).sum() < (part.nuclei > 0).sum()


def test_events_are_brighter_than_other_nuclei() -> None:
    inside, other = [], []
    for seed in range(6):
        for part in mitotic_slices(np.random.default_rng(seed)):
            inside.append(part.image[part.events > 0] - np.median(part.image))
            other.append(part.image[(part.nuclei > 0) & (part.events == 0)] - np.median(part.image))
    assert np.concatenate(inside).mean() > 1.3 * np.concatenate(other).mean()


def test_both_halves_of_an_anaphase_are_one_event() -> None:
    rng = np.random.default_rng(0)
    shapes = crowd(rng, (3, 200, 200), (3.0, 0.5, 0.5), 30)
    figures, event_of = divide_some(rng, shapes, 1.0)
    counts = np.bincount(event_of[1:])
    assert len(figures) == len(event_of) - 1 > len(shapes)
    assert counts[0] == 0
    assert set(counts[1:]) == {1, 2}


def test_without_mitoses_there_are_no_events() -> None:
    shapes = crowd(np.random.default_rng(1), (3, 200, 200), (3.0, 0.5, 0.5), 20)
    calm = shapes.condensation == 0
    _, event_of = divide_some(np.random.default_rng(0), shapes, 0.0)
    assert (event_of[1 : len(shapes) + 1][calm] == 0).all()


def test_spindles_are_rotations_that_lie_nearly_flat() -> None:
    turns = spindles(np.random.default_rng(0), 50)
    assert np.allclose(turns.transpose(0, 2, 1) @ turns, np.eye(3), atol=1e-12)
    assert np.median(np.abs(turns[:, 0, 0])) < 0.4  # the z component of the axis


def test_crops_near_a_place_show_it() -> None:
    rng, place = np.random.default_rng(0), np.array([30.0, 170.0])
    for _ in range(50):
        warp = random_warp(rng, (200, 200), 64, 1.0, AugmentParams(), place)
        distance = np.hypot(*(warp.coordinates - place[:, None, None]))
        assert distance.min() < 1.5


def test_half_of_the_crops_are_drawn_to_events() -> None:
    labels = np.zeros((600, 600), np.int32)
    labels[300:310, 100:110] = 1
    example = make_event_example("rare", labels * 100.0, labels, 24.0)
    sampler = CropSampler([example], 0, 64, 0.0, AugmentParams(coarse_chance=1.0))
    shown = np.mean([sampler.crop()[1].pixels[..., 0].any() for _ in range(60)])
    assert 0.4 < shown < 0.8  # by chance alone it would be 1 in 40


def test_synthetic_examples_of_events_keep_attention_and_places() -> None:
    examples = event_examples(np.random.default_rng(0), SyntheticParams())
    marked = next(e for e in examples if len(e.focus))
    y, x = marked.focus[0].astype(int)
    assert marked.weights[y, x] > FAR_WEIGHT + 0.5 * ATTENTION


def test_nuclei_of_synthetic_events_are_as_large_as_the_engine_measures_them() -> None:
    parts = mitotic_slices(np.random.default_rng(0))
    sections = [r.equivalent_diameter_area for part in parts for r in regionprops(part.nuclei)]
    examples = event_examples(np.random.default_rng(0), SyntheticParams())
    assert [e.diameter_px for e in examples] == pytest.approx([np.median(sections)] * len(parts))
    assert examples[0].diameter_px < 0.9 * parts[0].diameter_px, "sections are smaller than nuclei are in 3D"


@pytest.mark.parametrize("strength", AUGMENTATION)
def test_no_crop_of_events_is_normalised_by_its_labels(tmp_path: Path, strength: str) -> None:
    """The detector normalises by the whole image; by its labels, how bright a crop is would tell of an event."""
    config = TrainingConfig(None, None, tmp_path / "x.npz", mode="events", dimmed=0.2)
    assert (augmentation_of(config, strength).coarse_chance, augmentation_of(config, strength).dimmed_chance) == (
        1,
        0.2,
    )
    assert augmentation_of(replace(config, mode="nuclei"), strength).coarse_chance < 0.5


def test_nothing_is_learned_where_nobody_knows_of_events(tmp_path: Path) -> None:
    labels = np.zeros((200, 200), np.int32)
    labels[90:110, 60:80] = 1
    seen = np.ones(labels.shape, bool)
    seen[:, 100:] = False
    example = make_event_example("rare", labels * 100.0, labels, 24.0, seen)
    targets = [CropSampler([example], 0, 64, 0.0).crop()[1] for _ in range(3)]
    assert example.focused < 1, "ordinary nuclei are shown as well"
    assert any((one.pixels[..., 2] == 0).any() for one in targets)
    assert make_event_example("rare", labels * 100.0, labels, 24.0, np.ones_like(seen)).seen is None
    with pytest.raises(EngineError, match="export them again"):
        make_event_example("rare", labels * 100.0, labels, 24.0, seen[:-1])
    TrainingConfig(tmp_path, tmp_path, tmp_path / "x.npz", tmp_path, mode="events")


def test_an_image_without_a_nucleus_that_can_be_made_out_is_shown_as_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice near the end of a mitosis shows little else; the program writes such ones itself."""
    read: list[str] = []
    monkeypatch.setattr(examples_of, "read_image", lambda path: read.append(path.parent.name) or read_image(path))  # type: ignore[func-returns-value]
    part = mitotic_slices(np.random.default_rng(1))[1]
    nuclei = 100 + 1000 * (part.image - part.image.min()) / np.ptp(part.image)
    noise = np.random.default_rng(0).normal(100, 1, part.image.shape)
    events = np.zeros(part.image.shape, np.int32)
    events[40:50, 40:50] = 1
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, image, labels in (("some", nuclei, part.events), ("none", noise, events)):
        imsave(tmp_path / "images" / f"{name}.tif", image.astype(np.uint16), check_contrast=False)
        imsave(tmp_path / "labels" / f"{name}.tif", labels.astype(np.int32), check_contrast=False)
    where = TrainingConfig(tmp_path / "images", tmp_path / "labels", tmp_path / "x.npz", mode="events", validation=0)
    said: list[str] = []
    examples, _ = load_examples(where, said.append)
    assert sorted(read) == 3 * ["images"] + 2 * ["labels"], "the one that waits for their size is read again"
    sizes = {example.name: example.diameter_px for example in examples}
    assert sizes["none"] == pytest.approx(sizes["some"], rel=0.05)
    assert any("no nucleus can be made out in none (1 of 2 images)" in one for one in said)
    for folder in ("images", "labels"):
        (tmp_path / folder / "some.tif").unlink()
    with pytest.raises(EngineError, match="No nucleus can be made out in any image"):
        load_examples(where, said.append)


def test_events_of_other_shape_than_the_image_are_refused() -> None:
    with pytest.raises(EngineError, match="equal shape"):
        make_event_example("odd", np.zeros((9, 9)), np.zeros((9, 8), int), 20.0)


def test_scores_match_boxes_one_to_one() -> None:
    truth = np.zeros((40, 40), int)
    truth[0:10, 0:10], truth[20:30, 20:30] = 1, 5
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 30, 8, 40]], np.float32)
    found = score_events(truth, Proposals(boxes, np.array([0.9, 0.8, 0.7], np.float32)))
    assert found == EventScores(1, 2, 3)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 2)
    assert found + found == EventScores(2, 4, 6)


def boxed(*boxes: tuple[int, int, int, int]) -> Proposals:
    """Boxes of equal score."""
    return Proposals(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def test_boxes_of_neighbouring_slices_that_overlap_most_are_one_event() -> None:
    slices = [boxed((0, 0, 10, 10), (0, 20, 10, 30)), boxed((0, 22, 10, 32), (0, 3, 10, 13), (0, 1, 10, 11)), boxed()]
    slices.append(boxed((0, 0, 10, 10)))
    assert [numbers.tolist() for numbers in linked(slices)] == [[1, 2], [2, 3, 1], [], [4]]
    assert linked([]) == []


def test_an_event_is_found_where_one_of_its_sections_is() -> None:
    truth = np.zeros((3, 40, 60), int)
    truth[:2, 4:14, 4:14] = 1
    truth[:, 20:30, 20:30] = 2
    truth[0, 30:, 50:] = 3  # at the edge, so neither to be found nor false
    slices = [boxed((5, 4, 15, 14), (31, 50, 38, 58)), boxed((8, 4, 18, 14)), boxed((4, 40, 14, 50))]
    found = score_linked_events(truth, slices, linked(slices))
    assert found == EventScores(1, 2, 2)
    assert found.f1 == pytest.approx(0.5)
    rim = [boxed((30, 48, 40, 60)), boxed(), boxed()]
    assert score_linked_events(truth, rim, linked(rim)) == EventScores(0, 2, 0)
    faint = np.zeros_like(truth)
    faint[2, 4:14, 40:50] = 4
    assert score_linked_events(truth, slices, linked(slices), faint=faint) == EventScores(1, 2, 1)


def test_sections_that_nobody_need_find_count_neither_way() -> None:
    truth, faint = np.zeros((2, 40, 40), int)
    truth[0:10, 0:10], faint[20:25, 20:25] = 1, 2
    found = boxed((0, 0, 10, 10), (20, 20, 25, 25), (30, 0, 38, 8))
    assert score_events(truth, found) == EventScores(1, 1, 3)
    assert score_events(truth, found, faint=faint) == EventScores(1, 1, 2)


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    scores = score_events(np.zeros((8, 8), int), EMPTY)
    assert (scores.precision, scores.recall) == (1.0, 1.0)


def test_boxes_return_to_the_pixels_of_the_source() -> None:
    found = in_source_pixels(Proposals(np.array([[-2, 4, 30, 50]], np.float32), np.ones(1)), (25, 50), (50, 100))
    assert found.boxes.tolist() == [[0, 8, 50, 100]]


@pytest.mark.usefixtures("eagerly")
def test_training_on_synthetic_events_alone_gives_weights_for_detection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nuset_engine.training.trainer.plot_history", lambda _: None)
    config = TrainingConfig(
        None, None, tmp_path / "events.npz", mode="events", width=4, steps=1, batch_size=1, crop_px=64
    )
    weights = train(config, every=1)
    assert weights.manifest["recipe"]["mode"] == "events"
    part = next(p for seed in range(9) for p in mitotic_slices(np.random.default_rng(seed)) if p.nuclei.max() > 20)
    detector = EventDetector(tmp_path / "events.npz", min_score=0.001)
    (found,) = detector.detect([part.image[:64, :64]])
    assert found.boxes.shape == (len(found), 4)
    assert len(found) > 0
    assert (found.boxes >= 0).all()
    assert (found.boxes <= 64).all()
    (nothing,) = detector.detect([np.zeros((64, 64))])
    assert len(nothing) == 0


@pytest.mark.parametrize(
    ("changes", "fault"),
    [({"mode": "rare"}, "mode = 'rare'"), ({"images": Path("x")}, "belong together"), ({"precision": "int8"}, "int8")],
)
def test_wrong_settings_are_refused(changes: dict, fault: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=fault):
        TrainingConfig(**{"images": None, "labels": None, "output": tmp_path / "x.npz", **changes})
