"""`nusetd segment`: images in, label images out, in one process or several, and without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.errors import DaemonError
from daemon.files.each_image import LABELS_SUFFIX, images_of, targets, write_each
from daemon.files.nuclear_planes import NuclearPlanes
from daemon.files.progress_lines import ProgressLines
from daemon.files.segment_report import SegmentReport, files_of
from daemon.files.sharing.hearing import Hearing
from daemon.files.sharing.shares import shares
from daemon.files.sharing.work import Hears, ImageDoubt, Remark, Share
from daemon.processing.engine_factory import StackSegmenter, segmenter_of
from daemon.processing.recipe import refuse_unmeasurable
from nuset_engine.arrays import Labels, LabelsZYX, PlaneYX
from nuset_engine.reconstruction.volume import reconstruct
from storage import readers
from storage.files.whole_file import whole
from storage.given_facts import GivenFacts

if TYPE_CHECKING:
    from daemon.configuration.config import Processing, UnclearChannel
    from daemon.configuration.service_config import EngineConfig
    from storage.acquisition import Acquisition


@dataclass(frozen=True)
class SegmentOptions:
    """What is to be segmented, and how; where a report goes, and whether images with labels are left out.

    `workers` are so many processes; None: as many as serve.
    """

    images: Sequence[Path]
    output: Path
    given: GivenFacts
    engine: EngineConfig
    processing: Processing
    unclear_channel: UnclearChannel = "ask"
    report: Path | None = None
    only_missing: bool = False
    workers: int | None = None


def segment_files(options: SegmentOptions) -> int:
    """Write `<stem>.labels.tif` for each image, also in folders; return the exit code: 0 only when all succeeded."""
    wanted = targets(images_of(options.images), options.output, LABELS_SUFFIX)
    if options.only_missing:
        wanted = {image: target for image, target in wanted.items() if not target.exists()}
    hearing = Hearing(None if options.report is None else ProgressLines(options.report, often=("slices",)))
    hearing.progress("begins", images=len(wanted))
    among = shares(options.workers, len(wanted), options.engine)
    beside = [] if options.report is None else [file for image in wanted for file in files_of(image, options.report)]
    code = write_each(SegmentWork(options), wanted, among, hearing, beside)
    hearing.progress("ends")
    return code


@dataclass(frozen=True)
class SegmentWork:
    """What is done with each image, in whichever process."""

    options: SegmentOptions

    def begin(self, share: Share) -> Segmenting:
        """Load the network."""
        engine = replace(self.options.engine, threads=share.threads)
        segmenter = segmenter_of(engine, self.options.processing.segmentation, share.graphics)
        return Segmenting(self.options, segmenter, SegmentReport(self.options.report))


@dataclass(frozen=True)
class Segmenting:
    """Segments one image after another."""

    options: SegmentOptions
    segmenter: StackSegmenter
    report: SegmentReport

    def __call__(self, wanted: tuple[Path, Path], tell: Hears) -> None:
        """Write what is known of an image, its labels last: where these are, nothing is missing."""
        image, target = wanted
        self.report.starts(image, tell)
        labels = _labels(image, self.options, self.segmenter, self.report, tell)
        with self.report.written(image, target):
            write_labels(target, labels)


def write_labels(path: Path, labels: Labels) -> None:
    """Write labels, uint16 where they fit and uint32 where not; the file appears only when it is whole.

    Parameters
    ----------
    path : Path
    labels : (Y, X), (Z, Y, X) or (T, Z, Y, X) array of integers from 0
    """
    import tifffile

    kind = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    with whole(path) as unfinished:
        tifffile.imwrite(unfinished, labels.astype(kind), compression="zlib", photometric="minisblack")


def _labels(
    image: Path, options: SegmentOptions, segmenter: StackSegmenter, report: SegmentReport, tell: Hears
) -> Labels:
    found = readers.open_acquisitions(image, given=options.given)
    if len(found) != 1:
        raise DaemonError(f"{image} holds {len(found)} images: process it with `nusetd process`, or split it.")
    with found[0] as acquisition:
        for doubt in acquisition.doubts:
            tell(ImageDoubt(doubt, image))
        refuse_unmeasurable(acquisition)
        wanted, unclear = options.given.nuclear_channel, options.unclear_channel
        chooser = NuclearPlanes(wanted, unclear, lambda: segmenter, lambda text: tell(Remark(text)))
        planes = chooser.of(acquisition)
        points = [_time_point(acquisition, t, planes(t), options, segmenter, report) for t in acquisition.time_points]
    labels = np.stack(points)
    keep = (labels.shape[0] > 1, labels.shape[1] > 1)
    return labels[tuple(slice(None) if kept else 0 for kept in keep)]


def _time_point(
    acquisition: Acquisition,
    t: int,
    planes: Sequence[PlaneYX],
    options: SegmentOptions,
    segmenter: StackSegmenter,
    report: SegmentReport,
) -> LabelsZYX:
    slices = segmenter.segment_stack(planes, progress=report.slices(acquisition, t))
    volume = reconstruct(slices, acquisition.voxel_size_um, options.processing.volume, planes)
    report.time_point(acquisition, t, volume, planes)
    return volume.labels
