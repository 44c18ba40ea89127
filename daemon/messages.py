"""What the daemon and its worker say to each other through the pipe; nothing of it is ever kept on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nuset_engine.nuclei import Nuclei
from storage.rows import AcquisitionRow


@dataclass(frozen=True)
class EngineSetup:
    """To the worker, first: which engine to load."""

    factory: str
    weights: str
    threads: int | None
    lock_path: str


@dataclass(frozen=True)
class AnalyseTask:
    """To the worker: segment, join, measure and write the labels of one time point."""

    acquisition: AcquisitionRow
    t: int


@dataclass(frozen=True)
class PaintTask:
    """To the worker: paint the final track ids of one time point; `track_of` maps label to track id."""

    zarr_path: str
    t: int
    track_of: Mapping[int, int]


@dataclass(frozen=True)
class Ready:
    """From the worker: the engine is loaded."""

    model_name: str
    model_sha256: str


@dataclass(frozen=True)
class CannotStart:
    """From the worker: the engine cannot be loaded, and trying again will not help."""

    reason: str


@dataclass(frozen=True)
class Progress:
    """From the worker: a sign of life, `done` of `total` slices."""

    done: int
    total: int


@dataclass(frozen=True)
class Analysed:
    """From the worker: the labels are safely on disk, and these are the nuclei; seconds per step in `timings`.

    `quality` has what is stored of the stack's own quality: `blank_slices`, `background`, `signal`.
    """

    nuclei: Nuclei
    timings: dict[str, float]
    quality: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Painted:
    """From the worker: the track ids are safely on disk."""


@dataclass(frozen=True)
class Failed:
    """From the worker: the task could not be done; `may_pass` says whether trying again makes sense."""

    reason: str
    may_pass: bool


Task = AnalyseTask | PaintTask
Result = Analysed | Painted | Failed
Message = Ready | CannotStart | Progress | Result
