"""A job: what was ordered, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class JobState(Enum):
    """How far a job is; the value is what is stored."""

    DRAFT = "draft"
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"
    DIED = "died"

    @property
    def meaning(self) -> str:
        """The same for people."""
        return _MEANINGS[self]

    @property
    def is_alive(self) -> bool:
        """A process works on it, or waits to."""
        return self in _ALIVE


_MEANINGS = {
    JobState.DRAFT: "Images are being given; it was not started.",
    JobState.WAITING: "Another job is at work, this one comes after it.",
    JobState.RUNNING: "At work.",
    JobState.PAUSED: "Waits until the service has nothing to do.",
    JobState.STOPPING: "Told to stop; it keeps what it has.",
    JobState.STOPPED: "Stopped; what it has is kept, and it can go on.",
    JobState.DONE: "Everything is done.",
    JobState.FAILED: "It ended with a failure.",
    JobState.DIED: "Its process ended without a word: killed, or with the computer. It can go on.",
}
_ALIVE = frozenset({JobState.WAITING, JobState.RUNNING, JobState.PAUSED, JobState.STOPPING})


@dataclass(frozen=True)
class JobStep:
    """One command of a job.

    Attributes
    ----------
    name : str
        For people: what it does.
    arguments : tuple of str
        Of `nusetd`, with the command first.
    output : str or None
        The file in the job's folder that gets its standard output.
    """

    name: str
    arguments: tuple[str, ...]
    output: str | None = None


@dataclass(frozen=True)
class Job:
    """What was ordered; written once, when it is started.

    Attributes
    ----------
    id : str
        Also the name of its folder.
    kind : str
        ``predict`` or ``train``.
    title : str
        For people.
    created_at : str
    steps : tuple of JobStep
        One after the other; the first failure ends it.
    order : mapping
        What a person chose, as plain values.
    cores : int
    """

    id: str
    kind: str
    title: str
    created_at: str
    steps: tuple[JobStep, ...] = ()
    order: Mapping[str, Any] = field(default_factory=dict)
    cores: int = 1

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Job:
        """Out of what `as_dict` gave."""
        steps = tuple(JobStep(one["name"], tuple(one["arguments"]), one["output"]) for one in stored["steps"])
        return cls(**{**stored, "steps": steps})


@dataclass(frozen=True)
class JobReport:
    """What a job's process last said of it.

    Attributes
    ----------
    state : str
        Of `JobState`.
    at : float
        Seconds since 1970.
    step : int
        The command that it is at.
    pid : int
        Of the process that looks after it.
    why : str
        What it waits for, or why it failed.
    """

    state: str
    at: float
    step: int = 0
    pid: int = 0
    why: str = ""
