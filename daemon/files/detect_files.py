"""`nusetd detect`: images in, tables of rare events out, in one process or several, and without a database."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.configuration.service_config import DEFAULT_ENGINE, EngineConfig
from daemon.errors import DaemonError, UsageError
from daemon.files.each_image import images_of, targets, write_each
from daemon.files.nuclear_planes import NuclearPlanes
from daemon.files.sharing.hearing import Hearing
from daemon.files.sharing.shares import shares
from daemon.files.sharing.work import Hears, Remark, Share
from daemon.processing.engine_factory import compute_on
from nuset_engine.arrays import PlaneYX
from nuset_engine.params import SegmentationParams
from storage import readers
from storage.files.whole_file import whole
from storage.given_facts import GivenFacts

if TYPE_CHECKING:
    from daemon.configuration.config import UnclearChannel
    from nuset_engine.events import EventDetector

COLUMNS = ("t", "z", "y0", "x0", "y1", "x1", "score", "source_t", "event")


@dataclass(frozen=True)
class DetectOptions:
    """Where events are to be found, and how; by so many processes, None: as many as serve.

    Of `engine` what it computes with counts, and neither its weights nor its factory.
    """

    images: Sequence[Path]
    output: Path
    nuclear_channel: int | str | None
    weights: str
    nuclei_weights: str
    min_score: float
    engine: EngineConfig
    segmentation: SegmentationParams = field(default_factory=SegmentationParams)
    unclear_channel: UnclearChannel = "ask"
    as_image: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse a score that is none."""
        if not 0 < self.min_score < 1:
            raise UsageError(f"--min-score {self.min_score} is not between 0 and 1: give the least confidence, as 0.5.")


def detect_files(options: DetectOptions) -> int:
    """Write `<stem>.events.csv` for each image; return the exit code: 0 only when all succeeded."""
    wanted = targets(images_of(options.images), options.output, ".events.csv")
    among = shares(options.workers, len(wanted), replace(options.engine, factory=DEFAULT_ENGINE))
    return write_each(DetectWork(options), wanted, among, Hearing())


@dataclass(frozen=True)
class DetectWork:
    """What is done with each image, in whichever process."""

    options: DetectOptions

    def begin(self, share: Share) -> Detecting:
        """Load both networks."""
        o, engine = self.options, self.options.engine
        compute_on(engine, share.graphics)
        from nuset_engine.events import EventDetector

        threads, runtime = share.threads, engine.runtime
        return Detecting(o, EventDetector(o.weights, o.nuclei_weights, o.min_score, o.segmentation, threads, runtime))


@dataclass(frozen=True)
class Detecting:
    """Finds the events of one image after another."""

    options: DetectOptions
    detector: EventDetector

    def __call__(self, wanted: tuple[Path, Path], tell: Hears) -> None:
        """Write the table of an image."""
        image, target = wanted
        _write(target, _events(image, self.options, self.detector, tell))


def _events(image: Path, options: DetectOptions, detector: EventDetector, tell: Hears) -> list[tuple[int | float, ...]]:
    found = readers.open_acquisitions(image, given=GivenFacts(as_image=options.as_image))
    if len(found) != 1:
        raise DaemonError(f"{image} holds {len(found)} images: split it, and detect in each.")
    with found[0] as acquisition:
        if acquisition.drawn is not None:
            raise DaemonError(acquisition.drawn)
        wanted, unclear = options.nuclear_channel, options.unclear_channel
        chooser = NuclearPlanes(wanted, unclear, lambda: detector.nuclei, lambda text: tell(Remark(text)))
        planes = chooser.of(acquisition)
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
    with whole(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
