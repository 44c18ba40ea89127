"""Learning mitoses from divisions: what is learned, and whether the new weights are better where nothing was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from daemon.files.learning import keep_scores
from nuset_engine.evaluation.event_scores import EventScores, score_events, seen_events
from nuset_engine.evaluation.paired import PairedDifference, paired_difference
from nuset_engine.events import EventDetector
from nuset_engine.planes.colour import grey
from nuset_engine.training.pairs import read_image, read_pairs
from storage.export.corrected_examples import CorrectedExamples
from storage.export.division_examples import division_examples
from storage.spans import counted

CONFIRMED, UNDOUBTED = "confirmed", "undoubted"
DIVISIONS = (CONFIRMED, UNDOUBTED)


def divisions_beside(output: Path) -> Path:
    """Where images and labels for some weights are put."""
    return output.with_name(f"{output.stem}.divisions")


def take_divisions(
    database: str, acquisitions: list[str], output: Path, held_out: int | None, frames: int, divisions: str
) -> CorrectedExamples:
    """Write mothers before they divide beside the weights that are to learn them; a run that goes on finds the same.

    Raises
    ------
    StorageError
        When no division is confirmed, too much is held out, or more was said since the run was begun.
    """
    begun = output.with_suffix(".resume.npz").is_file()
    folder, undoubted = divisions_beside(output), divisions == UNDOUBTED
    return division_examples(database, acquisitions, folder, held_out, begun, frames, undoubted)


@dataclass(frozen=True)
class EventComparison:
    """How two sets of weights find the same events.

    Attributes
    ----------
    new, present : EventScores
    difference : PairedDifference
        Of the share of what is found or to be found that is both, and whether it is more than chance.
    """

    new: EventScores
    present: EventScores
    difference: PairedDifference

    def table(self, new: str, present: str) -> pd.DataFrame:
        """One row per measure."""
        both = {new: _measures(self.new), present: _measures(self.present)}
        return pd.DataFrame(both).rename_axis("measure").reset_index()

    def verdict(self, new: str, present: str) -> str:
        """A sentence."""
        scores = f"F1 is {self.new.f1:.3f}, that of {present} {self.present.f1:.3f}"
        sections = self.new.true_count
        where = f"on {counted(sections, 'held-out section')} of mitoses"
        told = f"{scores}; {self.difference.words}"
        if self.new.f1 <= self.present.f1:
            return f"{new} is NOT better {where}: {told}. Go on with {present}, or confirm more divisions."
        if not self.difference.is_significant:
            return (
                f"{new} scores higher {where}: {told}. Confirm more divisions, or look at results, before you use it."
            )
        return f"{new} is better {where}: {told}. Give its path to --weights of `nusetd detect`."

    def keep(self, new: Path, present: Path) -> None:
        """Write both, see `learning.keep_scores`."""
        keep_scores({new: pd.DataFrame([_measures(self.new)]), present: pd.DataFrame([_measures(self.present)])})


def _measures(scores: EventScores) -> dict[str, float]:
    counts = {"mitoses": scores.true_count, "found": scores.found_count, "right": scores.matched}
    return counts | {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}


def compare_events(examples: CorrectedExamples, new: str, present: str) -> EventComparison:
    """Have both weights detect in what is held out, where something is known of events; as `nusetd detect` does."""
    tables = (_scored(examples, new), _scored(examples, present))
    one, two = (sum(table.values(), EventScores(0, 0, 0)) for table in tables)
    first, second = (
        pd.DataFrame.from_dict({name: _counts(scores) for name, scores in table.items()}, orient="index")
        for table in tables
    )
    return EventComparison(one, two, paired_difference(first, second))


def _counts(scores: EventScores) -> dict[str, int]:
    return {"tp_50": scores.matched, "true_nuclei": scores.true_count, "predicted_nuclei": scores.found_count}


def _scored(examples: CorrectedExamples, weights: str) -> dict[str, EventScores]:
    """Scores by name of the image."""
    images, labels, seen = examples.to_judge
    detector = EventDetector(weights)
    found = {}
    for name, image, truth in read_pairs(images, labels):
        (boxes,) = detector.detect([grey(read_image(image))])
        known = read_image(seen / truth.name) > 0
        found[name] = score_events(read_image(truth), seen_events(boxes, known))
    return found
