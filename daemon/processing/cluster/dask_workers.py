"""The workers of a Dask cluster, as the queue loop sees them, and one process here for what reads the database.

Tracks, replays and corrections are made beside the database, by a process of this machine that loads the engine only
if a correction asks for it. Everything that looks at pixels goes to the cluster.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from pathlib import Path

from daemon import logs
from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.processing.cluster import at_worker
from daemon.processing.cluster.at_worker import Introduced, Places
from daemon.processing.cluster.folder_marks import FolderMarks
from daemon.processing.cluster.watcher import Away, Members, Over, SignOfLife, Watcher
from daemon.processing.messages import CannotServe, EngineSetup, Progress, Ready, StoreMade, Task
from daemon.processing.workers.local_workers import LocalWorkers, Worker
from daemon.processing.workers.protocol import Awaited, Died, Event
from nuset_engine.runtime.names import differ_by_runtime
from storage import naming
from storage.version import nusetd_version

NEAR_STEPS = frozenset({"track", "finish", "replay", "correct"})
"""Steps of the pipeline that read the database, which workers of the cluster never do."""

_LOST_S = 30.0  # a worker that lost its scheduler has noticed by then, and stopped
_SETTLE_S = 120.0  # how long those that were there first may take to be introduced
_ASK_AGAIN_S = 30.0  # a folder may have been mounted by then, or a program installed


@dataclass(eq=False)
class ClusterWorker:
    """A worker of the cluster, for as long as it has this address.

    Attributes
    ----------
    address, host : str
    state : "starts", "serves" or "refused"
    key : str or None
        What Dask calls that which it is at: being introduced, or a task.
    task : Task or None
    spoke : float
        When it was last heard of.
    pid : int or None
        On its own machine.
    """

    address: str
    state: str = "starts"
    key: str | None = None
    task: Task | None = None
    spoke: float = 0.0
    pid: int | None = None
    host: str = ""


@dataclass(frozen=True)
class Lost(Died):
    """A worker that the cluster has lost; `until` then it may still write."""

    until: float = 0.0


@dataclass
class _Settling:
    """Those who were there first: nobody is given anything before each has said that no old task runs there."""

    waits: set[str]
    until: float
    ready: list[tuple[ClusterWorker, Ready]] = field(default_factory=list)


Heard = Iterator[tuple[ClusterWorker | Worker, Event]]


class DaskWorkers:
    """All workers of a cluster.

    Parameters
    ----------
    access : SchedulerAccess
    setup : EngineSetup
    near : LocalWorkers
        Of the one process here.
    outputs, sources : sequence of place
        What workers have to see.
    whose : str
        What the next run has in common with this one, and no other.
    silence_s : float
        A worker that is at a task and says nothing for this long is given up.
    priority : int
        Before tasks of others with a lower one: live acquisitions go before archives.
    """

    def __init__(
        self,
        access: SchedulerAccess,
        setup: EngineSetup,
        near: LocalWorkers,
        outputs: Sequence[naming.Place],
        sources: Sequence[Path],
        whose: str,
        silence_s: float,
        priority: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._setup = setup
        self._near = near
        self._marks = FolderMarks([place for place in outputs if isinstance(place, Path)], whose)
        self._sources = tuple(str(path) for path in sources)
        self._silence_s = silence_s
        self._priority = priority
        self._clock = clock
        self._topic = f"nusetd-{secrets.token_hex(6)}"
        self._watcher = Watcher(access, self._topic)
        self._members: dict[str, ClusterWorker] = {}
        self._settling: _Settling | None = None
        self._away: str | None = "is not reached yet"
        self._refusals: dict[str, str] = {}
        self._fled: str | None = None  # who left last, before it could serve
        self._told_reason: str | None = None
        self._changes = False  # other weights are being loaded
        self._model: Ready | None = None  # what the first has loaded, and all have to

    @property
    def all(self) -> Sequence[ClusterWorker | Worker]:
        """Those of the cluster; the one here does no time points."""
        return [*self._members.values()]

    @property
    def told(self) -> Sequence[Awaited]:
        """What to wait for."""
        return [self._watcher.descriptor, *self._near.told]

    @property
    def waits_for(self) -> str | None:
        """Why nobody can be given a time point."""
        if self._near.waits_for is not None:
            return self._near.waits_for
        address = self._access.address
        if self._away is not None:
            return f"the Dask scheduler {address} {self._away}"
        if any(worker.state != "refused" for worker in self._members.values()):
            return None
        if self._refusals:
            reason = next(iter(self._refusals.values())).rstrip(".")
            return f"no worker of the Dask cluster {address} can be used: {reason}"
        start = f"start one with `nusetd worker --scheduler {address}` of nusetd {nusetd_version()}"
        fled = "" if self._fled is None else f" ({self._fled} left when it was spoken to, as one without nusetd does)"
        return f"the Dask cluster {address} has no workers{fled}: {start}"

    @property
    def weights(self) -> str:
        """With which they are introduced."""
        return self._setup.weights

    def use(self, weights: str) -> None:
        """Have all of them load other weights; a worker that cannot says so to the queue loop."""
        self._setup, self._changes, self._model = replace(self._setup, weights=weights), True, None
        self._near.use(weights)
        for worker in self._members.values():
            worker.state = "starts"
            self._introduce(worker)

    def start(self) -> None:
        """Connect, once nobody else writes into the same stores; those that come are introduced as they do."""
        self._near.start()
        if self._near.waits_for is None:
            self._watcher.start()

    def idle(self) -> Sequence[ClusterWorker | Worker]:
        """Those that serve and have no task."""
        free = [one for one in self._members.values() if one.state == "serves" and one.key is None]
        return [*free, *self._near.idle()]

    def can(self, worker: ClusterWorker | Worker, step: str) -> bool:
        """Say whether a step is done where this worker is."""
        return (step in NEAR_STEPS) == isinstance(worker, Worker)

    def give(self, worker: ClusterWorker | Worker, task: Task) -> None:
        """Hand it a task."""
        if isinstance(worker, Worker):
            self._near.give(worker, task)
            return
        worker.key, worker.task, worker.spoke = self._new_key(), task, self._clock()
        self._submit(worker, worker.key, at_worker.do, self._topic, worker.key, self._setup, task)

    def hear(self, wait_s: float) -> Heard:
        """What they said, waiting at most `wait_s` for the first word."""
        wait(self.told, wait_s)
        for worker, event in self._near.hear(0.0):
            if not isinstance(event, Ready):  # it has loaded nothing yet
                yield worker, event
        for noticed in self._watcher.noticed():
            if isinstance(noticed, Members):
                yield from self._count(noticed.addresses)
            elif isinstance(noticed, Away):
                self._away = f"does not answer ({noticed.reason})"
                yield from self._lose_all_but(frozenset())
            elif isinstance(noticed, SignOfLife):
                yield from self._pass_on(noticed)
            else:
                yield from self._conclude(noticed)
        yield from self._settled()
        yield from self._silent()
        self._ask_refused()
        self._tell_reason()

    def is_gone(self, death: Died) -> bool:
        """True once a lost worker has had the time to notice that it is."""
        return self._clock() >= death.until if isinstance(death, Lost) else self._near.is_gone(death)

    def end(self, worker: ClusterWorker | Worker | None = None) -> None:
        """Take back what one is at and have it forget its engine; or let go of all."""
        if isinstance(worker, Worker):
            self._near.end(worker)
        elif worker is not None:
            self._take_back(worker)
            self._submit(worker, self._new_key(), at_worker.let_go)
            worker.state = "starts"
            self._introduce(worker)
        else:
            for one in self._members.values():
                self._take_back(one)
            self._watcher.end()
            self._marks.remove()
            self._near.end()

    # Who is there

    def _count(self, addresses: frozenset[str]) -> Heard:
        """Take note of who is there."""
        yield from self._lose_all_but(addresses)
        if self._away is not None:
            self._away = None
            safe = "certificates" if self._access.is_protected else "none"
            logs.info("Dask cluster", scheduler=self._access.address, workers=len(addresses), protection=safe)
        if self._settling is None:
            self._settling = _Settling(set(addresses), self._clock() + _SETTLE_S)
        for address in sorted(addresses - self._members.keys()):
            self._members[address] = ClusterWorker(address)
            self._introduce(self._members[address])

    def _introduce(self, worker: ClusterWorker) -> None:
        worker.key, worker.spoke = self._new_key(), self._clock()
        places = Places(self._marks.made(), self._sources)
        self._submit(worker, worker.key, at_worker.introduce, self._setup, places)

    def _came(self, worker: ClusterWorker, introduced: Introduced) -> Heard:
        self._model = self._model or introduced.ready
        if introduced.ready != self._model:
            self._refuse(worker, _stranger(introduced, self._model))
            return
        worker.state, worker.pid, worker.host = "serves", introduced.pid, introduced.host
        self._fled = None
        self._refusals.pop(worker.address, None)
        self._changes &= any(one.state == "starts" for one in self._members.values())
        if self._settling is not None and self._settling.waits - {worker.address}:
            self._settling.ready.append((worker, introduced.ready))
            worker.state = "starts"
        else:
            yield worker, introduced.ready
        self._waits_no_more(worker.address)

    def _settled(self) -> Heard:
        settling = self._settling
        if settling is None or (settling.waits and self._clock() < settling.until):
            return
        settling.waits.clear()
        for worker, ready in settling.ready:
            worker.state = "serves"
            yield worker, ready
        settling.ready.clear()

    def _waits_no_more(self, address: str) -> None:
        if self._settling is not None:
            self._settling.waits.discard(address)

    def _lose_all_but(self, addresses: frozenset[str]) -> Heard:
        for address in [address for address in self._members if address not in addresses]:
            yield from self._lose(address, "is no longer in the cluster")

    def _lose(self, address: str, how: str) -> Heard:
        """A worker is gone; that one without a task is, is ordinary."""
        worker = self._members.pop(address)
        self._refusals.pop(address, None)
        self._waits_no_more(address)
        if self._settling is not None:
            self._settling.ready = [pair for pair in self._settling.ready if pair[0] is not worker]
        logs.info("a worker left", worker=address, how=how)
        if worker.state == "starts" and self._away is None:
            self._fled = address
        if worker.task is not None:
            reason = f"The worker {address} ({worker.host}) {how}"
            yield worker, Lost(reason, killed=True, until=self._clock() + _LOST_S)

    # What they say

    def _pass_on(self, said: SignOfLife) -> Heard:
        worker = self._at(said.values.get("key"))
        if worker is None:
            return
        worker.spoke = self._clock()
        if said.values.get("made"):
            yield worker, StoreMade()
        else:
            yield worker, Progress(int(said.values["done"]), int(said.values["total"]))

    def _conclude(self, over: Over) -> Heard:
        worker = self._at(over.key)
        if worker is None:
            return  # it was given up: whatever it says changes nothing
        introduces = worker.task is None
        if over.error is not None and not introduces:
            yield from self._lose(worker.address, f"could not do it ({over.error})")
            return  # it is introduced again, if it is still there
        worker.key, worker.task = None, None
        if over.error is not None:
            self._refuse(worker, _no_answer(worker, over.error, self._access.address))
        elif isinstance(over.result, Introduced):
            yield from self._came(worker, over.result)
        elif introduces:
            self._refuse(worker, over.result.reason)
            if self._changes:
                yield worker, over.result
        elif isinstance(over.result, CannotServe):
            worker.state = "starts"
            self._introduce(worker)
        else:
            yield worker, over.result

    def _refuse(self, worker: ClusterWorker, reason: str) -> None:
        if self._refusals.get(worker.address) != reason:
            logs.warning("a worker cannot be used", worker=worker.address, reason=reason)
        worker.state = "refused"
        self._refusals[worker.address] = reason
        self._waits_no_more(worker.address)

    def _ask_refused(self) -> None:
        """Introduce those anew whose reason may have passed."""
        for worker in self._members.values():
            if worker.state == "refused" and worker.key is None and self._clock() - worker.spoke > _ASK_AGAIN_S:
                self._introduce(worker)

    def _silent(self) -> Heard:
        now = self._clock()
        for worker in list(self._members.values()):
            if worker.task is not None and now - worker.spoke > self._silence_s:
                self._take_back(worker, forget=False)
                yield from self._lose(worker.address, f"said nothing for {self._silence_s:g} s")

    # Words to them

    def _submit(self, worker: ClusterWorker, key: str, function: Callable[..., object], *arguments: object) -> None:
        self._watcher.submit(worker.address, key, self._priority, function, *arguments)

    def _take_back(self, worker: ClusterWorker, forget: bool = True) -> None:
        if worker.key is not None:
            self._watcher.take_back(worker.key)
        if forget:
            worker.key, worker.task = None, None

    def _new_key(self) -> str:
        return f"{self._topic}-{secrets.token_hex(8)}"

    def _at(self, key: object) -> ClusterWorker | None:
        return next((one for one in self._members.values() if key is not None and one.key == key), None)

    def _tell_reason(self) -> None:
        reason = self.waits_for
        if reason != self._told_reason and reason is not None:
            logs.warning("workers wait", reason=reason)
        self._told_reason = reason


def _no_answer(worker: ClusterWorker, error: str, scheduler: str) -> str:
    """Say why a worker that could not even answer is given nothing."""
    return (
        f"the worker {worker.address} could not run this program ({error}): start it with "
        f"`nusetd worker --scheduler {scheduler}` of nusetd {nusetd_version()}, the version here."
    )


def _stranger(introduced: Introduced, model: Ready) -> str:
    """Say why a worker that has loaded another network than those before it is given nothing."""
    mine, theirs = (f"{one.model_name} ({one.model_sha256[:12]})" for one in (introduced.ready, model))
    remedy = "give it the same file under the same path, and start it again"
    if differ_by_runtime(introduced.ready.model_name, model.model_name):
        remedy = "name as [engine] runtime one that all can have, such as 'tensorflow', and start the service again"
    return f"{introduced.host} has loaded the weights {mine}, the others {theirs}: {remedy}."
