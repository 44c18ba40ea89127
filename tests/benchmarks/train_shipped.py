"""Train the weights that ship further, on all development data and synthetic images together.

    python tests/benchmarks/train_shipped.py OUTPUT [--start-from fluorescence] [--steps 1200]
    python tests/benchmarks/train_shipped.py OUTPUT --mode events --start-from mitosis [--steps 1200]

Sources and their shares of the crops are those of `SHARES`; mitoses are learned from rendered slices alone. What
`development_data.py` holds out of every training stays out.
Batch normalisation keeps the statistics and factors that the weights came with (`--norms learned`: it does not), which
takes 0.6 of the time. The moving average of the weights at the end is kept, blended with the weights before (`--blend`:
the share of what was learned); nothing is chosen on the way, and what was given stands in the manifest.
Weights of every `--every` steps are written over the former ones; a run that was interrupted begins anew.

Data: the folder that `NUSETD_DATA` names (default ../shared/data).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from development_data import FLUORESCENCE, TISSUE, mnfinder_to_train_on, to_train_on
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.network import keras
from nuset_engine.planes.colour import grey
from nuset_engine.planes.normalize import foreground_statistics
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.synthetic.confocal import confocal_slices
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.dataset import (
    SHOWN_AS_SLICE,
    SLICE_SHOWN_SO,
    Batch,
    CropSampler,
    Example,
    ahead,
    collate,
    make_example,
)
from nuset_engine.training.event_images import event_examples
from nuset_engine.training.examples import augmentation_of
from nuset_engine.training.pairs import read_image
from nuset_engine.training.targets import border_weights, median_diameter
from nuset_engine.training.trainer import Run, prepare, rate_at
from nuset_engine.training.words import AUGMENTATION, MODES, NORMS, OPTIMIZERS, PRECISIONS
from nuset_engine.weights import MODEL, save_weights

SHARES = {
    "nuclei": {"fluorescence": 0.55, "mnfinder": 0.05, "tissue": 0.08, "blobs": 0.07, "confocal": 0.25},
    "events": {"mitoses": 1.0},
}
MICRONUCLEUS = 0.25  # of the contrast of labelled nuclei: what is so bright, and not labelled, does not count
GLOW_PX = 6  # around labelled nuclei, where what is bright is their glow


def fluorescence(start_from: str) -> list[Example]:
    """Nuclei in single planes; as large as the weights to start from measure them."""
    segmenter = Segmenter(start_from)

    def size(plane: np.ndarray) -> float:
        known = segmenter.statistics([plane])
        return float("nan") if known.is_blank else known.diameter_px

    pairs = to_train_on(FLUORESCENCE)
    return [make_example(name, grey(read_image(image)), read_image(labels), size) for name, image, labels in pairs]


def tissue() -> list[Example]:
    """Stained tissue, where nuclei are dark; as large as they are labelled."""
    pairs = to_train_on(TISSUE)
    return [make_example(name, grey(read_image(image)), read_image(labels)) for name, image, labels in pairs]


def mnfinder() -> list[Example]:
    """Series of which no image is held out; what is bright and was not labelled, micronuclei, does not count."""
    found = []
    for name, image_path, labels_path in mnfinder_to_train_on():
        image, labels = grey(read_image(image_path)), read_image(labels_path)
        known = foreground_statistics(image, labels > 0)
        assert known is not None
        bright = image > known.background + MICRONUCLEUS * known.contrast
        bright &= ~ndi.binary_dilation(labels > 0, iterations=GLOW_PX)
        found.append(make_example(name, image, labels, seen=~ndi.binary_dilation(bright, iterations=3) | (labels > 0)))
    return found


def real_images(start_from: str) -> dict[str, list[Example]]:
    """Images that people labelled, by source."""
    return {"fluorescence": fluorescence(start_from), "mnfinder": mnfinder(), "tissue": tissue()}


def rendered(pairs: list[tuple[np.ndarray, np.ndarray]], stacked: float) -> list[Example]:
    """Examples of rendered images, all of one size as the slices of a stack are in inference."""
    sizes = [size for size in (median_diameter(labels) for _, labels in pairs) if np.isfinite(size)]
    diameter = float(np.median(sizes)) if sizes else TRAINED_DIAMETER_PX
    return [Example("synthetic", image, m, border_weights(m), diameter, stacked=stacked) for image, m in pairs]


def blobs(rng: np.random.Generator, params: SyntheticParams) -> list[Example]:
    """An image of overlapping blobs."""
    return rendered([synthetic_image(rng, params)], SHOWN_AS_SLICE)


def confocal(rng: np.random.Generator, _: SyntheticParams) -> list[Example]:
    """The slices of a stack."""
    return rendered(confocal_slices(rng), SLICE_SHOWN_SO)


RENDERED: dict[str, Callable[[np.random.Generator, SyntheticParams], list[Example]]]
RENDERED = {"blobs": blobs, "confocal": confocal, "mitoses": event_examples}


class Mixture:
    """Batches whose crops come from several sources, in shares; strongly augmented at first, mildly later."""

    def __init__(self, config: TrainingConfig, sources: dict[str, list[Example]], mild_from: float) -> None:
        self._rng = np.random.default_rng(config.seed)
        self._steps, self._size = config.steps, config.batch_size
        self._mild_from, self._shares = mild_from, SHARES[config.mode]
        self._draw: dict[str, dict[str, CropSampler]] = {}
        for strength in AUGMENTATION:
            draw = partial(CropSampler, crop_px=config.crop_px, augment=augmentation_of(config, strength))
            real = {
                name: draw(found, config.seed + i, synthetic_share=0.0)
                for i, (name, found) in enumerate(sources.items(), 1)
            }
            self._draw[strength] = real | {
                name: draw([], config.seed + i, render=render) for i, (name, render) in enumerate(RENDERED.items(), 11)
            }

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self._steps):
            draw = self._draw["strong" if step < self._mild_from * self._steps else "mild"]
            names = self._rng.choice(list(self._shares), self._size, p=list(self._shares.values()))
            crops = [draw[name].crop() for name in names]
            yield np.stack([inputs for inputs, _ in crops]), collate([targets for _, targets in crops])


def learn(run: Run, batches: Iterator[Batch], every: int, how: dict[str, object]) -> None:
    """Take all steps, and write weights now and then and at the end; `how` goes into the manifest."""
    began = time.monotonic()
    for inputs, targets in batches:
        run.optimizer.learning_rate = rate_at(run.step, run.config)
        logs = run.trainer.train_on_batch(run.model.inputs(inputs, targets), targets, return_dict=True)
        run.step, run.seconds = run.step + 1, time.monotonic() - began
        if run.step % every and run.step < run.config.steps:
            continue
        losses = {name: round(float(np.asarray(logs[name])), 4) for name in run.model.parts}
        print(f"step {run.step}, {run.seconds:.0f} s: {losses}", flush=True)
        run.trainer.reset_metrics()
        save_weights(run.averaged(), run.config.output, manifest(run, how))


def manifest(run: Run, how: dict[str, object]) -> dict[str, object]:
    """How the weights were made."""
    keys = ("mode", "batch_size", "blend", "crop_px", "dimmed", "learning_rate", "optimizer", "precision", "seed")
    given = asdict(run.config)
    stage = {
        "command": "train_shipped.py",
        "start_from": Path(str(run.config.start_from)).stem,
        "steps": run.step,
        "of_steps": run.config.steps,
        **{key: given[key] for key in keys},
        **how,
        "shares": SHARES[run.config.mode],
        "seconds": round(run.seconds),
    }
    return {
        MODEL: run.model.name,
        "architecture": run.architecture.as_dict(),
        "recipe": {"stages": [stage]},
        "scores": {},
        "backend": keras.backend.backend(),
    }


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--mode", default="nuclei", choices=MODES)
    parser.add_argument("--start-from", default="fluorescence")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--crop-px", type=int, default=256)
    parser.add_argument("--mild-from", type=float, default=0.4, help="share of the steps after which crops are mild")
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--optimizer", default="adam", choices=OPTIMIZERS)
    parser.add_argument("--dimmed", type=float, default=0.3)
    parser.add_argument("--blend", type=float, default=0.85)
    parser.add_argument("--precision", default="bfloat16", choices=PRECISIONS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--norms", default="fixed", choices=NORMS)
    parser.add_argument("--every", type=int, default=100)
    given = vars(parser.parse_args())
    every, mild_from = (given.pop(name) for name in ("every", "mild_from"))
    config = TrainingConfig(images=None, labels=None, **given)
    sources = {} if config.mode == "events" else real_images(given["start_from"])
    for name, examples in sources.items():
        print(f"{name}: {len(examples)} images", flush=True)
    how: dict[str, object] = {"norms": config.norms, "mild_from": mild_from}
    learn(prepare(config), ahead(Mixture(config, sources, mild_from)), every, how)


if __name__ == "__main__":
    main()
