"""Training data: folders of images and labels, read once, resampled, and served as endless random batches."""

from __future__ import annotations

import queue
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import LEVELS, TRAINED_DIAMETER_PX, AnchorLevel
from nuset_engine.arrays import InputsNYXC, InputYXC, LabelsYX, MaskYX, PlaneF32, PlaneYX, PointsYX32, TensorF32
from nuset_engine.errors import EngineError
from nuset_engine.models.base import Model
from nuset_engine.models.nuset import Nuset
from nuset_engine.planes.exposure import may_be_inverted
from nuset_engine.planes.resample import resample, resample_labels, scaled_shape
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.synthetic.confocal import confocal_slices
from nuset_engine.training.augment import AugmentParams, random_intensity, random_normalize, random_warp
from nuset_engine.training.targets import (
    UNSEEN,
    Targets,
    anchor_targets,
    border_weights,
    make_targets,
    median_diameter,
    pixel_targets,
    truth_boxes,
)

SHOWN_AS_SLICE, SLICE_SHOWN_SO = 0.2, 0.85  # chances to be shown as a slice of a stack
LARGEST_MISMATCH = 1.7  # between labelled and measured size
FOCUSED = 0.5  # share of the crops that are drawn to a rare event where the image has one
FINEST_STORED_PX = 36.0  # larger nuclei are stored at this median diameter: room to zoom in, no waste

Batch = tuple[InputsNYXC, list[TensorF32]]
"""Inputs and targets of some crops."""


@dataclass(frozen=True)
class Example:
    """One training image, resampled near the trained size.

    Attributes
    ----------
    name : str
    image : (Y, X) float32
    labels : (Y, X) int32
    weights : (Y, X) float32, border weights, or of attention where only rare events are labelled
    diameter_px : float
        Median nucleus diameter at the stored resolution.
    focus : (N, 2) float32
        Places that crops are drawn to: rare events, or nuclei that somebody looked at.
    focused : float
        Chance of a crop to be drawn to one of these.
    stacked : float
        Chance that it is shown as a slice of a stack; there is more of it for what is one. Each kind is also shown as
        the other, for stacks hold thin samples, and single planes are taken of thick ones.
    seen : (Y, X) bool or None
        Where somebody looked at the labels: nothing is learned elsewhere. None: everywhere.
    either_way : bool
        The engine, which does not know the labels, looks at its negative as well.
    """

    name: str
    image: PlaneF32
    labels: LabelsYX
    weights: PlaneF32 = field(repr=False)
    diameter_px: float
    focus: PointsYX32 = field(repr=False, default_factory=lambda: np.zeros((0, 2), np.float32))
    focused: float = FOCUSED
    stacked: float = SHOWN_AS_SLICE
    seen: MaskYX | None = field(repr=False, default=None)
    either_way: bool = False


def make_example(
    name: str,
    image: PlaneYX,
    labels: LabelsYX,
    measure: Callable[[PlaneYX], float] | None = None,
    seen: MaskYX | None = None,
) -> Example:
    """Check one pair and bring it near the trained size.

    Parameters
    ----------
    name : str
    image : (Y, X)
    labels : (Y, X) int
    measure : callable, optional
        Gives the median diameter of the nuclei that the engine will believe when it sees this image (px, NaN: unknown).
        Crops then show nuclei as large as they will appear to the network, also where outlines are drawn wider or
        narrower than nuclei look. A measure that is off by more than `LARGEST_MISMATCH` is not used.
    seen : (Y, X) bool, optional
        Where somebody looked at the labels; crops are drawn to the nuclei there.

    Raises
    ------
    EngineError
        If shapes differ or the labels are no instance labels.
    """
    check_pair(name, image, labels)
    check_seen(name, labels, seen)
    diameter = median_diameter(labels)
    either_way = may_be_inverted(image)  # if not, the engine shows it as it is, whatever the labels say
    image = bright_nuclei(image, labels) if either_way else image
    small, truth, stored = stored_as(image, labels, diameter if np.isfinite(diameter) else TRAINED_DIAMETER_PX)
    if measure is not None and np.isfinite(diameter):
        ratio = measure(image) / diameter
        stored *= ratio if 1 / LARGEST_MISMATCH < ratio < LARGEST_MISMATCH else 1
    if seen is None or seen.all():
        return Example(name, small, truth, border_weights(truth), stored, either_way=either_way)
    part = seen_as(truth, seen)
    focus = centres_of(renumbered(truth * part)) if (truth * part).any() else centres_of(part.astype(np.int32))
    return Example(
        name, small, truth, border_weights(truth), stored, focus, focused=1.0, seen=part, either_way=either_way
    )


def bright_nuclei(image: PlaneYX, labels: LabelsYX) -> PlaneYX:
    """The image (Y, X), or its negative where the labelled nuclei are darker than the rest, as in stained tissue."""
    inside = labels > 0
    if not inside.any() or inside.all():
        return image
    return image if np.median(image[inside]) >= np.median(image[~inside]) else -image.astype(np.float32)


def centres_of(labels: LabelsYX) -> PointsYX32:
    """(N, 2) float32: middle of the box of each label."""
    return np.array(
        [((y.start + y.stop) / 2, (x.start + x.stop) / 2) for y, x in filter(None, ndi.find_objects(labels))],
        np.float32,
    ).reshape(-1, 2)


def check_seen(name: str, labels: LabelsYX, seen: MaskYX | None) -> None:
    """Refuse what was seen of another image."""
    if seen is not None and seen.shape != labels.shape:
        raise EngineError(f"{name}: what was seen is {seen.shape}, its labels {labels.shape}: export them again.")


def seen_as(stored: LabelsYX, seen: MaskYX) -> MaskYX:
    """What was seen, at the resolution of labels as they are stored."""
    return resample_labels(seen.astype(np.uint8), (stored.shape[0], stored.shape[1])) > 0


def check_pair(name: str, image: PlaneYX, labels: LabelsYX) -> None:
    """Refuse labels of another image, and what are none."""
    if image.shape != labels.shape or image.ndim != 2:
        raise EngineError(
            f"{name}: image {image.shape} and labels {labels.shape} must be planes of equal shape (Y, X); "
            "export them again from one source."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise EngineError(
            f"{name}: labels are {labels.dtype}, not whole numbers from 0; "
            "save instance labels, one number per nucleus."
        )


def stored_as(image: PlaneYX, labels: LabelsYX, diameter_px: float) -> tuple[PlaneF32, LabelsYX, float]:
    """Image, labels and diameter at the resolution at which they are kept."""
    factor = float(np.clip(diameter_px, TRAINED_DIAMETER_PX, FINEST_STORED_PX) / diameter_px)
    small = resample(image, scaled_shape(image.shape, factor))
    return small, renumbered(resample_labels(labels, (small.shape[0], small.shape[1]))), diameter_px * factor


def renumbered(labels: LabelsYX) -> LabelsYX:
    """Labels (Y, X) int32 numbered 1..N in the same order; 0 stays 0."""
    if labels.max(initial=0) < labels.size:  # a table is much faster than sorting the pixels
        present = np.zeros(int(labels.max(initial=0)) + 1, bool)
        present[labels.ravel()] = True
        present[0] = False
        return (np.cumsum(present, dtype=np.int32) * present)[labels]
    found, dense = np.unique(labels, return_inverse=True)
    return dense.reshape(labels.shape).astype(np.int32) + int(found[0] > 0)


def by_checksum(names: Sequence[str]) -> list[str]:
    """Names in the order of their CRC-32: a shuffle that is the same everywhere."""
    return sorted(names, key=lambda name: (zlib.crc32(name.encode("ascii", "replace")), name))


def synthetic_examples(rng: np.random.Generator, params: SyntheticParams) -> list[Example]:
    """New synthetic examples: the slices of a confocal stack, or one image of overlapping blobs; half of each."""
    confocal = rng.random() < 0.15
    pairs = confocal_slices(rng) if confocal else [synthetic_image(rng, params)]
    # One size per stack, as in inference: its first and last slices show nuclei by their caps.
    measured = median_diameter(*[labels for _, labels in pairs])
    diameter = measured if np.isfinite(measured) else TRAINED_DIAMETER_PX
    stacked = SLICE_SHOWN_SO if confocal else SHOWN_AS_SLICE
    return [
        Example("synthetic", image, labels, border_weights(labels), diameter, stacked=stacked)
        for image, labels in pairs
    ]


def negative_of(example: Example) -> Example:
    """The negative of an example, in which nuclei are dark; there is nothing to find, not between them either."""
    empty = np.zeros_like(example.labels)
    return replace(example, image=-example.image, labels=empty, weights=np.ones_like(example.weights))


class CropSampler:
    """Endless random crops of real and synthetic images, as the network's input and targets.

    Parameters
    ----------
    real : sequence of Example
    seed : int
    crop_px : int
        Edge of the square crops, a multiple of 16.
    synthetic_share : float
        Share of crops from synthetic images; their pool is renewed all the time.
    render : callable
        Makes synthetic examples from a random generator and the parameters.
    model : Model, optional
        What the targets are for; NuSeT where not given.
    """

    POOL = 150
    # Weights that learn dark nuclei alone come to see some in the negative too, and the engine decides by that.
    NEGATIVES = 0.15

    def __init__(
        self,
        real: Sequence[Example],
        seed: int,
        crop_px: int = 256,
        synthetic_share: float = 0.4,
        augment: AugmentParams | None = None,
        synthetic: SyntheticParams | None = None,
        render: Callable[[np.random.Generator, SyntheticParams], list[Example]] = synthetic_examples,
        model: Model | None = None,
    ) -> None:
        self._real = list(real)
        self._rng = np.random.default_rng(seed)
        self._crop = crop_px
        self._share = synthetic_share if real else 1.0
        self._augment = augment or AugmentParams()
        self._synthetic = synthetic or SyntheticParams()
        self._render = render
        self._model = model or Nuset()
        self._pool: list[Example] = []
        # Crowds are drawn more often: there is more to learn from a crop of them, and more to get wrong.
        sizes = np.array([np.sqrt(1 + e.labels.max(initial=0)) for e in self._real])
        self._chances = sizes / sizes.sum() if real else sizes

    def _example(self) -> Example:
        if self._rng.random() >= self._share:
            return self._real[self._rng.choice(len(self._real), p=self._chances)]
        if len(self._pool) < self.POOL or self._rng.random() < 0.05:
            fresh = self._render(self._rng, self._synthetic)
            self._rng.shuffle(self._pool)  # so that chance decides which ones make room
            self._pool = (fresh + self._pool)[: self.POOL]
        return self._pool[self._rng.integers(len(self._pool))]

    def crop(self) -> tuple[InputYXC, Targets]:
        """One crop: input (Y, X, C) and targets; what lies beyond the source's edge is mirrored and not counted."""
        example, rng = self._example(), self._rng
        if example.either_way and rng.random() < self.NEGATIVES:
            example = negative_of(example)
        zoom = TRAINED_DIAMETER_PX / example.diameter_px
        near = None
        if len(example.focus) and (example.focused == 1 or rng.random() < example.focused):
            near = example.focus[rng.integers(len(example.focus))]
        warp = random_warp(rng, example.image.shape, self._crop, zoom, self._augment, near)
        labels = warp.labels(example.labels)
        stacked = rng.random() < example.stacked
        image = random_intensity(rng, warp.image(example.image), labels, self._augment, zoom, stacked)
        inputs = random_normalize(rng, image, labels > 0, self._augment, stacked)
        seen = None if example.seen is None else warp.labels(example.seen.view(np.uint8)) > 0
        targets = masked_targets(labels, warp.image(example.weights), warp.inside, seen, self._model.levels)
        return inputs, replace(targets, regions=self._model.regions(labels * warp.inside, rng))

    def batch(self, size: int) -> tuple[InputsNYXC, list[TensorF32]]:
        """Inputs (N, Y, X, C) and targets: pixels, classes and boxes (N, h, w, A * 4) per level, regions."""
        crops = [self.crop() for _ in range(size)]
        return np.stack([inputs for inputs, _ in crops]), collate([targets for _, targets in crops])


def masked_targets(
    labels: LabelsYX,
    weights: PlaneF32,
    inside: MaskYX,
    seen: MaskYX | None = None,
    levels: Sequence[AnchorLevel] = LEVELS,
) -> Targets:
    """Targets of a crop of which only the pixels `inside` (Y, X) count, and of these those that somebody has `seen`."""
    labels = renumbered(labels)
    if inside.all() and seen is None:
        return make_targets(labels, weights, levels)
    known = inside if seen is None else inside & seen
    # The distance map goes on beyond the edge, as nuclei do; boxes end at it, as they do in whole images.
    pixels = pixel_targets(labels, weights * known)
    if seen is not None:
        pixels[..., 1] = np.where(seen, pixels[..., 1], np.float32(UNSEEN))
    whole, boxes = anchor_targets(truth_boxes(labels * inside), inside.shape[0], inside.shape[1], levels)
    classes = []
    for level, values in zip(levels, whole, strict=True):
        half = level.stride // 2
        counted = known[half :: level.stride, half :: level.stride]
        classes.append(np.where(counted[..., None], values, np.float32(-1)))
    return Targets(pixels, tuple(classes), boxes)


def collate(targets: Sequence[Targets]) -> list[TensorF32]:
    """Targets of several crops as one batch, in the order that `trainer.NetworkTrainer` expects."""
    out = [np.stack([t.pixels for t in targets])]
    for index in range(len(targets[0].classes)):
        out.append(np.stack([t.classes[index] for t in targets]))
        boxes = np.stack([t.boxes[index] for t in targets])
        out.append(boxes.reshape(*boxes.shape[:3], -1))
    return [*out, *(np.stack(same) for same in zip(*(t.regions for t in targets), strict=True))]


def ahead(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same batches, the next ones made by a thread while the network learns from the last.

    What fails there is raised here.
    """
    ready: queue.Queue[Batch | Exception | None] = queue.Queue(maxsize=3)

    def fill() -> None:
        try:
            for batch in batches:
                ready.put(batch)
            ready.put(None)
        except Exception as error:  # noqa: BLE001 - handed to the consumer, which raises it
            ready.put(error)

    threading.Thread(target=fill, daemon=True, name="crops").start()
    while (batch := ready.get()) is not None:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def batches(sampler: CropSampler, size: int, count: int) -> Iterator[Batch]:
    """So many batches and no more, made ahead."""
    return ahead(sampler.batch(size) for _ in range(count))
