"""`nusetd detect`: images in, tables of rare events out, in this process and without a database."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import DaemonError, UsageError
from daemon.files.each_image import images_of, targets, write_each
from daemon.files.nuclear_planes import NuclearPlanes
from nuset_engine.arrays import PlaneYX
from nuset_engine.params import SegmentationParams
from storage import readers
from storage.given_facts import GivenFacts

if TYPE_CHECKING:
    from daemon.configuration.config import UnclearChannel
    from nuset_engine.events import EventDetector

COLUMNS = ("t", "z", "y0", "x0", "y1", "x1", "score", "source_t", "event")


@dataclass(frozen=True)
class DetectOptions:
    """Where events are to be found, and how."""

    images: Sequence[Path]
    output: Path
    nuclear_channel: int | str | None
    weights: str
    nuclei_weights: str
    min_score: float
    runtime: str
    segmentation: SegmentationParams = field(default_factory=SegmentationParams)
    unclear_channel: UnclearChannel = "ask"
    as_image: bool = False

    def __post_init__(self) -> None:
        """Refuse a score that is none."""
        if not 0 < self.min_score < 1:
            raise UsageError(f"--min-score {self.min_score} is not between 0 and 1: give the least confidence, as 0.5.")


def detect_files(options: DetectOptions) -> int:
    """Write `<stem>.events.csv` for each image; return the exit code: 0 only when all succeeded."""
    from nuset_engine.events import EventDetector

    wanted = targets(images_of(options.images), options.output, ".events.csv")
    detector = EventDetector(
        options.weights, options.nuclei_weights, options.min_score, options.segmentation, runtime=options.runtime
    )
    return write_each(wanted, lambda image, target: _write(target, _events(image, options, detector)))


def _events(image: Path, options: DetectOptions, detector: EventDetector) -> list[tuple[int | float, ...]]:
    found = readers.open_acquisitions(image, given=GivenFacts(as_image=options.as_image))
    if len(found) != 1:
        raise DaemonError(f"{image} holds {len(found)} images: split it, and detect in each.")
    with found[0] as acquisition:
        if acquisition.drawn is not None:
            raise DaemonError(acquisition.drawn)
        planes = NuclearPlanes(options.nuclear_channel, options.unclear_channel, lambda: detector.nuclei).of(
            acquisition
        )
        rows: list[tuple[int | float, ...]] = []
        for t in acquisition.time_points:
            first = max((int(row[-1]) for row in rows), default=0)
            rows += _time_point(planes(t), t, acquisition.source_t(t), first, detector)
        return rows


def _time_point(
    planes: Sequence[PlaneYX], t: int, source_t: int, first: int, detector: EventDetector
) -> list[tuple[int | float, ...]]:
    """Rows of a time point, whose events are numbered on from `first`."""
    from nuset_engine.events import linked

    slices = list(detector.detect(planes))
    return [
        (t, z, *(round(float(side), 1) for side in box), round(float(score), 3), source_t, first + int(number))
        for z, (events, numbers) in enumerate(zip(slices, linked(slices), strict=True))
        for box, score, number in zip(events.boxes, events.scores, numbers, strict=True)
    ]


def _write(path: Path, rows: list[tuple[int | float, ...]]) -> None:
    """Write the table; the file appears only when it is whole."""
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    os.replace(unfinished, path)
