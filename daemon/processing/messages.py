"""What the daemon and its worker say to each other through the pipe; nothing of it is ever kept on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nuset_engine.channels.choice import ChannelTrial
from nuset_engine.nuclei import Nuclei
from nuset_engine.runtime.names import AUTO
from storage.database.corrections.amendment import Amendment
from storage.database.renewal.replayed import Replayed
from storage.omezarr.ownership import Owner
from storage.schema.rows import AcquisitionRow
from storage.version import nusetd_version

if TYPE_CHECKING:
    from storage.database.track_measures import Measures
    from tracking.tracker import TrackUpdate


@dataclass(frozen=True)
class Graphics:
    """Which graphics card a worker uses.

    Attributes
    ----------
    visible : str or None
        What it is to see of them, as ``CUDA_VISIBLE_DEVICES`` says it: empty for none; None: whatever there is.
    memory_gb : float or None
        At most so much of its memory; None: what it comes to need.
    """

    visible: str | None = None
    memory_gb: float | None = None


@dataclass(frozen=True)
class EngineSetup:
    """To the worker, first: which engine to load, and the version of the program that it is to be a part of.

    With `later` it is loaded when a task needs it, and the worker's `Ready` names no model. One that `yields` lets
    whoever works on live images have the cores first.
    """

    factory: str
    weights: str
    threads: int | None
    runtime: str = AUTO
    graphics: Graphics = field(default_factory=Graphics)
    later: bool = False
    yields: bool = False
    version: str = field(default_factory=nusetd_version)


@dataclass(frozen=True)
class AnalyseTask:
    """To the worker: segment, join, measure and write the labels of one time point with this fingerprint.

    Attributes
    ----------
    owner : Owner or None
        Whose store it writes to.
    store_made : bool
        Results are in that store already: it has to be there.
    frugal : bool
        With as little memory as can be, however long it takes.
    lease : str
        Of the claim that it is done for: what is made under a name of its own has this in it.
    """

    acquisition: AcquisitionRow
    t: int
    fingerprint: str | None = None
    owner: Owner | None = None
    store_made: bool = False
    frugal: bool = False
    lease: str = ""


@dataclass(frozen=True)
class ChooseTask:
    """To the worker: look which channel shows nuclei, at one time point with this fingerprint.

    `frugal` is as in `AnalyseTask`.
    """

    acquisition: AcquisitionRow
    t: int
    fingerprint: str | None = None
    frugal: bool = False


@dataclass(frozen=True)
class PaintTask:
    """To the worker: paint the final track ids of one time point; `track_of` maps label to track id."""

    zarr_path: str
    t: int
    track_of: Mapping[int, int]
    owner: Owner | None = None


@dataclass(frozen=True)
class TrackTask:
    """To the worker: link a time point to the tracks before it; without `nuclei`, make all tracks final.

    Attributes
    ----------
    acquisition : AcquisitionRow
    database : str
        Where the tracker's state is read, unless the worker still has the tracker.
    before, after : int or None
        Names of the tracker's state before and after this step, given by the daemon; None: it is only in the database.
    nuclei : Nuclei or None
    """

    acquisition: AcquisitionRow
    database: str
    before: int | None
    after: int
    nuclei: Nuclei | None = None


@dataclass(frozen=True)
class ReplayTask:
    """To the worker: make the tracks of an acquisition anew, from what the database holds of it."""

    acquisition: AcquisitionRow
    database: str


@dataclass(frozen=True)
class CorrectTask:
    """To the worker: bring the labels of an acquisition to what people said of them, beside its store.

    With `plain`, to what they are without, because its tracks are made anew.
    """

    acquisition: AcquisitionRow
    database: str
    owner: Owner | None = None
    plain: bool = False


@dataclass(frozen=True)
class Ready:
    """From the worker: the engine is loaded."""

    model_name: str
    model_sha256: str


@dataclass(frozen=True)
class CannotServe:
    """From the worker: it can do no task, the next one neither: no engine, or not the program that started it."""

    reason: str


@dataclass(frozen=True)
class Progress:
    """From the worker: a sign of life, `done` of `total` slices."""

    done: int
    total: int


@dataclass(frozen=True)
class StoreMade:
    """From the worker: the store that its task is for is there, and others may write into it too."""


@dataclass(frozen=True)
class Analysed:
    """From the worker: the labels are safely on disk, and these are the nuclei; seconds per step in `timings`.

    `quality` has what is stored of the stack's own quality: `blank_slices`, `background`, `signal`.
    """

    nuclei: Nuclei
    timings: dict[str, float]
    quality: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tracked:
    """From the worker: what the tracker says now, its state as it is to be stored, measures of tracks that are final.

    There are no measures where rows are corrected: they are taken when these are plain.

    `after` is the name that the task gave to this state.
    """

    update: TrackUpdate
    state: bytes
    measures: Measures | None
    after: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Chosen:
    """From the worker: what a trial of the engine on each channel came to."""

    trial: ChannelTrial


@dataclass(frozen=True)
class Painted:
    """From the worker: the track ids are safely on disk, and not shown yet."""


class Cause(Enum):
    """What a failure is about, and so what follows from it."""

    INPUT = "The image itself: it is set aside at once."
    PASSING = "Something that may pass, such as a share that does not answer: a few attempts with growing pauses."
    MEMORY = "The memory did not suffice: once more with a new worker, then it is set aside."
    GONE = "The source is not there: once more; while its watched folder is offline, until it is back."
    CHANGED = "The source changed while it was read: again, when it has been looked at anew."
    TRACKER = "The stored state of the tracker cannot be read: its acquisition is tracked anew, then once more."
    LOST = "Its OME-Zarr is gone: it is made anew, with all time points that were in it."
    TAKEN = "In the place of its OME-Zarr lies somebody else's: it is made under the next free name."
    DAMAGED = "Its OME-Zarr cannot be read as one: once more, then it is made anew under the next free name."
    STORE = "Its OME-Zarr cannot be written now: its acquisition waits, and the others go on."
    KILLED = (
        "The worker was killed over it, by the system for memory or by a person: after growing pauses, in the end "
        "alone and with less memory, then it is set aside."
    )
    CRASH = "The worker died over it: once more, then it is set aside."
    MACHINE = (
        "The results cannot be written, such as on a full disk: nothing is wrong with the image, so until it works."
    )


STORE_CAUSES = frozenset({Cause.LOST, Cause.TAKEN, Cause.DAMAGED, Cause.STORE})
"""What concerns the store of one acquisition, and no other one."""


@dataclass(frozen=True)
class Failed:
    """The task could not be done, says who was at it.

    `files` are those of the image, where they have to be seen anew.
    """

    reason: str
    cause: Cause
    files: tuple[Path, ...] = ()


def fault_of_ours(error: BaseException) -> Failed:
    """What is said of a step that a fault in this program stopped: it is for a person to look at."""
    cause = Cause.MEMORY if isinstance(error, MemoryError) else Cause.INPUT
    return Failed(f"A fault in nusetd stopped it ({error!r}): see the log, and report it.", cause)


Task = ChooseTask | AnalyseTask | TrackTask | ReplayTask | PaintTask | CorrectTask
Result = Chosen | Analysed | Tracked | Replayed | Painted | Amendment | Failed
Message = Ready | CannotServe | Progress | StoreMade | Result
