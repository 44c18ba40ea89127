"""`nusetd try`: one time point segmented with several settings, and what each changes. Nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.errors import DaemonError, UsageError
from daemon.files.nuclear_planes import NuclearPlanes
from daemon.files.trial import Changes, Trial, Trials
from daemon.processing.engine_factory import segmenter_of
from daemon.processing.recipe import refuse_unmeasurable
from nuset_engine.arrays import LabelsZYX, PlaneYX
from nuset_engine.evaluation.metrics import match_overlap
from nuset_engine.overlap import Overlap, overlap
from nuset_engine.reconstruction.sizes import diameters_um
from nuset_engine.reconstruction.volume import Volume, reconstruct
from nuset_engine.voxels import VoxelSize
from storage import readers
from storage.spans import spoken

if TYPE_CHECKING:
    from daemon.configuration.config import Config, UnclearChannel
    from storage.acquisition import Acquisition

MOSTLY = 0.5  # a nucleus lies in another one where so much of it does
SHOWN_SLICES = 3


@dataclass(frozen=True)
class TrialImage:
    """Which time point is tried.

    Attributes
    ----------
    path : Path
    name : str or None
        Of files with several images, which.
    t : int or None
        None: the first.
    """

    path: Path
    name: str | None = None
    t: int | None = None
    voxel_size_um: VoxelSize | None = None
    nuclear_channel: int | str | None = None
    axes: str | None = None
    unclear_channel: UnclearChannel = "ask"


def run_trials(image: TrialImage, configs: Sequence[tuple[str, Config]]) -> Trials:
    """Segment the time point with each configuration, the first one being what the others are compared with.

    Raises
    ------
    DaemonError, StorageError, EngineError
        When the image cannot be read, or is not one.
    """
    found = readers.open_acquisitions(image.path, voxel_size_um=image.voxel_size_um, axes=image.axes)
    try:
        acquisition = _chosen(found, image)
        refuse_unmeasurable(acquisition)
        t = _time_point(acquisition, image.t)
        first = configs[0][1]
        planes = NuclearPlanes(
            image.nuclear_channel,
            image.unclear_channel,
            lambda: segmenter_of(first.engine, first.processing.segmentation),
        ).of(acquisition)(t)
        return _tried(f"{acquisition.name}, t = {acquisition.source_t(t)}", planes, acquisition.voxel_size_um, configs)
    finally:
        for one in found:
            one.close()


def _chosen(found: Sequence[Acquisition], image: TrialImage) -> Acquisition:
    names = [one.name for one in found]
    wanted = [one for one in found if image.name in (None, one.name)]
    if len(wanted) == 1:
        return wanted[0]
    raise UsageError(f"{image.path} holds {len(found)} images: choose one with --name ({', '.join(names)}).")


def _time_point(acquisition: Acquisition, wanted: int | None) -> int:
    """The time point that a person wants, by its number as it is written; the first one without."""
    there = list(acquisition.time_points)
    if not there:
        raise DaemonError(f"{acquisition.name} has no time point yet: try another image, or wait.")
    if wanted is None:
        return there[0]
    written = {acquisition.source_t(t): t for t in there}
    if wanted not in written:
        raise UsageError(f"{acquisition.name} has no time point {wanted}: {spoken(written)} are there.")
    return written[wanted]


def _tried(
    title: str, planes: Sequence[PlaneYX], voxel_um: VoxelSize | None, configs: Sequence[tuple[str, Config]]
) -> Trials:
    results = _results(planes, voxel_um, configs)
    _, first = next(results)
    slices = shown_slices(first.labels)
    trials = [_trial(configs[0][0], first, slices, voxel_um, None)]
    for name, result in results:
        trials.append(_trial(name, result, slices, voxel_um, changes(overlap(first.labels, result.labels))))
    grey = [np.asarray(planes[z]) for z in slices]
    sample = np.concatenate([np.asarray(planes[z])[::4, ::4].ravel() for z in range(len(planes))])
    low, high = np.nanpercentile(sample.astype(np.float64), (1.0, 99.9))
    return Trials(title, "px" if voxel_um is None else "µm", slices, grey, (float(low), float(high)), trials)


def _results(
    planes: Sequence[PlaneYX], voxel_um: VoxelSize | None, configs: Sequence[tuple[str, Config]]
) -> Iterator[tuple[str, Volume]]:
    for name, config in configs:
        segmenter = segmenter_of(config.engine, config.processing.segmentation)
        yield name, reconstruct(segmenter.segment_stack(planes), voxel_um, config.processing.volume, planes)


def _trial(
    name: str, found: Volume, slices: Sequence[int], voxel_um: VoxelSize | None, against: Changes | None
) -> Trial:
    diameters = diameters_um(found.labels, voxel_um or (1.0, 1.0, 1.0))
    scores = found.trust["score"].to_numpy(np.float64)
    return Trial(name, diameters, scores, against, [found.labels[z].astype(np.int32) for z in slices])


def shown_slices(labels: LabelsZYX) -> list[int]:
    """At most three slices, spread over those in which nuclei lie by how much of them does."""
    areas = np.array([np.count_nonzero(plane) for plane in labels], np.float64)
    if len(labels) <= SHOWN_SLICES or not areas.any():
        return list(range(len(labels)))[:SHOWN_SLICES]
    share = np.cumsum(areas) / areas.sum()
    return sorted({int(np.searchsorted(share, wanted)) for wanted in (0.25, 0.5, 0.75)})


def changes(found: Overlap) -> Changes:
    """What is different between two results of one image."""
    rows, columns = found.rows, found.columns
    in_other, in_first = found.share_of_a > MOSTLY, found.share_of_b > MOSTLY
    touched = in_other | in_first
    lost = len(found.labels_a) - len(np.unique(rows[touched]))
    new = len(found.labels_b) - len(np.unique(columns[touched]))
    cut = np.count_nonzero(np.bincount(rows[in_first], minlength=1) > 1)
    merged = np.count_nonzero(np.bincount(columns[in_other], minlength=1) > 1)
    return Changes(match_overlap(found, 0.5).true_positives, lost, new, int(cut), int(merged))
