"""The thread that stays in touch with a cluster: connects, sees who comes and goes, and passes on what is said.

What it notices goes into a queue, and a byte into a pipe that wakes the main loop; the loop itself never waits for the
network.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.processing.cluster.access import security_of

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_S = 0.5
_PAUSE_S = 2.0
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Members:
    """Who is in the cluster: addresses of workers."""

    addresses: frozenset[str]


@dataclass(frozen=True)
class Away:
    """The scheduler cannot be reached."""

    reason: str


@dataclass(frozen=True)
class SignOfLife:
    """What a worker says while it is at a task."""

    values: dict[str, Any]


@dataclass(frozen=True)
class Over:
    """A task is over: its `result`, or the `error` for which there is none."""

    key: str
    result: Any = None
    error: str | None = None


OfCluster = Members | Away | SignOfLife | Over


class Watcher:
    """One client of a scheduler, connected again as often as need be.

    Parameters
    ----------
    access : SchedulerAccess
    topic : str
        Under which workers speak to this client.
    """

    def __init__(self, access: SchedulerAccess, topic: str) -> None:
        self._access = access
        self._topic = topic
        self._security = security_of(access)
        self._client: Client | None = None
        self._noticed: queue.SimpleQueue[OfCluster] = queue.SimpleQueue()
        self._hear, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def descriptor(self) -> int:
        """What can be read as soon as something was noticed."""
        return self._hear

    def start(self) -> None:
        """Begin; doing it again changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._stay, name="nusetd-cluster", daemon=True)
            self._thread.start()

    def noticed(self) -> list[OfCluster]:
        """Return what was noticed since the last call."""
        with suppress(BlockingIOError):
            while os.read(self._hear, 4096):
                pass
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._noticed.get_nowait())
        return found

    def submit(self, address: str, key: str, priority: int, function: Callable[..., Any], *arguments: object) -> None:
        """Have one worker do something; `Over` tells the end."""
        client = self._client
        if client is None:
            self._put(Over(key, error="the scheduler cannot be reached"))
            return
        future = client.submit(
            function,
            *arguments,
            key=key,
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
            priority=priority,
        )
        _later(client, self._follow, client, future, key)

    def take_back(self, key: str) -> None:
        """Have a task not done, or its end not told."""
        client = self._client
        if client is not None:
            from distributed import Future

            with suppress(Exception):  # it may be gone with all its tasks by now
                _later(client, client.cancel, [Future(key, client)], asynchronous=True, force=True)

    def end(self) -> None:
        """Leave the cluster."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * _TIMEOUT_S)
            self._thread = None

    def _stay(self) -> None:
        while not self._ended.is_set():
            reason = "it closed the connection"
            try:
                self._stay_connected()
            except Exception as error:  # noqa: BLE001  # whatever keeps us from it, it may pass
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            finally:
                self._client = None
            if not self._ended.is_set():
                self._put(Away(reason))
            self._ended.wait(_PAUSE_S)

    def _stay_connected(self) -> None:
        from distributed import Client

        with Client(
            self._access.address, timeout=_TIMEOUT_S, security=self._security, set_as_default=False, name="nusetd"
        ) as client:
            client.subscribe_topic(self._topic, self._tell)
            self._client = client
            while not self._ended.is_set() and client.status == "running":
                members = client.scheduler_info(n_workers=-1)["workers"]
                self._put(Members(frozenset(members)))
                self._ended.wait(_LOOK_S)
            self._client = None

    def _tell(self, event: tuple[float, dict[str, Any]]) -> None:
        self._put(SignOfLife(event[1]))

    async def _follow(self, client: Client, future: Future[Any], key: str) -> None:
        try:
            result = await client.gather(future, asynchronous=True)
        except CancelledError:
            return
        except Exception as error:  # noqa: BLE001  # whatever Dask could not do
            self._put(Over(key, error=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
        else:
            self._put(Over(key, result))
        finally:
            future.release()

    def _put(self, noticed: OfCluster) -> None:
        self._noticed.put(noticed)
        with suppress(BlockingIOError):  # then it is awake
            os.write(self._wake, b"\0")


def _later(client: Client, function: Callable[..., Any], *arguments: object, **more: object) -> None:
    """Call something in the client's own thread."""
    assert client.loop is not None  # it has one as long as it lives
    client.loop.add_callback(function, *arguments, **more)
