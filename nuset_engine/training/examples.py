"""The images of a training run: which ones, how they are loaded, and the endless crops of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from nuset_engine.arrays import MaskYX, PlaneYX
from nuset_engine.errors import EngineError
from nuset_engine.models.base import Model
from nuset_engine.planes.colour import grey
from nuset_engine.training.augment import AUGMENTATIONS, AugmentParams
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.dataset import CropSampler, Example, by_checksum, make_example, synthetic_examples
from nuset_engine.training.event_images import event_examples, make_event_example
from nuset_engine.training.pairs import check_labels, read_image, read_pairs, why_no_labels
from nuset_engine.training.score_fit import Judged

Pairs = Mapping[str, tuple[Path, Path]]
"""Image and labels by name."""


def split(names: Sequence[str], held_out: int, validation: int) -> tuple[list[str], list[str], list[str]]:
    """Names to train on, to validate on, and to leave alone; by CRC-32 of the name, the held-out ones first.

    A small set keeps at least four fifths of its images for training.
    """
    order = by_checksum(names)
    rest = order[held_out:]
    count = min(validation, len(rest) // 5)
    return rest[count:], rest[:count], order[:held_out]


def load_examples(config: TrainingConfig, note: Callable[[str], None]) -> tuple[list[Example], list[Example]]:
    """Training and validation images of a run."""
    if config.images is None or config.labels is None:
        note("synthetic images alone")
        return [], []
    pairs = {name: (image, labels) for name, image, labels in read_pairs(config.images, config.labels)}
    train, validate, _ = split(list(pairs), config.held_out, config.validation)
    if not train:
        raise EngineError(f"No image of {config.images} is left to train on; hold fewer out or add images.")
    note(f"{len(train)} image{'s' * (len(train) != 1)} to train on, {len(validate)} to validate on")
    used = {name: pairs[name] for name in (*train, *validate)}
    found = _of_events(config, used, note) if config.mode == "events" else _of_nuclei(config, used, note)
    return [found[name] for name in train], [found[name] for name in validate]


def _of_nuclei(config: TrainingConfig, pairs: Pairs, note: Callable[[str], None]) -> dict[str, Example]:
    """Images of nuclei; how large these appear, their labels say or the weights to start from.

    A mask among labels is learned from, since where nuclei are it does say, but not in silence.
    """
    assert config.labels is not None
    check_labels(config.labels, (read_image(labels) for _, labels in pairs.values()))
    measure = _measure(str(config.start_from)) if config.sizes == "measured" else None
    found, masks = dict[str, Example](), list[str]()
    for name, (image, path) in pairs.items():
        labels = read_image(path)
        found[name] = make_example(name, grey(read_image(image)), labels, measure, _seen(config, path))
        masks += [path.name] if why_no_labels(labels) else []
    if masks:
        them = f"{', '.join(masks[:3])}{' and others' * (len(masks) > 3)} in {config.labels}"
        share = f"{len(masks)} of {len(pairs)}"
        note(f"{them}: all objects have one number, as in a mask, so they are learned as one nucleus ({share})")
    return found


def _seen(config: TrainingConfig, labels: Path) -> MaskYX | None:
    """Where somebody looked at labels (Y, X); None: everywhere."""
    return None if config.seen is None else read_image(config.seen / labels.name) > 0


def _measure(weights: str) -> Callable[[PlaneYX], float]:
    """Gives the median diameter (px) of the nuclei that weights see in an image (Y, X); NaN where they see none."""
    from nuset_engine.segment import Segmenter

    segmenter = Segmenter(weights)

    def measured(image: PlaneYX) -> float:
        known = segmenter.statistics([image])
        return float("nan") if known.is_blank else known.diameter_px

    return measured


def _of_events(config: TrainingConfig, pairs: Pairs, note: Callable[[str], None]) -> dict[str, Example]:
    """Images of rare events; how large the nuclei in them are, the shipped weights say.

    A slice may hold a nucleus or two that these weights do not make out: it is taken to be like the others, and read
    once more when their sizes are known.
    """
    from nuset_engine.segment import Segmenter

    segmenter, found, sizes, blank = Segmenter(), dict[str, Example](), list[float](), dict[str, bool]()
    for name, (image, labels) in pairs.items():
        plane = grey(read_image(image))
        known = segmenter.statistics([plane])
        if known.is_blank:
            blank[name] = known.inverted
        else:
            sizes.append(known.diameter_px)
            found[name] = _of_event(config, name, plane, labels, known.inverted, known.diameter_px)
    if not sizes:
        raise EngineError("No nucleus can be made out in any image, so their scale is unknown; give images of nuclei.")
    usual = float(np.median(sizes))
    if blank:
        note(
            f"no nucleus can be made out in {', '.join(list(blank)[:3])}{' and others' * (len(blank) > 3)} "
            f"({len(blank)} of {len(pairs)} images): shown as if nuclei were as large as in the others, {usual:.0f} px"
        )
    for name, inverted in blank.items():
        image, labels = pairs[name]
        found[name] = _of_event(config, name, grey(read_image(image)), labels, inverted, usual)
    return found


def _of_event(
    config: TrainingConfig, name: str, plane: PlaneYX, labels: Path, inverted: bool, diameter_px: float
) -> Example:
    bright = -plane.astype(np.float32) if inverted else plane
    return make_event_example(name, bright, read_image(labels), diameter_px, _seen(config, labels))


def augmentation_of(config: TrainingConfig, strength: str) -> AugmentParams:
    """How much the crops of a run are changed.

    Events are always normalised by the whole image, as `EventDetector` does: their labels are no foreground, and crops
    that are normalised by an event would tell that there is one.
    """
    usual = replace(AUGMENTATIONS[strength], dimmed_chance=config.dimmed)
    return replace(usual, coarse_chance=1.0) if config.mode == "events" else usual


def samplers(
    config: TrainingConfig,
    step: int,
    examples: list[Example],
    validation: list[Example],
    model: Model | None = None,
) -> list[CropSampler]:
    """Endless crops to train on from `step` on, and the fixed ones to validate on."""
    render = event_examples if config.mode == "events" else synthetic_examples
    augment = augmentation_of(config, config.augmentation)
    share = 0.0 if validation else config.synthetic_share
    draw = partial(CropSampler, crop_px=config.crop_px, augment=augment, render=render, model=model)
    return [
        draw(examples, config.seed + step, synthetic_share=config.synthetic_share),
        draw(validation or examples, 1_000_003, synthetic_share=share),
    ]


def judged_images(config: TrainingConfig, most: int) -> list[Judged]:
    """Some images of a run as they are, with their labels; those first that it did not learn from."""
    assert config.images is not None
    assert config.labels is not None
    pairs = {name: (image, labels) for name, image, labels in read_pairs(config.images, config.labels)}
    train, validate, _ = split(list(pairs), config.held_out, config.validation)
    found = []
    for image, labels in (pairs[name] for name in [*validate, *train][:most]):
        found.append(Judged(grey(read_image(image)), read_image(labels), _seen(config, labels)))
    return found
