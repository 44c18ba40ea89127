"""The whole flow on one page: file -> Acquisition -> labels -> Nuclei -> tracks -> OME-Zarr and database.

`nusetd run` and `nusetd process` both go through these steps, in this order, for every time point:

    admit      daemon   a finished file becomes an acquisition with queued time points
    analyse    worker   planes -> slice labels -> 3D nuclei -> table; image and labels safely on disk, not yet visible
    commit     daemon   table -> tracks; rows, tracks and "done" in one transaction
    publish    daemon   the labels become visible
    paint      worker   final track ids as labels, once they cannot change any more
    finish     daemon   nothing more will come: all tracks become final, are painted, and the acquisition is complete

A process that is killed between two steps, or within one, loses nothing and doubles nothing: what is not committed is
done again and gives the same, and what is committed but not yet visible or painted is made so (`queue_loop`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from daemon import logs
from daemon.processing.messages import Analysed, PaintTask
from daemon.processing.recipe import Recipe, Request, choose_channel, refuse_unmeasurable
from daemon.processing.stopwatch import Stopwatch
from nuset_engine.measure import measure
from nuset_engine.planes.quality import WatchedPlanes
from nuset_engine.reconstruction.volume import reconstruct
from storage import naming
from storage.database.replay import replay, replay_all
from storage.found import Found
from storage.omezarr import places
from storage.omezarr.image_store import ImageStore, sweep_unfinished
from storage.readers.names import experiment
from storage.readers.plane_cache import keep
from tracking.errors import TrackerStateError
from tracking.tracker import Tracker

if TYPE_CHECKING:
    from storage.acquisition import Acquisition
    from storage.database.catalog import Catalog
    from storage.database.taken_files import Source
    from storage.schema.rows import AcquisitionRow, TimepointJob


def admit(
    catalog: Catalog,
    image: Acquisition | Found,
    recipe: Recipe,
    output: naming.Place,
    sources: Sequence[Source] = (),
) -> AcquisitionRow:
    """Make a finished image known and queue those of its time points that are new or changed.

    Parameters
    ----------
    image : Found or Acquisition
        As it was found; an acquisition is looked at now.
    sources : sequence of Source, optional
        The files, noted as taken in the same transaction.

    Raises
    ------
    DaemonError, StorageError
        When the image cannot be processed as it is; the message says what to do.
    """
    found = image if isinstance(image, Found) else Found.of(image)
    acquisition = found.description
    refuse_unmeasurable(acquisition)
    channel = choose_channel(acquisition, recipe.nuclear_channel)
    row = catalog.register(
        acquisition,
        zarr_path=naming.zarr_path(output, acquisition.name, experiment(acquisition)),
        model_name=recipe.model.model_name,
        model_sha256=recipe.model.model_sha256,
        params=recipe.params(channel),
    )
    # The catalog counts time points from the number that was the first when it met the series.
    shift = (acquisition.first_number or 0) - (row.first_number or 0)
    catalog.add_timepoints(
        row.id,
        {t + shift: fingerprint for t, fingerprint in found.fingerprints.items()},
        {t + shift: acquisition.file_of(t) for t in found.fingerprints},
        sources,
        {t + shift: fingerprint for t, fingerprint in found.former.items()},
    )
    return row


def analyse(
    acquisition: Acquisition, row: AcquisitionRow, t: int, segmenter: Any, progress: Callable[[int], None]
) -> Analysed:
    """Find and measure the nuclei of one time point, and bring its image and labels safely to disk.

    Parameters
    ----------
    acquisition : Acquisition
        What holds the time point, opened anew from `row`.
    segmenter : Segmenter
        Yields the labels of each slice, (Y, X) int32.
    progress : callable
        Told the number of slices done.
    """
    request, watch = Request.of(row), Stopwatch()
    channels = keep(acquisition, t)
    planes = WatchedPlanes(channels[request.nuclear_channel])
    slices = segmenter.segment_stack(planes, progress=progress)
    with watch.lap("join_s"):
        volume = reconstruct(
            watch.timed("segment_s", slices),
            row.voxel_size_um,
            request.volume,
            planes=channels[request.nuclear_channel],
        )
    with watch.lap("measure_s"):
        nuclei = measure(volume, channels, request.nuclear_channel, row.voxel_size_um, t)
    with watch.lap("write_s"):
        store = ImageStore.create(str(row.zarr_path), acquisition, request.ome_zarr_version, request.image)
        store.write_timepoint(t, list(channels.values()), volume.labels)
    quality = planes.quality
    signal = quality.signal(nuclei.table["intensity_mean"].to_numpy())
    facts = {"blank_slices": list(quality.blank_slices), "background": quality.background, "signal": signal}
    return Analysed(nuclei, watch.seconds, facts)


def commit(catalog: Catalog, job: TimepointJob, analysed: Analysed) -> bool:
    """Link the nuclei to the tracks and make the time point done; False when its source changed meanwhile."""
    watch, params = Stopwatch(), Request.of(job.acquisition).tracking
    with watch.lap("track_s"):
        tracker = None if job.needs_replay else _tracker(catalog, job.acquisition)
        if tracker is None:
            job = replace(job, needs_replay=True)
            update, state = replay(catalog, job, analysed.nuclei, params)
        else:
            update, state = tracker.advance(analysed.nuclei), tracker.state()
    timings = {**analysed.timings, **watch.seconds}
    return catalog.commit_timepoint(job, analysed.nuclei, update, state, timings, analysed.quality)


def publish(catalog: Catalog, row: AcquisitionRow, t: int) -> None:
    """Let readers of the OME-Zarr see a committed time point."""
    ImageStore.open(str(row.zarr_path)).publish(t)
    catalog.mark_published(row.id, t)


def sweep(row: AcquisitionRow) -> None:
    """Remove what an interrupted writer left in an acquisition's OME-Zarr, and stores that it had not finished."""
    place = naming.as_place(str(row.zarr_path))
    sweep_unfinished(naming.parent(place))
    if places.exists(place):
        ImageStore.open(place).sweep()


def paint(task: PaintTask) -> None:
    """Write the final track ids of one time point as labels, and let readers see them."""
    store = ImageStore.open(task.zarr_path)
    store.write_tracks(task.t, task.track_of)
    store.publish_tracks(task.t)


def finish(catalog: Catalog, row: AcquisitionRow) -> None:
    """Nothing more will come of this acquisition: all of its tracks become final."""
    tracker = _tracker(catalog, row)
    if tracker is None:
        update, state = replay_all(catalog, row.id, Request.of(row).tracking)
    else:
        update, state = tracker.finish(), tracker.state()
    catalog.finalise_tracks(row.id, update, state, anew=tracker is None)


def _tracker(catalog: Catalog, row: AcquisitionRow) -> Tracker | None:
    """The tracker as it was after the last commit; None where its state cannot be read, as after an upgrade.

    The tracks are then made anew from the stored nuclei.
    """
    params, saved = Request.of(row).tracking, catalog.tracker_state(row.id)
    if saved is None:
        return Tracker(params)
    try:
        return Tracker.from_state(saved, params)
    except TrackerStateError as error:
        logs.warning("tracks made anew", acquisition=row.name, reason=error)
        return None
