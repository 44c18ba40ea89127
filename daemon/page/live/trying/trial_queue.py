"""Trials in turn: one process works on them, one after the other; what they gave is kept a while."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from threading import Condition, Event, Thread
from typing import Any

from daemon.children.child import Child, ChildGoneError
from daemon.errors import DaemonError, UsageError
from daemon.page.live.page_folder import page_folder
from daemon.page.live.trying.messages import RESULT, TrialSaid, TrialTask, picture_name

MOST_WAITING = 6
MOST_KEPT = 24
AGAINST = 4  # earlier trials that each is compared with
_IDLE_S = 120.0  # then the process, with the network in its memory, ends
_TURN_S, _PAUSE_S = 0.2, 1.0
_PREFIX = "nusetd-try-"
_MODULE = "daemon.trying.trial_process"
OPEN = ("queued", "waiting", "running")


@dataclass(frozen=True)
class PageTrial:
    """A trial as the page shows it."""

    task: TrialTask
    state: str = "queued"
    text: str = ""
    done: int = 0
    of: int = 0
    found: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        task = self.task
        return {
            "id": task.number,
            "acquisition": task.acquisition,
            "t": task.t,
            "settings": dict(task.settings),
            "other": task.other,
            "state": self.state,
            "text": self.text,
            "done": self.done,
            "of": self.of,
            **self.found,
        }


class TrialQueue:
    """Trials of one page.

    Parameters
    ----------
    ending : Event
        Set when the page ends: then its process does, and what it gave is removed.
    """

    def __init__(self, ending: Event) -> None:
        self._ending = ending
        self._changed = Condition()
        self._trials: OrderedDict[int, PageTrial] = OrderedDict()
        self._last = 0
        self._thread: Thread | None = None
        self._child: Child[TrialTask, TrialSaid] | None = None
        self._folder: Path | None = None

    def ask(self, task: TrialTask) -> PageTrial:
        """Take a task, whose number is given here.

        Raises
        ------
        UsageError
            When too many wait.
        """
        with self._changed:
            if sum(one.state in OPEN for one in self._trials.values()) >= MOST_WAITING:
                raise UsageError(f"{MOST_WAITING} trials are waiting already: let them come, or stop one.")
            self._last += 1
            alike = [n for n, one in self._trials.items() if _comparable(one, task)]
            trial = PageTrial(replace(task, number=self._last, against=tuple(alike[-AGAINST:])))
            self._trials[self._last] = trial
            self._drop_the_oldest()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="trials", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return trial

    def trials(self, acquisition: int) -> list[PageTrial]:
        """Those of an acquisition, the oldest first."""
        with self._changed:
            return [one for one in self._trials.values() if one.task.acquisition == acquisition]

    def trial(self, number: int) -> PageTrial:
        """One of them.

        Raises
        ------
        UsageError
        """
        with self._changed:
            if number not in self._trials:
                raise UsageError(f"Trial {number} is not there any more: try it again.")
            return self._trials[number]

    def stop(self, acquisition: int, number: int) -> None:
        """Leave one of an acquisition off, also while it is being worked on."""
        with self._changed:
            trial = self._trials.get(number)
            if trial is None or trial.task.acquisition != acquisition or trial.state not in OPEN:
                return
            self._trials[number] = replace(trial, state="stopped", text="stopped")
            if trial.state != "queued" and self._child is not None:
                self._child.kill()

    def picture(self, number: int, view: str, z: int) -> bytes:
        """Its labels as PNG.

        Raises
        ------
        DaemonError
        """
        self.trial(number)
        try:
            assert self._folder is not None
            return (self._folder / str(number) / picture_name(view, z)).read_bytes()
        except (OSError, AssertionError) as error:
            raise UsageError(f"Trial {number} has no picture of this slice.") from error

    def _drop_the_oldest(self) -> None:
        while len(self._trials) > MOST_KEPT:
            oldest = next((n for n, one in self._trials.items() if one.state not in OPEN), None)
            if oldest is None:
                return
            del self._trials[oldest]
            if self._folder is not None:
                rmtree(self._folder / str(oldest), ignore_errors=True)

    # In the thread

    def _work(self) -> None:
        with page_folder(_PREFIX) as folder:
            self._folder = folder
            idle_since = time.monotonic()
            while not self._ending.is_set():
                with self._changed:
                    trial = next((one for one in self._trials.values() if one.state == "queued"), None)
                    if trial is None:
                        self._changed.wait(_PAUSE_S)
                if trial is not None:
                    self._carry_out(trial.task)
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > _IDLE_S:
                    self._end_child()
            self._end_child(at_once=True)
            self._folder = None

    def _carry_out(self, task: TrialTask) -> None:
        try:
            child = self._ready()
            self._note(task.number, state="running", text="begins")
            child.give(task)
            self._hear(child, task)
        except ChildGoneError:
            self._end_child(at_once=True)
            self._note(
                task.number, state="failed", text="The process that tried it has ended: memory may have run out."
            )
        except (OSError, DaemonError) as error:
            self._note(task.number, state="failed", text=f"It cannot be tried: {error}")

    def _hear(self, child: Child[TrialTask, TrialSaid], task: TrialTask) -> None:
        while not self._ending.is_set():
            said = child.hear(_TURN_S)
            if said is None:
                continue
            self._note(task.number, state=said.state, text=said.text, done=said.done, of=said.of)
            if said.state in ("done", "failed"):
                child.answered()
                return

    def _note(self, number: int, state: str, text: str = "", done: int = 0, of: int = 0) -> None:
        found: Mapping[str, Any] = {}
        if state == "done" and self._folder is not None:
            found = json.loads((self._folder / str(number) / RESULT).read_text(encoding="utf-8"))
        with self._changed:
            before = self._trials.get(number)
            if before is not None and before.state in OPEN:  # else somebody stopped it
                self._trials[number] = replace(before, state=state, text=text, done=done, of=of, found=found)

    def _ready(self) -> Child[TrialTask, TrialSaid]:
        if self._child is None:
            self._child = Child(_MODULE, time.monotonic)
            self._child.start(self._folder)
        return self._child

    def _end_child(self, at_once: bool = False) -> None:
        child, self._child = self._child, None
        if child is not None:
            if at_once:
                child.kill()
            child.end(2.0)


def _comparable(one: PageTrial, task: TrialTask) -> bool:
    mine = (one.task.acquisition, one.task.t, one.task.other)
    return one.state == "done" and task.other is None and mine == (task.acquisition, task.t, None)
