"""Ordering weights: from which images and labels, from which weights, how long; and how good they are in the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.configuration.service_config import DEFAULT_WEIGHTS
from daemon.installation.kept_weights import NAME
from daemon.jobs.choices import Choices
from daemon.jobs.job import JobStep
from daemon.jobs.prediction import REPORT
from nuset_engine.runtime.names import name_fault
from nuset_engine.training.words import AUGMENTATION, OPTIMIZERS, SIZES

NOTHING = "nothing"
"""In place of weights to start from: none."""

NEW, PRESENT = "score-new", "score-present"
"""Folders of what `nusetd evaluate` found, for the new weights and for those they are to replace."""


@dataclass(frozen=True)
class TrainOrder:
    """What was chosen; the names are those of `nuset_engine.training.config.TrainingConfig`.

    Attributes
    ----------
    name : str
        Of the weights.
    compared_with : str
        The weights that are in use.
    every : int
        Steps between two validations.
    """

    name: str
    start_from: str
    compared_with: str
    steps: int
    learning_rate: float
    batch_size: int
    crop_px: int
    width: int
    validation: int
    held_out: int
    every: int
    optimizer: str
    synthetic_share: float
    augmentation: str
    sizes: str
    seed: int

    @classmethod
    def read(cls, given: Mapping[str, Any], weights: Collection[str]) -> TrainOrder:
        """Read a form; one that names an acquisition learns from what people corrected of it.

        Raises
        ------
        UsageError
            With everything that is wrong in it.
        """
        # Loads what only training needs.
        from nuset_engine.training.config import FROM_CORRECTIONS, TUNING

        choices = Choices(given)
        name, start = choices.text("name"), choices.one_of("start_from", [*weights, NOTHING], DEFAULT_WEIGHTS)
        tuning = start != NOTHING
        beginning = {"steps": 8000, "learning_rate": 1e-3, "crop_px": 256, "synthetic_share": 0.4}
        from_corrections = given.get("acquisition") is not None
        usual = beginning | (FROM_CORRECTIONS if from_corrections else TUNING if tuning else {})
        if not NAME.fullmatch(name):
            choices.faults.append(f"name = {name!r} is no name for weights: use letters, digits, dots, dashes")
        elif (fault := name_fault(name)) is not None:
            choices.faults.append(f"name = {fault}")
        crop = choices.whole("crop_px", int(usual["crop_px"]), 64, 1024)
        if crop % 16:
            choices.faults.append(f"crop_px = {crop} is no multiple of 16")
        chosen = cls(
            name=name,
            start_from=start,
            compared_with=choices.one_of("compared_with", weights, start if tuning else DEFAULT_WEIGHTS),
            steps=choices.whole("steps", int(usual["steps"]), 1, 1_000_000),
            learning_rate=choices.number("learning_rate", usual["learning_rate"], 1e-7, 1.0),
            batch_size=choices.whole("batch_size", 4, 1, 256),
            crop_px=crop,
            width=choices.whole("width", 24, 2, 128),
            validation=choices.whole("validation", 24, 0, 100_000),
            held_out=choices.whole("held_out", 0, 0, 100_000),
            every=choices.whole("every", 100, 1, 100_000),
            optimizer=choices.one_of("optimizer", OPTIMIZERS, OPTIMIZERS[0]),
            synthetic_share=choices.number("synthetic_share", usual["synthetic_share"], 0.0, 1.0),
            augmentation=choices.one_of("augmentation", AUGMENTATION, AUGMENTATION[0]),
            sizes=choices.one_of("sizes", SIZES if tuning else SIZES[:1], SIZES[0]),
            seed=choices.whole("seed", 0, 0, 2**31 - 1),
        )
        choices.check()
        return chosen

    def weights(self, results: Path) -> Path:
        """Where they are written."""
        return results / f"{self.name}.npz"

    def steps_for(self, images: Path, labels: Path, results: Path, cores: int) -> tuple[JobStep, ...]:
        """The commands: training, and where images are held out, both weights measured on these."""
        own = [f"--width={self.width}"] if self.start_from == NOTHING else [f"--start-from={self.start_from}"]
        own.append(f"--held-out={self.held_out}")
        train = self._train(results, f"--images={images}", f"--labels={labels}", *own)
        if not self.held_out:
            return (train,)
        both = ((NEW, str(self.weights(results)), "the new weights"), (PRESENT, self.compared_with, self.compared_with))
        return (train, *(self._score(images, labels, results, cores, *one) for one in both))

    def steps_from(self, acquisition: int, results: Path) -> tuple[JobStep, ...]:
        """The command where images and labels are those of the corrected time points of an acquisition.

        It holds time points out, as many as are to be or a fifth, and compares the new weights with those that it
        starts from.
        """
        own = [f"--start-from={self.start_from}", f"--from-corrections={acquisition}"]
        own += [f"--held-out={self.held_out}"] if self.held_out else []
        return (self._train(results, *own),)

    def _train(self, results: Path, *own: str) -> JobStep:
        numbers = ("steps", "learning_rate", "batch_size", "crop_px", "validation", "every", "seed", "synthetic_share")
        words = ("optimizer", "augmentation", "sizes")
        options = [f"--{name.replace('_', '-')}={getattr(self, name)}" for name in (*numbers, *words)]
        places = (f"--output={self.weights(results)}", f"--report={results / REPORT}")
        return JobStep("train", ("train", *places, *options, *own))

    def _score(
        self, images: Path, labels: Path, results: Path, cores: int, folder: str, weights: str, said: str
    ) -> JobStep:
        arguments = (
            "evaluate",
            str(images),
            str(labels),
            f"--held-out={self.held_out}",
            f"--weights={weights}",
            f"--output={results / folder}",
            f"--threads={cores}",
            "--workers=1",
            "--format=json",
        )
        return JobStep(f"score {said}", arguments, f"results/{folder}.json")
