"""What `nusetd train --report` leaves for people and programs: progress, scores, and outlines of some images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from daemon.files.progress_lines import ProgressLines
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.scores import check_instances, score_image, seen_nuclei
from nuset_engine.evaluation.worst_images import WorstImages
from nuset_engine.planes.colour import grey
from nuset_engine.segment import Segmenter
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.pairs import read_image, read_pairs
from storage.files.whole_file import whole

MOST_SCORED = 8
MOST_SHOWN = 4
SCORE = "ap_50"


class TrainingReport:
    """Hears what a training tells, and adds what the best weights so far make of images that they do not learn from.

    Parameters
    ----------
    folder : Path
    config : TrainingConfig
    """

    def __init__(self, folder: Path, config: TrainingConfig) -> None:
        self._folder, self._config = folder, config
        self._lines = ProgressLines(folder, often=("step",))
        self._names: list[str] = []

    def tell(self, what: str, /, **values: Any) -> None:  # noqa: ANN401 - whatever JSON can say
        """Hear one thing, see `nuset_engine.training.telling`."""
        if what == "begins":
            self._names = values["validated_on"][:MOST_SCORED]
        self._lines.tell(what, **values)
        if what == "validated" and values["kept"] and self._names and self._config.mode == "nuclei":
            self._lines.tell("scored", step=values["step"], **self._scored())

    def _scored(self) -> dict[str, Any]:
        """The mean score of the images validated on, what computed it, which is what will compute results here, and
        pictures of some images: what a person drew, and what was found.
        """
        assert self._config.images is not None
        assert self._config.labels is not None
        pairs = {name: (image, labels) for name, image, labels in read_pairs(self._config.images, self._config.labels)}
        segmenter = Segmenter(self._config.output)
        sheet, scores = WorstImages(MOST_SHOWN), []
        for number, name in enumerate(self._names):
            image, truth = (read_image(path) for path in pairs[name])
            try:
                check_instances(truth)
            except EngineError:
                continue  # it can be learned from, but not be compared
            found = segmenter.segment_plane(grey(image)).labels
            if self._config.seen is not None:
                seen = read_image(self._config.seen / pairs[name][1].name) > 0
                truth, found = (seen_nuclei(one, seen) for one in (truth, found))
            scores.append(score_image(truth, found)[SCORE])
            if number < MOST_SHOWN:
                sheet.offer(name, image, truth, found, scores[-1])
        shown = []
        for number, (name, score, png) in enumerate(sheet.pictures()):
            file = f"example-{number}.png"
            with whole(self._folder / file) as unfinished:  # the page may be reading the one before
                unfinished.write_bytes(png)
            shown.append({"name": name, "picture": file, "score": _rounded(score)})
        mean = _rounded(float(np.mean(scores))) if scores else None
        return {"score": mean, "runtime": segmenter.weights_info.runtime, "examples": shown}


def _rounded(value: float) -> float | None:
    """A score for JSON."""
    return round(value, 4) if math.isfinite(value) else None
