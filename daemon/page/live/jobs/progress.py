"""How far a job is, out of the lines that its commands write: each line is read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from daemon.jobs.job import Job
from daemon.jobs.job_folders import RESULTS
from daemon.jobs.prediction import REPORT
from storage.spans import counted

MOST_POINTS = 600
_PROGRESS = "progress.jsonl"  # as the commands call it
_KEPT = 50


class JobProgress:
    """What one job's lines say so far.

    Parameters
    ----------
    file : Path
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self.begun: dict[str, Any] = {}
        self.slices: dict[str, Any] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.losses: list[tuple[int, float, float]] = []
        self.validations: list[dict[str, Any]] = []
        self.scores: list[dict[str, Any]] = []

    def read(self) -> None:
        """Read what was written since the last time."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict):
                self._hear(said)

    def _hear(self, said: dict[str, Any]) -> None:
        what = said.pop("what", None)
        if what == "begins":
            self.begun, self.slices = said, {}
            step = said.get("step", 0)  # a training that goes on from a checkpoint does again what came after it
            self.losses = [one for one in self.losses if one[0] <= step]
            self.validations = [one for one in self.validations if one["step"] <= step]
            self.scores = [one for one in self.scores if one["step"] <= step]
        elif what == "step":
            self.losses.append((said["step"], said["loss"], said["seconds"]))
        elif what == "validated":
            self.validations.append(said)
            if not self.losses or self.losses[-1][0] < said["step"]:  # of steps a line is written now and then only
                self.losses.append((said["step"], said["loss"], said["seconds"]))
        elif what == "scored":
            self.scores.append(said)
        elif what == "slices":
            self.slices = said
        elif what in ("image", "done", "failed"):
            self.images[said["image"]] = {**said, "state": "at work" if what == "image" else what}
            self.slices = {}

    def as_dict(self, kind: str, names: Mapping[str, str]) -> dict[str, Any]:
        """As plain values: curves and examples of a training, images of a prediction."""
        if kind == "train":
            every = max(1, -(-len(self.losses) // MOST_POINTS))
            shown = [*self.losses[:-1:every], *self.losses[-1:]]
            return {
                "begun": self.begun,
                "losses": shown,
                "validations": [[one["step"], one["validation_loss"]] for one in self.validations],
                "scores": [[one["step"], one["score"]] for one in self.scores if one["score"] is not None],
                "examples": self.scores[-1]["examples"] if self.scores else [],
                "runtime": self.scores[-1].get("runtime", "") if self.scores else "",
                "best": min((one["validation_loss"] for one in self.validations), default=None),
            }
        images = [{**one, "name": names.get(key, key)} for key, one in self.images.items()]
        return {"begun": self.begun, "slices": self.slices, "images": images}

    def summary(self, kind: str, job: Job) -> str:
        """In a few words."""
        if kind == "train":
            total = self.begun.get("steps", job.order.get("steps"))
            return f"step {self.losses[-1][0] if self.losses else self.begun.get('step', 0)} of {total}"
        done = [one for one in self.images.values() if one["state"] == "done"]
        failed = sum(one["state"] == "failed" for one in self.images.values())
        total = max(job.order.get("count") or 0, len(done) + failed)
        nuclei = sum(one["nuclei"] for one in done)
        return (
            f"{len(done)} of {counted(total, 'image') if total else '? images'}, {counted(nuclei, 'nucleus', 'nuclei')}"
            + (f", {failed} failed" if failed else "")
        )


class Progresses:
    """The progress of all jobs that were asked for lately."""

    def __init__(self) -> None:
        self._known: dict[str, JobProgress] = {}
        self._lock = Lock()

    def of(self, number: str, folder: Path) -> JobProgress:
        """That of a job, as it is now."""
        with self._lock:
            found = self._known.pop(number, None) or JobProgress(folder / RESULTS / REPORT / _PROGRESS)
            self._known[number] = found
            while len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
            found.read()
            return found
