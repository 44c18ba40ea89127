"""`nusetd segment`: images in, label images out, in this process and without a database."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.errors import DaemonError
from daemon.files.each_image import targets, write_each
from daemon.output import complain
from daemon.processing.engine_factory import segmenter_of
from daemon.processing.recipe import choose_channel, refuse_unmeasurable
from daemon.processing.stack_segmenter import StackSegmenter
from nuset_engine.arrays import Labels, LabelsZYX, PlaneYX
from nuset_engine.planes.colour import grey_planes
from nuset_engine.reconstruction.volume import reconstruct
from storage import readers
from storage.given_facts import GivenFacts

if TYPE_CHECKING:
    from daemon.configuration.config import EngineConfig, Processing
    from storage.acquisition import Acquisition

COLOURS = ("red", "green", "blue")  # as the readers name the channels of a picture


@dataclass(frozen=True)
class SegmentOptions:
    """What is to be segmented, and how."""

    images: Sequence[Path]
    output: Path
    given: GivenFacts
    engine: EngineConfig
    processing: Processing


def segment_files(options: SegmentOptions) -> int:
    """Write `<stem>.labels.tif` for each image; return the exit code: 0 only when all succeeded."""
    wanted = targets(options.images, options.output, ".labels.tif")
    segmenter = segmenter_of(options.engine, options.processing.segmentation)
    return write_each(wanted, lambda image, target: write_labels(target, _labels(image, options, segmenter)))


def write_labels(path: Path, labels: Labels) -> None:
    """Write labels, uint16 where they fit and uint32 where not; the file appears only when it is whole.

    Parameters
    ----------
    path : Path
    labels : (Y, X), (Z, Y, X) or (T, Z, Y, X) array of integers from 0
    """
    import tifffile

    kind = np.uint16 if labels.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    unfinished = path.with_name(f".{path.name}.part")
    tifffile.imwrite(unfinished, labels.astype(kind), compression="zlib", photometric="minisblack")
    os.replace(unfinished, path)


def _labels(image: Path, options: SegmentOptions, segmenter: StackSegmenter) -> Labels:
    found = readers.open_acquisitions(image, given=options.given)
    if len(found) != 1:
        raise DaemonError(f"{image} holds {len(found)} images: process it with `nusetd process`, or split it.")
    with found[0] as acquisition:
        for doubt in acquisition.doubts:
            complain(doubt)
        refuse_unmeasurable(acquisition)
        points = [_time_point(acquisition, t, options, segmenter) for t in acquisition.time_points]
    labels = np.stack(points)
    keep = (labels.shape[0] > 1, labels.shape[1] > 1)
    return labels[tuple(slice(None) if kept else 0 for kept in keep)]


def nuclear_planes(acquisition: Acquisition, t: int, wanted: int | str | None) -> Sequence[PlaneYX]:
    """The slices that show the nuclei: of the wanted or the nuclear channel; of a picture, all colours."""
    if wanted is None and acquisition.channel_names == COLOURS:
        return grey_planes([acquisition.planes(t, channel) for channel in range(len(COLOURS))])
    return acquisition.planes(t, choose_channel(acquisition, wanted))


def _time_point(acquisition: Acquisition, t: int, options: SegmentOptions, segmenter: StackSegmenter) -> LabelsZYX:
    planes = nuclear_planes(acquisition, t, options.given.nuclear_channel)
    slices, params = segmenter.segment_stack(planes), options.processing.volume
    return reconstruct(slices, acquisition.voxel_size_um, params, planes).labels
