"""Learning from what people corrected: what is learned, and whether the new weights are better where nothing was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from daemon.configuration.service_config import EngineConfig
from daemon.errors import DaemonError
from daemon.files.evaluate import EvaluationOptions, score_folders
from nuset_engine.evaluation.paired import PairedDifference, paired_difference
from nuset_engine.evaluation.scores import Evaluation
from storage.export.corrected_examples import CorrectedExamples, corrected_examples
from storage.files.whole_file import whole

MEASURES = ("ap_50", "ap")
"""What decides: the first, and where it is the same the second."""


def examples_beside(output: Path) -> Path:
    """Where images and labels for some weights are put."""
    return output.with_name(f"{output.stem}.corrected")


def take_corrected(database: str, acquisitions: list[str], output: Path, held_out: int | None) -> CorrectedExamples:
    """Write what people corrected beside the weights that are to learn from it; a run that goes on finds the same.

    Raises
    ------
    StorageError
        When nothing was corrected, too much is held out, or more was said since the run was begun.
    """
    begun = output.with_suffix(".resume.npz").is_file()
    return corrected_examples(database, acquisitions, examples_beside(output), held_out, begun)


@dataclass(frozen=True)
class Comparison:
    """How two sets of weights score on the same images.

    Attributes
    ----------
    new, present : DataFrame
        One row of overall scores each.
    difference : PairedDifference
        Of the average precision at 0.5, and whether it is more than chance.
    points : int
        Time points that the images are of.
    """

    new: pd.DataFrame
    present: pd.DataFrame
    difference: PairedDifference
    points: int

    @classmethod
    def of(cls, new: Evaluation, present: Evaluation, points: int) -> Comparison:
        """Compare two evaluations of the same images."""
        return cls(new.overall, present.overall, paired_difference(new.images, present.images), points)

    @property
    def is_better(self) -> bool:
        """Whether the new ones score higher; that may be chance."""
        pairs = [(float(self.new[name].iloc[0]), float(self.present[name].iloc[0])) for name in MEASURES]
        return next((one > two for one, two in pairs if not math.isclose(one, two)), False)

    def table(self, new: str, present: str) -> pd.DataFrame:
        """One row per measure."""
        both = {new: self.new.iloc[0], present: self.present.iloc[0]}
        return pd.DataFrame(both).rename_axis("measure").reset_index()

    def verdict(self, new: str, present: str) -> str:
        """A sentence."""
        images = int(self.new["images"].iloc[0])
        scores = f"AP at 0.5 is {self.new['ap_50'].iloc[0]:.3f}, that of {present} {self.present['ap_50'].iloc[0]:.3f}"
        kept = "1 time point that was" if self.points == 1 else f"{self.points} time points that were"
        where = f"on {kept} held out ({images} images)"
        told = f"{scores}; {self.difference.words}"
        if not self.is_better:
            then = f"Go on with {present}, correct more time points, or train longer."
            return f"{new} is NOT better {where}: {told}. {then}"
        if not self.difference.is_significant:
            then = "Hold more out (--held-out), or look at results, before you use it."
            return f"{new} scores higher {where}: {told}. {then}"
        return f"{new} is better {where}: {told}. Give its path to --weights, or in [engine] of the configuration."

    def keep(self, new: Path, present: Path) -> None:
        """Write both rows, see `keep_scores`."""
        keep_scores({new: self.new, present: self.present})


def keep_scores(scores: dict[Path, pd.DataFrame]) -> None:
    """Write rows of scores as `nusetd evaluate --format json` does, a file for each table.

    Raises
    ------
    DaemonError
        When one cannot be written.
    """
    for file, rows in scores.items():
        try:
            with whole(file) as unfinished:
                unfinished.write_text(rows.to_json(orient="records"), encoding="utf-8")
        except OSError as error:
            raise DaemonError(f"{file} cannot be written ({error.strerror}): choose another --report.") from error


def compare(examples: CorrectedExamples, new: str, present: str) -> Comparison:
    """Measure both weights on what is held out, where people looked; as `nusetd evaluate` does."""
    images, labels, seen = examples.to_judge
    first, second = (
        score_folders(
            EvaluationOptions(images=images, labels=labels, output=None, engine=EngineConfig(weights=one), seen=seen)
        )
        for one in (new, present)
    )
    return Comparison.of(first, second, examples.held_out)
