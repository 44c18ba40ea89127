"""The whole flow on one page: file -> Acquisition -> labels -> Nuclei -> tracks -> OME-Zarr and database.

`nusetd run` and `nusetd process` go through the steps of `FLOW`. The queue loop (`daemon.processing.queue_loop`)
executes this table and adds no order of its own: it reads it from its end, so that what is nearest to its end goes
first, and gives a worker whatever is due. Many time points may be under way at once; they are analysed in any order and
committed in the order of t in each acquisition.

A process that is killed between two steps, or within one, loses nothing and doubles nothing: what is not committed is
done again and gives the same, and what is committed but not yet visible or painted is made so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from daemon.processing.channels.looking import try_acquisition
from daemon.processing.engine_factory import StackSegmenter
from daemon.processing.messages import (
    Analysed,
    AnalyseTask,
    Cause,
    Chosen,
    CorrectTask,
    PaintTask,
    ReplayTask,
    Tracked,
    TrackTask,
)
from daemon.processing.recipe import Recipe, StoredRecipe, channel_by_word, refuse_unmeasurable, say_doubts
from daemon.processing.stopwatch import Stopwatch
from daemon.processing.threads.handed_on import handed_on
from daemon.processing.threads.image_beside import image_beside
from daemon.processing.tracker_cache import TrackerCache
from nuset_engine.measure import measure
from nuset_engine.planes.quality import WatchedPlanes
from nuset_engine.reconstruction.volume import reconstruct
from storage import naming
from storage.found import Found
from storage.given_facts import GivenFacts
from storage.omezarr import places, references
from storage.omezarr.image_store import ImageStore, sweep_unfinished
from storage.readers.names import experiment
from storage.readers.plane_cache import keep

if TYPE_CHECKING:
    from daemon.processing.corrections.network import SegmenterWith
    from storage.acquisition import Acquisition
    from storage.database.catalog import Catalog
    from storage.database.corrections.amendment import Amendment
    from storage.database.renewal.replayed import Replayed
    from storage.database.sources.taken_files import Source
    from storage.description import Description
    from storage.omezarr.ownership import Owner
    from storage.schema.rows import AcquisitionRow, AnalysedTimepoint, ChannelFact


class Stage(Enum):
    """How far a time point, and in the end its acquisition, has come."""

    LANDED = "Its file is on disk, and not known to be whole."
    ADMITTED = "It waits in the database's queue."
    CHOSEN = "It is known which of its channels shows nuclei, or that this time point does not tell."
    ANALYSED = "Its labels are on disk, its nuclei are known; its turn may have to come."
    TRACKED = "Its nuclei are linked to those before it."
    REPLAYED = "All tracks of its acquisition are made anew with it."
    STAGED = "The new tracks lie aside in the database."
    COMMITTED = "Its rows, its tracks and `done` are in the database."
    PUBLISHED = "Its labels are visible."
    FINAL = "Its tracks cannot change any more."
    PAINTED = "Its tracks are visible as labels."
    CORRECTED = "Labels as people say they are wait beside its store; rows and tracks are to follow."
    COMPLETE = "So it is with all of its acquisition, and nothing more is expected."
    SET_ASIDE = "A person has to look: its error says why and what to do."


class Runner(Enum):
    """Who runs a step."""

    WATCHER = "watching"  # daemon.watching, or `nusetd process`
    WORKER = "worker"  # a process of its own: takes as long as it takes
    LOOP = "loop"  # the daemon's main loop: takes a moment
    THREAD = "thread"  # one transaction beside the main loop, which turns meanwhile
    PERSON = "person"


@dataclass(frozen=True)
class Step:
    """One transition: what is done, by whom, and where it goes when it fails.

    Attributes
    ----------
    fails : mapping
        Where each cause of a failure leads; once its attempts are used up (`RetryPolicy`), it leads to `SET_ASIDE`.
    when_stopping : bool
        Begun also while the service stops.
    """

    name: str
    takes: Stage
    gives: Stage
    by: Runner
    does: str
    fails: Mapping[Cause, Stage] = field(default_factory=dict)
    when_stopping: bool = False

    def gives_up_at_once(self, cause: Cause) -> bool:
        """Say whether a failure for this cause is for a person to look at, without another attempt."""
        return self.fails.get(cause) is Stage.SET_ASIDE


def _back_to(stage: Stage, *causes: Cause, **others: Stage) -> dict[Cause, Stage]:
    return dict.fromkeys(causes, stage) | {Cause[name]: where for name, where in others.items()}


_S, _C = Stage, Cause
_REMADE = (Cause.LOST, Cause.TAKEN, Cause.DAMAGED)  # the store is made anew, and all that was in it
_DEATH = (Cause.CRASH, Cause.KILLED)
_STORE = (*_REMADE, Cause.STORE)

FLOW: tuple[Step, ...] = (
    Step("admit", _S.LANDED, _S.ADMITTED, Runner.WATCHER, "a whole file becomes an acquisition with time points",
         _back_to(_S.LANDED, _C.PASSING, _C.GONE, INPUT=_S.SET_ASIDE)),
    Step("choose channel", _S.ADMITTED, _S.CHOSEN, Runner.WORKER, "where nobody says it: a small trial on each channel",
         _back_to(_S.ADMITTED, _C.PASSING, _C.GONE, _C.CHANGED, _C.MEMORY, *_DEATH, _C.MACHINE, INPUT=_S.SET_ASIDE)),
    Step("analyse", _S.CHOSEN, _S.ANALYSED, Runner.WORKER, "planes -> slice labels -> 3D labels on disk, a table",
         _back_to(_S.ADMITTED, _C.PASSING, _C.GONE, _C.CHANGED, _C.MEMORY, *_DEATH, _C.MACHINE, *_STORE,
                  INPUT=_S.SET_ASIDE)),
    Step("replay", _S.ANALYSED, _S.REPLAYED, Runner.WORKER, "late or changed ones: all tracks anew, once for all",
         _back_to(_S.ANALYSED, _C.MEMORY, *_DEATH, _C.MACHINE, INPUT=_S.SET_ASIDE)),
    Step("stage", _S.REPLAYED, _S.STAGED, Runner.LOOP, "the new tracks are written aside, some at a time",
         _back_to(_S.ANALYSED, INPUT=_S.SET_ASIDE), when_stopping=True),
    Step("make current", _S.STAGED, _S.COMMITTED, Runner.THREAD, "new tracks and rows take the place of the old ones",
         _back_to(_S.ANALYSED, _C.CHANGED, INPUT=_S.SET_ASIDE), when_stopping=True),
    Step("track", _S.ANALYSED, _S.TRACKED, Runner.WORKER, "the next one in order: nuclei -> track ids",
         _back_to(_S.ADMITTED, _C.MEMORY, *_DEATH, MACHINE=_S.ANALYSED, TRACKER=_S.ANALYSED, INPUT=_S.SET_ASIDE),
         when_stopping=True),
    Step("commit", _S.TRACKED, _S.COMMITTED, Runner.LOOP, "rows, tracks and `done`, in one transaction",
         _back_to(_S.ADMITTED, _C.CHANGED, _C.MEMORY, INPUT=_S.SET_ASIDE), when_stopping=True),
    Step("commit corrected", _S.TRACKED, _S.COMMITTED, Runner.THREAD, "the same, where people said what is before it",
         _back_to(_S.ADMITTED, _C.CHANGED, _C.MEMORY, INPUT=_S.SET_ASIDE), when_stopping=True),
    Step("publish", _S.COMMITTED, _S.PUBLISHED, Runner.LOOP, "the labels become visible",
         _back_to(_S.COMMITTED, _C.MACHINE, _C.STORE, _C.INPUT) | _back_to(_S.ADMITTED, *_REMADE), when_stopping=True),
    Step("finish", _S.PUBLISHED, _S.FINAL, Runner.WORKER, "nothing more will come: the last tracks become final",
         _back_to(_S.PUBLISHED, _C.MEMORY, *_DEATH, _C.MACHINE, _C.INPUT, _C.TRACKER)),
    Step("paint", _S.FINAL, _S.PAINTED, Runner.WORKER, "final track ids as labels",
         _back_to(_S.FINAL, _C.MEMORY, *_DEATH, _C.MACHINE, _C.INPUT, _C.PASSING, _C.GONE, _C.STORE)
         | _back_to(_S.ADMITTED, *_REMADE), when_stopping=True),
    Step("complete", _S.PAINTED, _S.COMPLETE, Runner.LOOP, "the acquisition is complete, or partial",
         _back_to(_S.PAINTED, _C.INPUT)),
    Step("correct", _S.COMPLETE, _S.CORRECTED, Runner.WORKER, "what people said, on plain labels, beside the store",
         _back_to(_S.COMPLETE, _C.MEMORY, *_DEATH, _C.MACHINE, _C.INPUT, _C.PASSING, _C.GONE, _C.STORE)
         | _back_to(_S.ADMITTED, *_REMADE)),
    Step("amend", _S.CORRECTED, _S.COMMITTED, Runner.THREAD, "rows and tracks follow, in one transaction",
         _back_to(_S.COMPLETE, _C.CHANGED, _C.INPUT), when_stopping=True),
    Step("correct links", _S.COMPLETE, _S.COMMITTED, Runner.THREAD, "what people said of links alone: no labels change",
         _back_to(_S.COMPLETE, _C.CHANGED, _C.MEMORY, _C.MACHINE, _C.INPUT, _C.STORE) | _back_to(_S.ADMITTED, *_REMADE),
         when_stopping=True),
    Step("reopen", _S.COMPLETE, _S.ADMITTED, Runner.WATCHER, "more of it came, or a source changed"),
    Step("retry", _S.SET_ASIDE, _S.ADMITTED, Runner.PERSON, "`nusetd retry`, or a changed source"),
)  # fmt: skip


def admit(
    catalog: Catalog,
    image: Acquisition | Found,
    recipe: Recipe,
    output: naming.Place,
    sources: Sequence[Source] = (),
    called: Callable[[str], str] = str,
    given: GivenFacts | None = None,
    replaces: int | None = None,
) -> AcquisitionRow:
    """Make a finished image known and queue those of its time points that are new or changed.

    Parameters
    ----------
    image : Found or Acquisition
        As it was found; an acquisition is looked at now.
    sources : sequence of Source, optional
        The files, noted as taken in the same transaction.
    called : callable
        Makes the acquisition's name of what its file calls it, as `naming.acquisition_name` does.
    given : GivenFacts, optional
        What a person said of this source alone.
    replaces : int, optional
        The acquisition that its source was taken for before; nobody works on it any more.

    Raises
    ------
    DaemonError, StorageError
        When the image cannot be processed as it is; the message says what to do.
    """
    found = image if isinstance(image, Found) else Found.of(image)
    bundle = experiment(found.description)
    said = found.description
    acquisition = replace(said, name=called(said.name), remarks=(*said.remarks, *said.lacking))
    refuse_unmeasurable(acquisition)
    channel = _known_channel(catalog, acquisition, recipe)
    row = catalog.register(
        acquisition,
        zarr_path=naming.zarr_path(output, acquisition.name, None if bundle is None else called(bundle)),
        model_name=recipe.model.model_name,
        model_sha256=recipe.model.model_sha256,
        params=recipe.params(channel.channel),
        given=given,
        replaces=replaces,
        channel=channel,
    )
    say_doubts(catalog, row, acquisition, recipe)
    # The catalog counts time points from the number that was the first when it met the series.
    shift = acquisition.shift_from(row.first_number)
    catalog.add_timepoints(
        row.id,
        {t + shift: fingerprint for t, fingerprint in found.fingerprints.items()},
        {t + shift: acquisition.file_of(t) for t in found.fingerprints},
        sources,
        {t + shift: fingerprint for t, fingerprint in found.former.items()},
        recipe.archive,
    )
    stages_um = found.description.stages(found.fingerprints)
    catalog.sources.note_stages(row.id, {t + shift: place for t, place in stages_um.items()})
    return row


def former(catalog: Catalog, found: Found, recipe: Recipe, any_channel: bool = True) -> int | None:
    """Return the acquisition that an image was taken for before, with other facts; see `SourceBook.to_replace`."""
    params = recipe.params(_known_channel(catalog, found.description, recipe).channel)
    return catalog.sources.to_replace(found.description, recipe.model.model_sha256, params, any_channel)


def _known_channel(catalog: Catalog, acquisition: Description, recipe: Recipe) -> ChannelFact:
    """Return which channel shows nuclei by what a person or the file says, or what was found before."""
    channel = channel_by_word(acquisition, recipe.nuclear_channel)
    if channel.channel is not None:
        return channel
    return catalog.channels.known(acquisition, recipe.model.model_sha256, recipe.params(None)) or channel


def choose_channel(
    acquisition: Acquisition, t: int, segmenter: StackSegmenter, progress: Callable[[int, int], None]
) -> Chosen:
    """Try the engine on a part of each channel of one time point; `progress` is told of the channels."""
    return Chosen(try_acquisition(acquisition, t, segmenter, progress))


def analyse(
    acquisition: Acquisition,
    task: AnalyseTask,
    segmenter: StackSegmenter,
    progress: Callable[[int], None],
    store_made: Callable[[], None] = lambda: None,
) -> Analysed:
    """Find and measure the nuclei of one time point, and bring its image and labels safely to disk.

    Parameters
    ----------
    acquisition : Acquisition
        What holds the time point, opened anew from the task's row.
    segmenter : StackSegmenter
        Yields the labels of each slice, (Y, X) int32.
    progress : callable
        Told the number of slices done.
    store_made : callable
        Told when the store is there.
    """
    row, t = task.acquisition, task.t
    request, watch = StoredRecipe.of(row), Stopwatch()
    channels, timed = keep(acquisition, t), replace(acquisition, frame_interval_s=row.seconds_per_t)
    stack, place = list(channels.values()), str(row.zarr_path)
    with watch.lap("write_s"):  # first of all: a place that is taken is better known now
        image = request.image
        if image == "reference" and not references.is_possible(acquisition, naming.as_place(place)):
            image = "copy"
        form = (request.ome_zarr_version, image, task.owner, task.store_made, stack, row.reading)
        writing = ImageStore.create(place, timed, *form, task.lease).timepoint(t, stack)
    store_made()
    planes = WatchedPlanes(nuclear := stack[request.nuclear_channel])
    slices = watch.timed("segment_s", segmenter.segment_stack(planes, progress=progress))
    join = partial(reconstruct, voxel_size_um=row.voxel_size_um, params=request.volume, planes=nuclear)
    with image_beside(writing, at_once=not task.frugal) as image_is_written:
        with watch.lap("join_s"):
            volume = join(slices) if task.frugal else handed_on(slices, join)
        with watch.lap("measure_s"):
            nuclei = measure(volume, channels, request.nuclear_channel, row.voxel_size_um, t)
        with watch.lap("write_s"):
            image_is_written()
            writing.end(volume.labels)
    quality, brightness = planes.quality, nuclei.table["intensity_mean"].to_numpy()
    facts = {"blank_slices": list(quality.blank_slices), "background": quality.background}
    return Analysed(nuclei, watch.seconds, {**facts, "signal": quality.signal(brightness)})


def track(task: TrackTask, trackers: TrackerCache) -> Tracked:
    """Link the nuclei of the next time point to the tracks before it; at the end of all, make the last tracks final.

    Raises
    ------
    TrackerStateError
        When the tracker's stored state cannot be read: the tracks are to be made anew.
    """
    from storage.database.corrections.around_step import first_free_id
    from storage.database.records import track_record
    from storage.database.track_measures import measured, scale_of
    from storage.query.snapshots import snapshot

    began, number = time.perf_counter(), task.acquisition.id
    with snapshot(task.database) as connection:  # the worker reads the database, and never writes it
        tracker = trackers.take(task, connection, scale_of(connection, number).step)
        free = first_free_id(connection, number)
        tracker.reserve(free or 0)
        update = tracker.finish() if task.nuclei is None else tracker.advance(task.nuclei)
        records = [track_record(number, track) for track in update.tracks]
        measures = None if free is not None else measured(connection, number, records, update, task.nuclei)
    trackers.keep(task, tracker)
    return Tracked(update, tracker.state(), measures, task.after, time.perf_counter() - began)


def replay(task: ReplayTask, progress: Callable[[int, int], None]) -> Replayed:
    """Make all tracks anew, with the time points that came late or changed in their places."""
    from storage.database.renewal import replay
    from storage.query.snapshots import snapshot

    params = StoredRecipe.of(task.acquisition).tracking
    with snapshot(task.database) as connection:
        return replay.replay(connection, task.acquisition.id, params, progress)


def correct(
    task: CorrectTask,
    progress: Callable[[int, int], None],
    segmenter: SegmenterWith | None = None,
) -> Amendment:
    """Write labels as people say they are beside the store; return what follows for rows."""
    from daemon.processing.corrections.network import Landscapes
    from storage.corrections.making import make
    from storage.query.snapshots import snapshot

    memory = StoredRecipe.of(task.acquisition).tracking.memory_frames
    draws = Landscapes(task.acquisition, segmenter)
    with snapshot(task.database) as connection:
        return make(connection, task.acquisition, task.owner, memory, progress, task.plain, draws)


def commit(catalog: Catalog, found: AnalysedTimepoint, tracked: Tracked) -> bool:
    """Make the time point done, with rows and tracks; False when its source changed meanwhile."""
    timings = {**found.timings, "track_s": tracked.seconds}
    return catalog.commit_timepoint(
        found.job, found.nuclei, tracked.update, tracked.state, timings, found.quality, tracked.measures
    )


def publish(catalog: Catalog, row: AcquisitionRow, t: int) -> None:
    """Let readers of the OME-Zarr see a committed time point, on a scale of time as it is known by now."""
    store = ImageStore.open(str(row.zarr_path), catalog.stores.owner(row))
    store.keep_interval(catalog.acquisition(row.id).seconds_per_t)
    store.publish(t)
    catalog.mark_published(row.id, t)


def sweep(row: AcquisitionRow, owner: Owner, t: int | None = None, lease: str = "") -> None:
    """Remove what an interrupted writer left in an OME-Zarr, and stores that it had not finished.

    With `t`, what it left of this time point, and of a store that was made under this lease: others go on beside it.
    """
    place = naming.as_place(str(row.zarr_path))
    if t is None:
        sweep_unfinished(naming.parent(place), owner.database)
    places.remove_unfinished(place, owner.database, lease)
    if places.exists(place):
        store = ImageStore.open(place)
        if store.owner in (None, owner):  # another one's is none of our business
            _ = store.sweep() if t is None else store.sweep_timepoint(t)


def paint(task: PaintTask) -> None:
    """Write the final track ids of one time point as labels, where readers do not see them yet."""
    store = ImageStore.open(task.zarr_path)
    store.refuse_others(task.owner)
    store.write_tracks(task.t, task.track_of)


def show_tracks(catalog: Catalog, row: AcquisitionRow, t: int) -> None:
    """Let readers of the OME-Zarr see painted track ids, on a scale of time as it is known by now."""
    store = ImageStore.open(str(row.zarr_path), catalog.stores.owner(row))
    store.keep_interval(row.seconds_per_t)
    store.publish_tracks(t)
    catalog.mark_painted(row.id, t)
