"""What came of a trial: pictures of its labels, and figures; for as long as the page keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from daemon.files.trials import changes
from daemon.page.live.pictures import labels_png
from daemon.page.live.trying.messages import RESULT, STORED, picture_name
from daemon.trying.stored_stack import StoredStack
from nuset_engine.arrays import LabelsYX, LabelsZYX
from nuset_engine.overlap import overlap
from nuset_engine.reconstruction.sizes import diameters_um
from nuset_engine.reconstruction.volume import Volume

WIDEST_PX = 1536  # larger pictures of labels are thinned out: the page shows none that is wider
_MOST_SIZES = 4000
_LABELS = "labels.npz"


class TrialResults:
    """Results of one time point.

    Parameters
    ----------
    folder : Path
    stack : StoredStack
        The first result of it.
    """

    def __init__(self, folder: Path, stack: StoredStack) -> None:
        self._folder, self._stack = folder, stack

    def keep(self, number: int, made: Volume, against: Sequence[int], seconds: float, doubt: str) -> None:
        """Keep what settings gave, with what they changed against the stored labels and against earlier trials."""
        labels, scores = made.labels, [float(score) for score in made.trust["score"]]
        mine, stored = self._folder / str(number), self._stack.labels()
        mine.mkdir()
        np.savez_compressed(mine / _LABELS, labels=labels)
        found: dict[str, Any] = {"result": self._figures(labels, scores), "seconds": round(seconds, 1), "doubt": doubt}
        found["stored"] = self._figures(stored, self._stack.scores())
        found["changes"] = {STORED: asdict(changes(overlap(stored, labels)))}
        for other in against:
            before = self._folder / str(other) / _LABELS
            if before.exists():
                found["changes"][str(other)] = asdict(changes(overlap(np.load(before)["labels"], labels)))
        self._draw(mine, labels)
        (mine / RESULT).write_text(json.dumps(found), encoding="utf-8")

    def keep_comparison(self, number: int, other: StoredStack) -> None:
        """Keep what another stored result changed."""
        mine, before, after = self._folder / str(number), self._stack.labels(), other.labels()
        mine.mkdir()
        found = {
            "stored": self._figures(before, self._stack.scores()),
            "result": self._figures(after, other.scores()),
            "changes": {STORED: asdict(changes(overlap(before, after)))},
        }
        (mine / RESULT).write_text(json.dumps(found), encoding="utf-8")

    def _figures(self, labels: LabelsZYX, scores: Sequence[float]) -> dict[str, Any]:
        voxel = self._stack.voxel_um
        across = diameters_um(labels, voxel or (1.0, 1.0, 1.0))
        across = across[across > 0]  # of stored labels some may be gone
        shares = np.percentile(across, (10, 50, 90)) if len(across) else (None, None, None)
        return {
            "nuclei": len(across),
            "unit": "px" if voxel is None else "µm",
            "diameter_p10_p50_p90": [None if one is None else round(float(one), 2) for one in shares],
            "diameters": [round(float(one), 2) for one in across[:: max(1, len(across) // _MOST_SIZES)]],
            "score": round(float(np.median(scores)), 3) if len(scores) else None,
        }

    @staticmethod
    def _draw(folder: Path, labels: LabelsZYX) -> None:
        views: list[tuple[str, int, LabelsYX]] = [("slice", z, plane) for z, plane in enumerate(labels)]
        views += [("top", 0, labels.max(axis=0)), ("side", 0, labels.max(axis=1))]
        step = max(1, -(-max(labels.shape[1:]) // WIDEST_PX))
        for view, z, plane in views:
            thin = plane[:: 1 if view == "side" else step, ::step]
            (folder / picture_name(view, z)).write_bytes(labels_png(thin.astype(np.int64)))
