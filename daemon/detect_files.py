"""`nusetd detect`: images in, tables of rare events out, in this process and without a database."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import DaemonError, UsageError
from daemon.output import complain, say
from daemon.segment_files import nuclear_planes
from nuset_engine.errors import EngineError
from storage import readers
from storage.errors import StorageError

if TYPE_CHECKING:
    from nuset_engine.events import EventDetector
    from storage.acquisition import Acquisition

COLUMNS = ("t", "z", "y0", "x0", "y1", "x1", "score")


@dataclass(frozen=True)
class DetectOrder:
    """Where events are to be found, and how."""

    images: Sequence[Path]
    output: Path
    nuclear_channel: int | str | None
    weights: str
    nuclei_weights: str
    min_score: float

    def __post_init__(self) -> None:
        """Refuse a score that is none."""
        if not 0 < self.min_score < 1:
            raise UsageError(f"--min-score {self.min_score} is not between 0 and 1: give the least confidence, as 0.5.")


def detect_files(order: DetectOrder) -> int:
    """Write `<stem>.events.csv` for each image; return the exit code: 0 only when all succeeded."""
    from tqdm import tqdm

    from nuset_engine.events import EventDetector

    targets = {image: order.output / f"{image.stem}.events.csv" for image in order.images}
    if len(set(targets.values())) < len(targets):
        raise DaemonError("Two images have the same name, so their tables would too: detect into two folders.")
    detector = EventDetector(order.weights, order.nuclei_weights, order.min_score)
    order.output.mkdir(parents=True, exist_ok=True)
    failed = 0
    for image, target in tqdm(targets.items(), unit="image", file=sys.stderr, disable=not sys.stderr.isatty()):
        try:
            _write(target, _events(image, order, detector))
        except (StorageError, DaemonError, EngineError, OSError) as error:
            failed += 1
            complain(str(error) if image.name in str(error) else f"{image}: {error}")
        else:
            say(str(target))
    return 1 if failed else 0


def _events(image: Path, order: DetectOrder, detector: EventDetector) -> list[tuple[int | float, ...]]:
    found = readers.open_acquisitions(image)
    if len(found) != 1:
        raise DaemonError(f"{image} holds {len(found)} images: split it, and detect in each.")
    with found[0] as acquisition:
        return [row for t in acquisition.time_points for row in _time_point(acquisition, t, order, detector)]


def _time_point(
    acquisition: Acquisition, t: int, order: DetectOrder, detector: EventDetector
) -> list[tuple[int | float, ...]]:
    slices = detector.detect(nuclear_planes(acquisition, t, order.nuclear_channel))
    return [
        (t, z, *(round(float(side), 1) for side in box), round(float(score), 3))
        for z, events in enumerate(slices)
        for box, score in zip(events.boxes, events.scores, strict=True)
    ]


def _write(path: Path, rows: list[tuple[int | float, ...]]) -> None:
    """Write the table; the file appears only when it is whole."""
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    os.replace(unfinished, path)
