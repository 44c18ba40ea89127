"""Settings of a training run, checked all at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.errors import EngineError
from nuset_engine.runtime.names import name_fault
from nuset_engine.training.words import AUGMENTATION, MODELS, MODES, NORMS, OPTIMIZERS, PRECISIONS, SCORES, SIZES

TUNING: dict[str, float | int] = {"steps": 600, "learning_rate": 2e-4}
"""Usual settings from weights on: gentle and short, or a handful of images would undo what the weights know."""
FROM_CORRECTIONS: dict[str, Any] = {
    "steps": 1500,
    "learning_rate": 1e-3,
    "crop_px": 128,
    "synthetic_share": 0.0,
    "scores": "fitted",
}
"""Usual settings for what people corrected: a few images of a kind that the weights do badly on, and are to learn."""
FROM_DIVISIONS: dict[str, Any] = {"learning_rate": 2e-4, "crop_px": 128, "synthetic_share": 0.4, "norms": "fixed"}
"""Usual settings for nuclei that divide next: a few mitoses of one kind, beside the synthetic ones of all."""
STEPS_EACH, MOST_STEPS = 30, 600
"""Steps for each of these, and at most: weights that see the same few for longer find others worse."""


def from_divisions(count: int) -> dict[str, Any]:
    """Usual settings for so many divisions to learn from."""
    return {**FROM_DIVISIONS, "steps": min(STEPS_EACH * count, MOST_STEPS)}


@dataclass(frozen=True)
class TrainingConfig:
    """A training run; saved beside its weights, so that anyone can repeat it.

    Attributes
    ----------
    images, labels : Path or None
        Folders of images and of instance labels with the same file stems; None: synthetic images alone.
    seen : Path or None
        Folder of images with the names of the labels: where they are 0 nobody looked, and nothing is learned.
    output : Path
        The weights to write (``.npz``); checkpoints and history lie beside them.
    mode : str
        ``nuclei``: every nucleus is labelled. ``events``: only rare events are, such as mitoses, and the loss is
        weighted by attention.
    model : str or None
        Kind of network, a name of `words.MODELS`; None: that of the weights to start from, else NuSeT.
    width : int
        Channels of the network's first level.
    steps, batch_size, crop_px : int
        Number of updates, crops per update, edge of a crop in network pixels.
    learning_rate : float
        Highest rate; it rises over the first 2 % of the steps and falls to 0 along a cosine.
    optimizer : str
        One of `words.OPTIMIZERS`; RMSprop is that of the original.
    synthetic_share : float
        Share of crops from synthetic images.
    augmentation : str
        Name of one of `augment.AUGMENTATIONS`.
    dimmed : float
        Share of the crops of planes in which some nuclei are dimmed to a small share of their contrast, see
        `augment.dim_some`: weights learn to see nuclei beside others that are ten times as bright.
    sizes : str
        How large nuclei appear in the crops: ``labelled``, by the labels; ``measured``, as the weights to start from
        measure them, which is how the engine will see these images.
    scores : str
        How sure the weights are of nuclei: ``learned``, as training left them; ``fitted``, so that the usual least
        scores suit these images, see `score_fit`.
    norms : str
        Batch normalisation: ``learned``, with all else; ``fixed``, as the weights to start from have it: few crops, of
        few places, are no measure of what the network will see. That is faster, too.
    held_out : int
        This many images, those with the smallest CRC-32 of their name, are neither trained on nor validated on.
    held_out_images : Path or None
        Folder of images that whoever chose the others left out; none is read, the manifest says how many there are.
    validation : int
        This many images, those that follow, choose the best weights.
    start_from : str or None
        Name or path of the weights to start from.
    blend : float
        Share of what was learned in the weights that are kept; the rest is what the run started from. Between the two
        lie weights that do well on both kinds of images (Wortsman et al. 2022, weight-space ensembles).
    seed : int
    precision : str
        What the network computes in while it learns, ``float32`` or ``bfloat16``, see `network.computing_in`.
    """

    images: Path | None
    labels: Path | None
    output: Path
    seen: Path | None = None
    mode: str = "nuclei"
    model: str | None = None
    width: int = 24
    steps: int = 8000
    batch_size: int = 4
    crop_px: int = 256
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    synthetic_share: float = 0.4
    augmentation: str = "strong"
    dimmed: float = 0.0
    sizes: str = "labelled"
    scores: str = "learned"
    norms: str = "learned"
    held_out: int = 0
    validation: int = 24
    start_from: str | None = None
    blend: float = 1.0
    seed: int = 0
    precision: str = "float32"
    held_out_images: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, all faults at once."""
        faults = [
            f"{n} = {getattr(self, n)} is not above 0" for n in ("width", "steps", "batch_size") if getattr(self, n) < 1
        ]
        faults += [f"{n} = {getattr(self, n)} is below 0" for n in ("held_out", "validation") if getattr(self, n) < 0]
        if not 0 < self.learning_rate < np.inf:
            faults.append(f"learning_rate = {self.learning_rate} is not a number above 0")
        if self.output.suffix != ".npz":
            faults.append(f"output = {self.output} does not end in .npz, as weights do")
        fault = name_fault(self.output.stem)
        faults += [] if fault is None else [f"output: {fault}"]
        if self.crop_px < 64 or self.crop_px % 16:
            faults.append(f"crop_px = {self.crop_px} is not a multiple of 16 of at least 64")
        shares = {name: getattr(self, name) for name in ("synthetic_share", "dimmed")}
        faults += [f"{name} = {share} is not between 0 and 1" for name, share in shares.items() if not 0 <= share <= 1]
        if not 0 < self.blend <= 1:
            faults.append(f"blend = {self.blend} is not above 0 and at most 1")
        if self.blend < 1 and not self.start_from:
            faults.append(f"blend = {self.blend} needs weights to start from (start_from)")
        if (self.images is None) != (self.labels is None):
            faults.append("images and labels belong together: give both folders, or neither for synthetic images alone")
        if self.seen is not None and self.images is None:
            faults.append("seen belongs to images and labels: give these as well")
        if self.scores == "fitted" and (self.images is None or self.mode == "events"):
            faults.append("scores are fitted to images and labels of nuclei: give these, and no events")
        if self.sizes == "measured" and not self.start_from:
            faults.append("sizes = 'measured' needs weights to start from (start_from)")
        if self.norms == "fixed" and not self.start_from:
            faults.append("norms = 'fixed' needs weights to start from (start_from)")
        choices: dict[str, tuple[str, ...]] = {"mode": MODES, "optimizer": OPTIMIZERS, "precision": PRECISIONS}
        choices |= {"augmentation": AUGMENTATION, "sizes": SIZES, "scores": SCORES, "norms": NORMS}
        choices |= {} if self.model is None else {"model": MODELS}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                faults.append(f"{name} = {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        if faults:
            raise EngineError("Training settings are wrong: " + "; ".join(faults) + ".")

    @property
    def momentum(self) -> float:
        """Momentum of the moving average of the weights: over about a tenth of a run, but at most 500 steps."""
        return float(np.clip(1 - 10 / self.steps, 0.8, 0.998))

    def recipe(self) -> dict[str, Any]:
        """The settings for the manifest, without anybody's paths."""
        values = asdict(self)
        del values["output"], values["seen"], values["held_out_images"]
        if self.seen is not None:
            values["seen"] = self.seen.name
        if self.held_out_images is not None:
            apart = self.held_out_images.absolute()
            values["held_out"] += sum(1 for _ in apart.iterdir())
            values["held_out_images"] = "/".join(apart.parts[-3:])
        if self.start_from:
            values["start_from"] = Path(self.start_from).stem
        if self.images is None or self.labels is None:
            return values
        return {**values, "images": self.images.absolute().name, "labels": self.labels.absolute().name}
