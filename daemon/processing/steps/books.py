"""What the queue loop knows besides the database: work under way, what is pending, what ended, what waits."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from daemon import logs
from daemon.processing.messages import STORE_CAUSES, Cause, Failed
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.steps.endings import Endings
from daemon.processing.steps.holds import Holds
from daemon.processing.steps.output_mounts import OutputMounts
from daemon.processing.steps.stall import Stall
from daemon.processing.steps.troubles import Trouble
from daemon.processing.workers.shares import Shares
from daemon.processing.writing import Making, Writing
from storage.errors import StaleJobError

if TYPE_CHECKING:
    from daemon.pipeline import Step
    from daemon.processing.crash_record import CrashRecord
    from daemon.processing.messages import Ready, Task, Tracked
    from daemon.processing.workers.protocol import Died
    from storage.database.catalog import Catalog
    from storage.database.corrections.amendment import Amendment
    from storage.database.renewal.replayed import Replayed
    from storage.schema.rows import AcquisitionRow, AnalysedTimepoint, TimepointJob

W = TypeVar("W")  # a piece of work


@dataclass(frozen=True)
class Seen:
    """What an observer of the queue loop is told: `what` happened to a time point (None: to the acquisition)."""

    what: str
    acquisition: AcquisitionRow
    t: int | None = None
    done: int = 0
    total: int = 0
    reason: str | None = None


class LoopHandler(Protocol[W]):
    """What the queue loop asks about a step that it runs itself."""

    def due(self) -> W | None:
        """The next piece of work; it is due until it is done."""

    def do(self, work: W) -> None:
        """Do it. When the database refuses, it is still due."""

    def fail(self, work: W, failed: Failed) -> None:
        """A fault of ours stopped it: it must cost no other acquisition. When the database refuses, it is still due."""


class ThreadHandler(Protocol[W]):
    """What the queue loop asks about a step that is a long transaction beside it."""

    def due(self) -> W | None:
        """The next piece of work."""

    def do(self, work: W) -> None:
        """The transaction; nothing of the loop's own is touched, as it turns meanwhile."""

    def over(self, work: W, error: BaseException | None) -> None:
        """The transaction ended. When the database refused, it is still due."""


class WorkerHandler(Protocol[W]):
    """What the queue loop asks about a step that a worker runs."""

    def due(self) -> W | None:
        """The next piece of work that can be given to a worker now."""

    def begin(self, work: W) -> Task | Failed:
        """What the worker is told, or why it cannot be done."""

    def end(self, work: W, result: Any) -> None:  # noqa: ANN401 - each step has a result of its own
        """The worker did it. When the database refuses, this is called again."""

    def fail(self, work: W, failed: Failed) -> None:
        """It could not be done. When the database refuses, this is called again."""

    def subject(self, work: W) -> tuple[AcquisitionRow, int | None]:
        """The acquisition and the time point, if it is about one."""


@dataclass(frozen=True)
class Left:
    """A time point that a worker was writing when it died, under which lease."""

    row: AcquisitionRow
    t: int
    lease: str
    death: Died


@dataclass
class Alone:
    """A time point that is to have the machine for itself; `begun`: a worker is at it."""

    step: str
    job: TimepointJob
    begun: bool = False


@dataclass
class Pending:
    """What readers of the stores are still to see, and leftovers to remove; all of it is in the database, too.

    Attributes
    ----------
    to_publish : dict
        The row of the acquisition by (acquisition id, t) of committed time points, in the order of their commits.
    to_paint : set of int
        Acquisitions that may have final tracks to paint.
    to_sweep : list of Left
        What workers left that died while they wrote.
    """

    to_publish: dict[tuple[int, int], AcquisitionRow] = field(default_factory=dict)
    to_paint: set[int] = field(default_factory=set)
    to_sweep: list[Left] = field(default_factory=list)

    def of(self, acquisition_id: int) -> bool:
        """Say whether readers of one acquisition have anything still to see."""
        return acquisition_id in self.to_paint or any(number == acquisition_id for number, _ in self.to_publish)


@dataclass
class Books:
    """Shared by the handlers of all steps.

    Attributes
    ----------
    catalog, retry_policy, crash_record
    workers : int
        How many workers there are.
    busy : int
        How many of them have a task.
    alone : Alone or None
        For whom all others have to rest.
    observer : callable
        Told what happens, for progress bars.
    reachable : callable
        Says whether a source can be there at all: False while its watched folder is offline.
    look_again : callable
        Told of files that changed while they were read.
    clock : callable
        Steady seconds.
    claimed
        Time points that are claimed and to be analysed, as soon as they can be.
    analysed, tracked
        Results in memory whose next step is due.
    replayed
        Tracks that were made anew and are not current yet.
    amendments
        What corrections change and that is not in rows yet.
    to_correct : set of int
        Acquisitions whose rows are not as people say; looked up now and then, and when `corrections_changed`.
    correcting : set of int
        Acquisitions whose corrections are on their way to rows.
    to_look_at : set of int
        Acquisitions with kept results, of which one may have its turn now.
    to_replay : set of int
        Acquisitions whose tracks are to be made anew.
    tracking : set of int
        Acquisitions whose tracks are being worked on.
    writing, making
        What workers write at this moment, and whose store is being made.
    to_mend : dict
        Acquisitions whose store is gone, or not theirs, by id: it is made anew when nobody writes there any more.
    lacked_memory : set of int
        Time points, by their row, for which the memory did not suffice beside others.
    states : dict
        Name of the tracker's committed state by acquisition.
    counts : dict
        Nuclei in the last time points that were committed, by acquisition.
    model : Ready or None
        Stays when a worker dies: its successor loads the same.
    """

    catalog: Catalog
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    workers: int = 1
    observer: Callable[[Seen], None] = lambda seen: None
    reachable: Callable[[Path], bool] = lambda source: True
    look_again: Callable[[Iterable[Path]], None] = lambda files: None
    clock: Callable[[], float] = time.monotonic
    crash_record: CrashRecord | None = None
    room: Callable[[], int | None] = lambda: None
    busy: int = 0
    alone: Alone | None = None
    pending: Pending = field(default_factory=Pending)
    endings: Endings = field(default_factory=Endings)
    claimed: deque[TimepointJob] = field(default_factory=deque)
    analysed: deque[AnalysedTimepoint] = field(default_factory=deque)
    tracked: deque[tuple[AnalysedTimepoint, Tracked]] = field(default_factory=deque)
    replayed: deque[tuple[AcquisitionRow, Replayed]] = field(default_factory=deque)
    amendments: deque[tuple[AcquisitionRow, Amendment]] = field(default_factory=deque)
    to_correct: set[int] = field(default_factory=set)
    corrections_changed: bool = False
    correcting: set[int] = field(default_factory=set)
    to_look_at: set[int] = field(default_factory=set)
    to_replay: set[int] = field(default_factory=set)
    tracking: set[int] = field(default_factory=set)
    writing: Writing = field(default_factory=Writing)
    making: Making = field(default_factory=Making)
    to_mend: dict[int, tuple[AcquisitionRow, Failed]] = field(default_factory=dict)
    lacked_memory: set[int] = field(default_factory=set)
    states: dict[int, int] = field(default_factory=dict)
    counts: dict[int, deque[int]] = field(default_factory=dict)
    model: Ready | None = None
    crashes: Counter[tuple[str, int]] = field(default_factory=Counter)
    kills: Counter[int] = field(default_factory=Counter)  # of workers, in a row, by the row of the time point
    renewals: Counter[int] = field(default_factory=Counter)
    numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def __post_init__(self) -> None:
        """Nothing is stalled in the beginning."""
        self.stall = Stall(self.retry_policy, self.clock, self.room)
        self.holds, self.shares = Holds(self.clock), Shares(self.clock)
        self.output_mounts = OutputMounts(self.catalog)

    def tell(
        self, what: str, row: AcquisitionRow, t: int | None = None, done: int = 0, total: int = 0, reason: str = ""
    ) -> None:
        """Tell the observer."""
        self.observer(Seen(what, row, t, done, total, reason or None))

    def settled(self, acquisition_id: int) -> None:
        """A time point of an acquisition came further, or was set aside: others may have their turn now."""
        self.to_look_at.add(acquisition_id)
        self.endings.changed(acquisition_id)

    def idle(self) -> None:
        """Nothing is due although nothing is held back: what there was trouble with is not wanted any more."""
        if not self.stall.lasts:
            self.stall.over()
        self.holds.clear_idle()

    def troubles(self) -> list[Trouble]:
        """What keeps results from being stored or shown now."""
        found = [] if self.stall.reason is None else [Trouble("results", self.stall.reason)]
        return found + [Trouble(hold.name, hold.reason) for hold in self.holds]

    def waiting(self) -> set[int]:
        """Acquisitions of which nothing is to be begun now: their stores cannot be used yet, or are being corrected."""
        dying = {left.row.id for left in self.pending.to_sweep}
        return self.holds.lasting() | self.to_mend.keys() | dying | self.correcting

    def forget(self, acquisition_id: int) -> None:
        """The results of an acquisition that are in memory count no longer: its store is made anew, or it is aside."""
        for number, t in [key for key in self.pending.to_publish if key[0] == acquisition_id]:
            del self.pending.to_publish[number, t]
        for found in [found for found in self.analysed if found.job.acquisition_id == acquisition_id]:
            self.analysed.remove(found)
        for job in [job for job in self.claimed if job.acquisition_id == acquisition_id]:
            self._drop(job)
        self.making.forget(acquisition_id)
        self.pending.to_paint.discard(acquisition_id)
        self.to_replay.discard(acquisition_id)
        self.states.pop(acquisition_id, None)
        self.holds.over(acquisition_id)

    def give_back(self, step: Step, job: TimepointJob, failed: Failed) -> None:
        """A time point failed: it is tried again, as its step says, or set aside."""
        if failed.cause is Cause.KILLED:
            self._give_back_killed(job, failed)
            return
        allowed = self.retry_policy.allowed(failed.cause)
        if failed.cause is Cause.GONE and not self.reachable(Path(job.acquisition.source_path)):
            allowed = None
        again = not step.gives_up_at_once(failed.cause) and (allowed is None or job.attempts < allowed)
        # The whole queue waits; another worker is started; its acquisition waits.
        at_once = failed.cause in (Cause.MACHINE, Cause.CRASH) or failed.cause in STORE_CAUSES
        if failed.cause is Cause.MEMORY:
            self.lacked_memory.add(job.id)
        pause_s = 0.0 if at_once else self.retry_policy.pause(job.attempts)
        self._hand_back(job, failed.reason, again, pause_s, counts=allowed is not None)

    def _give_back_killed(self, job: TimepointJob, failed: Failed) -> None:
        """A kill is no evidence; many of them, the last one of a worker that had all the memory for itself, are."""
        kills = self.kills[job.id] + 1
        if kills < self.retry_policy.kills:
            self._hand_back(job, failed.reason, True, self.retry_policy.pause_after_kill(kills), counts=False)
            self.kills[job.id] = kills  # now that the database has taken it: one that refuses is asked again
            return
        reason = (
            f"The program that segments was killed {kills} times over it, the last time alone and with as little "
            "memory as can be: its memory does not suffice, most likely. Give the computer more, or the service "
            "(MemoryMax), then run `nusetd retry`."
        )
        self._hand_back(job, reason, False, 0.0, counts=True)
        del self.kills[job.id]

    def is_on_trial(self, job: TimepointJob) -> bool:
        """Say whether this is the last attempt at what was killed again and again."""
        return self.kills[job.id] >= self.retry_policy.kills - 1

    def wants_all(self, job: TimepointJob) -> bool:
        """Say whether a time point is to have the machine for itself: what other workers take is no fault of its."""
        return self.workers > 1 and (self.is_on_trial(job) or job.id in self.lacked_memory)

    def may_go(self, step: str, job: TimepointJob) -> bool:
        """Say whether a time point can be begun now; one that is to be alone is, when all others rest."""
        if self.alone is not None:
            return False
        if self.wants_all(job):
            self.alone = Alone(step, job)
            return False
        return step != "analyse" or self.making.may_begin(job.acquisition)

    def take_alone(self, step: str) -> TimepointJob | None:
        """The time point that is to be alone, once nobody else is at work."""
        return self.alone.job if self.alone is not None and self.alone.step == step and not self.busy else None

    def release(self, acquisition_id: int, reason: str) -> None:
        """Give back what is claimed of an acquisition and not begun."""
        waiting = [self.alone.job] if self.alone is not None and not self.alone.begun else []
        for job in [job for job in (*self.claimed, *waiting) if job.acquisition_id == acquisition_id]:
            self._hand_back(job, reason, True, 0.0, counts=False)
            self._drop(job)

    def _drop(self, job: TimepointJob) -> None:
        self.shares.archives.discard(job.id)
        if job in self.claimed:
            self.claimed.remove(job)
        elif self.alone is not None and self.alone.job is job:
            self.alone = None

    def _hand_back(self, job: TimepointJob, reason: str, again: bool, pause_s: float, counts: bool) -> None:
        try:
            self.catalog.fail_timepoint(job, reason, retry=again, pause_s=pause_s, counts=counts)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=job.acquisition.name, t=job.source_t, reason=error)
        else:
            what = "time point is tried again" if again else "time point is set aside"
            logs.warning(what, acquisition=job.acquisition.name, t=job.source_t, attempt=job.attempts, reason=reason)
            self.tell("again" if again else "failed", job.acquisition, job.t, reason=reason)
        self.shares.archives.discard(job.id)
        self.settled(job.acquisition_id)

    def look_over(self) -> None:
        """Find out what may go on where something came further: kept results in order, or all tracks anew."""
        busy = self.tracking | self.to_replay | {found.job.acquisition_id for found in self.analysed}
        for number in sorted(self.to_look_at - busy):
            if self.catalog.wants_replay(number):
                self.to_replay.add(number)
            elif (kept := self.catalog.next_kept(number)) is not None:
                self.analysed.append(kept)
            self.to_look_at.discard(number)

    def is_at(self, acquisition_id: int) -> bool:
        """Say whether results of an acquisition are on their way into the database."""
        analysed = {found.job.acquisition_id for found in (*self.analysed, *(found for found, _ in self.tracked))}
        renewed = {row.id for row, _ in self.replayed}
        return acquisition_id in self.tracking | analysed | renewed or self.writing.into(acquisition_id)

    def may_try_again(self, name: str, acquisition_id: int, cause: Cause) -> bool:
        """A worker died, or ran out of memory, over a step of no time point: again, then it is given up."""
        self.crashes[name, acquisition_id] += 1
        most = self.retry_policy.kills if cause is Cause.KILLED else self.retry_policy.crashes
        if self.crashes[name, acquisition_id] < most:
            return True
        del self.crashes[name, acquisition_id]
        return False


@dataclass(frozen=True)
class UnderWay:
    """What a worker is at, or did and is not collected, since when; a failure as task: it was told nothing."""

    step: Step
    handler: WorkerHandler[Any]
    work: Any
    task: Task | Failed
    since: float

    @property
    def subject(self) -> tuple[AcquisitionRow, int | None]:
        """The acquisition and the time point, if it is about one."""
        return self.handler.subject(self.work)

    @property
    def name(self) -> str:
        """For people."""
        row, t = self.subject
        return f"{row.name}: {self.step.name}" if t is None else f"{row.name} t={row.source_t(t)}"
