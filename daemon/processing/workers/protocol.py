"""Who does the tasks: the few words between the queue loop and whatever carries its tasks to workers.

The database alone knows what is done. Whoever stands behind this protocol, processes of this machine or a cluster,
may lose a worker, or an answer, at any moment; the queue loop gives the task again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol, TypeVar

from daemon.processing.messages import Message, Task


@dataclass(frozen=True)
class Died:
    """The worker is gone without an answer.

    Attributes
    ----------
    reason : str
        For people.
    killed : bool
        Somebody else killed it, a person or the system when memory ran out; it did not crash and did not hang.
    pid : int or None
        Of its process, which may take a while to end.
    """

    reason: str
    killed: bool = False
    pid: int | None = None


Event = Message | Died
Awaited = Connection | int
"""What tells that a worker has said something, for `multiprocessing.connection.wait`; an int is a descriptor."""


@dataclass(frozen=True)
class WorkerNow:
    """One worker at one moment.

    Attributes
    ----------
    pid : int or None
    state : str
        ``works``, ``idle``, ``starts`` (its engine is being loaded) or ``waits`` (it is not started).
    working_on : str or None
        For people.
    seconds : float or None
        How long it has been at it.
    """

    pid: int | None
    state: str
    working_on: str | None = None
    seconds: float | None = None


class WorkerHandle(Hashable, Protocol):
    """One worker: the same for as long as its place is kept, whatever process fills it."""

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""


H = TypeVar("H", bound=WorkerHandle)


class Workers(Protocol[H]):
    """All workers of a run."""

    @property
    def all(self) -> Sequence[H]:
        """Every one that there is, or will be once it has started."""

    @property
    def told(self) -> Sequence[Awaited]:
        """What to wait for when there is nothing else to do."""

    @property
    def waits_for(self) -> str | None:
        """Why none can be started yet, None when nothing is in the way."""

    @property
    def weights(self) -> str:
        """With which they are started."""

    def use(self, weights: str) -> None:
        """End all of them, which are at nothing; the next start loads these weights."""

    def start(self) -> None:
        """Start those that do not run, as soon as nobody else writes into the same stores; each says `Ready`."""

    def idle(self) -> Sequence[H]:
        """Return those that can be given a task now."""

    def can(self, worker: H, step: str) -> bool:
        """Say whether a step of the pipeline can be done where this worker is."""

    def give(self, worker: H, task: Task) -> None:
        """Hand a task to an idle one."""

    def hear(self, wait_s: float) -> Iterator[tuple[H, Event]]:
        """What they said, waiting at most `wait_s` for the first word; one that died says nothing after `Died`."""

    def is_gone(self, death: Died) -> bool:
        """Say whether one that died writes nothing any more, for certain."""

    def end(self, worker: H | None = None) -> None:
        """End one, whatever it is at, or all of them; it can be started again."""
