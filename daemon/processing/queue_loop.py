"""The queue loop: executes the table of `daemon.pipeline`, from the database's queue to the workers and back.

The same for the service and for `nusetd process`. What was left half done by a killed process is found at the start.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon import logs, pipeline
from daemon.errors import EngineFailedError
from daemon.pipeline import Runner
from daemon.processing.guarded import begun, guarded
from daemon.processing.messages import AnalyseTask, CannotServe, Cause, Failed, PaintTask, Progress, Ready, StoreMade
from daemon.processing.recovery import recover, sweep_left
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.steps.books import Books, Left, LoopHandler, Seen, ThreadHandler, UnderWay, WorkerHandler
from daemon.processing.steps.handlers import handlers
from daemon.processing.steps.mending import mend_at_rest
from daemon.processing.steps.troubles import Trouble
from daemon.processing.threads.beside import Beside
from daemon.processing.workers.affinity import Affinity
from daemon.processing.workers.engine_exchange import EngineExchange
from daemon.processing.workers.protocol import Died, Event, WorkerNow, Workers
from daemon.processing.workers.protocol import WorkerHandle as Worker

if TYPE_CHECKING:
    from daemon.processing.crash_record import CrashRecord
    from storage.database.catalog import Catalog

__all__ = ["QueueLoop", "Seen"]

_TURN_S = 0.2  # what the loop itself does in one turn, before others have theirs
_OF_TRACKS = frozenset({"track", "finish"})  # the worker that has the tracker does them in less time


class QueueLoop:
    """Gives workers their tasks and collects their results.

    Parameters
    ----------
    catalog : Catalog
    workers : Workers
        Who does the tasks; whoever that is, the database alone says what is done.
    retry_policy : RetryPolicy, optional
    observer : callable, optional
        Told what happens, for progress bars.
    reachable : callable, optional
        Says whether a source can be there at all: False while its watched folder is offline.
    look_again : callable, optional
        Told of files that changed while they were read.
    clock : callable, optional
        Steady seconds.
    crash_record : CrashRecord, optional
        Notes what is committed, in case that kills this process.
    room : callable, optional
        Free bytes where results go; None where that cannot be told.
    """

    def __init__(
        self,
        catalog: Catalog,
        workers: Workers[Any],
        retry_policy: RetryPolicy | None = None,
        observer: Callable[[Seen], None] | None = None,
        reachable: Callable[[Path], bool] = lambda source: True,
        look_again: Callable[[Iterable[Path]], None] = lambda files: None,
        clock: Callable[[], float] = time.monotonic,
        crash_record: CrashRecord | None = None,
        room: Callable[[], int | None] = lambda: None,
    ) -> None:
        policy = retry_policy or RetryPolicy()
        self._books = Books(
            catalog,
            policy,
            len(workers.all),
            observer or (lambda seen: None),
            reachable,
            look_again,
            clock,
            crash_record=crash_record,
            room=room,
        )
        self._workers = workers
        self._affinity = Affinity()
        self.exchange, self.shares = EngineExchange(workers), self._books.shares
        self._heard: deque[tuple[Worker, Event]] = deque()  # and not acted on: the database may be away
        self._under_way: dict[Worker, UnderWay] = {}
        self._handlers = handlers(self._books)
        self._beside = Beside()
        self._over: Callable[[BaseException | None], None] | None = None  # what follows from the work beside
        self._deaths_without_work: Counter[Worker] = Counter()
        self._idle_kills, self._start_after = 0, float("-inf")  # of workers that had no task; when another is started
        self.deaths = 0  # of workers
        self.stopping = False

    @property
    def model(self) -> Ready | None:
        """What the workers have loaded; None before the first of them has, and while they get other weights."""
        return None if self.exchange.under_way else self._books.model

    @property
    def working(self) -> bool:
        """True while a worker has a task, or a result has steps before it."""
        books = self._books
        waiting = books.analysed or books.tracked or books.replayed or books.amendments
        claimed = not self.stopping and (books.claimed or books.alone)
        return bool(self._under_way or waiting or claimed or self._beside.busy)

    @property
    def working_on(self) -> str | None:
        """What is under way, for people."""
        return ", ".join(under.name for under in self._under_way.values()) or None

    @property
    def workers(self) -> tuple[WorkerNow, ...]:
        """What each worker does."""
        idle, now, found = set(self._workers.idle()), self._books.clock(), []
        for worker in self._workers.all:
            under = self._under_way.get(worker)
            if under is not None:
                found.append(WorkerNow(worker.pid, "works", under.name, now - under.since))
            else:
                found.append(WorkerNow(worker.pid, "idle" if worker in idle else "starts" if worker.pid else "waits"))
        return tuple(found)

    @property
    def writing_beside(self) -> bool:
        """True while a long transaction is under way: whoever turns leaves the database alone meanwhile."""
        return self._beside.busy

    @property
    def winding_down(self) -> bool:
        """True while there is something that a stop should wait for."""
        paints = bool(self._books.pending.to_paint) and bool(self._workers.idle())
        return self.working or (paints and not self._books.stall.lasts)

    @property
    def unfinished(self) -> bool:
        """True while there is work, tracks wait to be painted, or an acquisition that has ended is not finished."""
        books = self._books
        corrigible = books.corrections_changed or books.to_correct
        return self.working or bool(books.pending.to_paint or books.endings or corrigible)

    @property
    def troubles(self) -> list[Trouble]:
        """What keeps results from being stored or shown now."""
        found = self._books.troubles()
        if self._workers.waits_for is not None:
            found.append(Trouble("worker", f"{self._workers.waits_for}."))
        if not self._may_start():
            found.append(Trouble("worker", f"the program that segments was killed {self._idle_kills} times."))
        return found

    def _may_start(self) -> bool:
        """False while a worker that was killed is not replaced yet: whatever took the memory may end meanwhile."""
        return self._books.clock() >= self._start_after

    def abandon(self) -> None:
        """The workers have been ended for good: what they were working on waits for the next start."""
        self._beside.wait()
        for acquisition_id, t in self._books.catalog.requeue_running():
            row = self._books.catalog.acquisition(acquisition_id)
            logs.info("abandoned, done anew at the next start", acquisition=row.name, t=row.source_t(t))
            pipeline.sweep(row, self._books.catalog.stores.owner(row))
        self._under_way.clear()

    def end(self, acquisition_id: int) -> None:
        """Nothing more will come of this acquisition: finish it when its last time point is done."""
        self._books.endings.end(acquisition_id)

    def reopen(self, acquisition_id: int) -> None:
        """Wait no longer for its end: more came after all, or it has been finished."""
        self._books.endings.reopen(acquisition_id)

    def hold(self, acquisition_id: int, reason: str) -> bool:
        """Begin nothing more of an acquisition that is read anew; True when nobody works on it any more.

        Then what was known of it is forgotten: nothing that was made of it so far counts.
        """
        books = self._books
        books.release(acquisition_id, reason)
        books.catalog.abandon(acquisition_id, reason)
        if acquisition_id in self._acquisitions() or books.is_at(acquisition_id):
            return False
        books.forget(acquisition_id)
        books.to_look_at.discard(acquisition_id)
        books.endings.reopen(acquisition_id)
        return True

    def show_again(self, acquisition_id: int) -> None:
        """Look whether anything of an acquisition's store has to be shown to readers yet."""
        self._books.pending.to_paint.add(acquisition_id)

    def step(self, wait_s: float) -> None:
        """Hear what the workers have to say, waiting at most `wait_s`, and execute what is due.

        Raises
        ------
        EngineFailedError
            When the worker can do no task at all: nothing can be processed.
        DatabaseUnavailableError
            When the database refuses; nothing is lost, the next step goes on where this one stopped.
        """
        if not self._is_free(wait_s):
            return
        self.shares.turn()
        self._collect()
        gives = not self.exchange.under_way  # nor in the step that ends it: what former weights began gives way first
        self.exchange.turn(at_rest=not (self._under_way or self._heard))
        if not self.stopping and self._may_start() and not self._is_alone:
            self._workers.start()
        for worker, event in self._workers.hear(wait_s):
            self._note(worker, event)
        self._collect()
        if not self._heard and self._books.model is not None:
            self._execute(gives)

    def _is_free(self, wait_s: float) -> bool:
        """Wait for the work beside the loop; False while it lasts."""
        if self._over is None:
            return True
        self._beside.wait(wait_s)
        if self._beside.busy:
            return False
        over, self._over = self._over, None
        over(self._beside.outcome())
        return True

    # Hearing

    def _note(self, worker: Worker, event: Event) -> None:
        if isinstance(event, CannotServe):
            if not self.exchange.refuse(event.reason):
                raise EngineFailedError(event.reason)
        elif not isinstance(event, Progress | StoreMade):
            self._heard.append((worker, event))
        elif worker in self._under_way:
            under = self._under_way[worker]
            if isinstance(event, StoreMade):
                self._books.making.made(under.subject[0])
                return
            what = {"analyse": "slices", "choose channel": "channels"}.get(under.step.name, "tracks")
            self._books.tell(what, *under.subject, done=event.done, total=event.total)

    def _collect(self) -> None:
        """Act on what was heard; what the database refuses is acted on again by the next step."""
        until = time.monotonic() + _TURN_S
        while self._heard and time.monotonic() < until:
            worker, event = self._heard[0]
            if isinstance(event, Ready):
                self._begin(worker, event)
            elif isinstance(event, Died):
                self._blame(worker, event)
            elif worker in self._under_way:
                self._settle(worker, event)
            self._heard.popleft()

    def _begin(self, worker: Worker, ready: Ready) -> None:
        """A worker is ready. Before the first one writes, nobody does: what a killed service left is taken up."""
        books = self._books
        if books.model is None:
            recover(books)
        elif ready != books.model and len(self._workers.all) > 1 and not self.exchange.loads:
            raise EngineFailedError(
                f"Two workers have loaded two networks ({books.model.model_name} {books.model.model_sha256[:12]}, "
                f"{ready.model_name} {ready.model_sha256[:12]}): the weights were exchanged meanwhile, start it again."
            )
        books.model = ready
        self.exchange.loaded(worker)
        logs.info("engine is ready", model=ready.model_name, sha256=ready.model_sha256[:12], pid=worker.pid)

    def _settle(self, worker: Worker, event: Any) -> None:  # noqa: ANN401 - each step has a result of its own
        under = self._under_way[worker]
        if isinstance(event, Failed):
            under.handler.fail(under.work, event)
            if event.cause is Cause.MEMORY:
                self._end(worker)  # what it holds is given back with it; the next step starts another one
        else:
            guarded(under.step, under.handler, under.work, partial(under.handler.end, under.work, event))
        self._leave(worker)
        self._deaths_without_work.pop(worker, None)
        self._idle_kills = 0

    def _blame(self, worker: Worker, death: Died) -> None:
        """A worker is gone: its task is tried once more, then given up; the next step starts another worker."""
        under = self._under_way.get(worker)
        cause = Cause.KILLED if death.killed else Cause.CRASH
        self._affinity.forget(worker)
        if under is not None:
            row, t = under.subject
            what = "this time point" if t is not None else "its tracks"
            under.handler.fail(under.work, Failed(f"{death.reason} while it worked on {what}.", cause))
            if isinstance(under.task, AnalyseTask | PaintTask):
                lease = under.task.lease if isinstance(under.task, AnalyseTask) else ""
                self._books.pending.to_sweep.append(Left(row, under.task.t, lease, death))
            self._leave(worker)
        elif death.killed:
            self._idle_kills += 1
            self._start_after = self._books.clock() + self._books.retry_policy.pause_after_kill(self._idle_kills)
        elif not self.exchange.refuse(f"{death.reason} while it loaded them."):
            self._deaths_without_work[worker] += 1
        self.deaths += 1
        logs.error("worker died", reason=death.reason)
        if self._deaths_without_work[worker] >= 3:
            raise EngineFailedError(f"{death.reason} three times before it did any work: see the log above.")

    def _leave(self, worker: Worker) -> None:
        under, books = self._under_way.pop(worker), self._books
        row = under.subject[0]
        books.busy = self.shares.busy_with(self._acquisitions())
        if not isinstance(under.task, Failed):
            books.writing.over(row, under.task)
        if isinstance(under.task, AnalyseTask):
            books.making.over(row, under.work.id)
        if books.alone is not None and under.work is books.alone.job:
            books.alone = None

    def _acquisitions(self) -> list[int]:  # once for each worker
        return [under.subject[0].id for under in self._under_way.values()]

    def _end(self, worker: Worker) -> None:
        self._affinity.forget(worker)
        self._workers.end(worker)

    # Executing the table

    def _execute(self, gives: bool) -> None:
        """What is nearest to its end goes first: what the loop does itself, which takes moments, then the workers."""
        self._books.workers = max(1, len(self._workers.all))
        sweep_left(self._books, self._workers.is_gone)
        mend_at_rest(self._books)
        self._books.look_over()
        steps = [step for step in reversed(pipeline.FLOW) if step.when_stopping or not self.stopping]
        tasks = [step for step in steps if gives and step.by is Runner.WORKER]
        for step in tasks if len(self._workers.all) > 1 else ():  # many may be idle: they do not wait for the loop
            self._give(step)
        until = time.monotonic() + _TURN_S
        for step in steps:
            if step.by is Runner.LOOP:
                self._do(step, until)
            elif step.by is Runner.THREAD and self._start(step):
                return
        self._books.look_over()
        for step in tasks:
            self._give(step)
        if not self._under_way and not self._books.pending.to_publish:
            self._books.idle()

    def _do(self, step: pipeline.Step, until: float) -> None:
        handler: LoopHandler[Any] = self._handlers[step.name]
        while time.monotonic() < until and (work := handler.due()) is not None:
            guarded(step, handler, work, partial(handler.do, work))

    def _start(self, step: pipeline.Step) -> bool:
        """Begin a long transaction beside the loop."""
        handler: ThreadHandler[Any] = self._handlers[step.name]
        work = handler.due()
        if work is None:
            return False
        self._over = partial(handler.over, work)
        self._beside.start(partial(handler.do, work))
        return True

    def _give(self, step: pipeline.Step) -> None:
        handler, books = self._handlers[step.name], self._books
        there = [worker for worker in self._workers.idle() if self._workers.can(worker, step.name)]
        idle = [worker for worker in there if worker not in self._under_way]
        while idle and not books.stall.lasts and (books.alone is None or books.alone.step == step.name):
            work = handler.due()
            if work is None:
                return
            worker = self._affinity.nearest(idle, handler.subject(work)[0].id, step.name in _OF_TRACKS)
            idle.remove(worker)
            self._hand(worker, step, handler, work)

    def _hand(self, worker: Worker, step: pipeline.Step, handler: WorkerHandler[Any], work: Any) -> None:  # noqa: ANN401
        row, books = handler.subject(work)[0], self._books
        task = begun(step, handler, work)
        self._under_way[worker] = UnderWay(step, handler, work, task, books.clock())
        books.busy = self.shares.busy_with(self._acquisitions())
        if isinstance(task, Failed):
            self._heard.append((worker, task))
            return
        if self._is_alone:  # it gets the memory that the others hold
            for other in [other for other in self._workers.all if other is not worker]:
                self._end(other)
        books.writing.begin(row, task)
        self._affinity.given(worker, row.id, task)
        self._workers.give(worker, task)

    @property
    def _is_alone(self) -> bool:
        """True while a time point has the machine for itself."""
        return self._books.alone is not None and self._books.alone.begun
