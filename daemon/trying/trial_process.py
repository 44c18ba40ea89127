"""The process that tries settings, started by the page as `daemon.children.become` says.

It lets everybody else go first, waits for a gap of a running service, and ends with the page.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.children.parent import give_way, meet
from daemon.errors import DaemonError
from daemon.monitoring.gap import wait_for_gap
from daemon.page.live.trying.messages import TrialSaid, TrialTask
from nuset_engine.errors import EngineError
from storage.errors import StorageError

if TYPE_CHECKING:
    from daemon.processing.engine_factory import ModelInfo
    from daemon.trying.stored_stack import StoredStack
    from nuset_engine.reconstruction.volume import SliceLabels, Volume

LONGEST_WAIT_S = 3600.0
_TELL_S = 0.3
_KEPT_VOXELS = 100_000_000


class TrialProcess:
    """Carries out one task after the other.

    Parameters
    ----------
    connection : Connection
        To the page.
    folder : Path
        Where results go.
    """

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection, self._folder = connection, folder
        self._slices: tuple[object, list[SliceLabels]] | None = None
        self._model: ModelInfo | None = None

    def run(self) -> None:
        """Take tasks until the page hangs up."""
        while True:
            try:
                task: TrialTask = self._connection.recv()
            except (EOFError, OSError):
                return
            try:
                self._carry_out(task)
            except (DaemonError, StorageError, EngineError) as error:
                self._say(TrialSaid(task.number, "failed", str(error)))
            except MemoryError:
                self._say(TrialSaid(task.number, "failed", "The memory of this computer does not do for this stack."))

    def _say(self, said: TrialSaid) -> None:
        self._connection.send(said)

    def _carry_out(self, task: TrialTask) -> None:
        from daemon.trying.stored_stack import StoredStack
        from daemon.trying.trial_results import TrialResults

        started = time.monotonic()
        stack = StoredStack(task.database, task.acquisition, task.t)
        results = TrialResults(self._folder, stack)
        if task.other is not None:
            results.keep_comparison(task.number, StoredStack(task.database, task.other, task.t))
        else:
            wait_for_gap(task.database, LONGEST_WAIT_S, lambda text: self._say(TrialSaid(task.number, "waiting", text)))
            volume = self._segmented(task, stack)
            results.keep(task.number, volume, task.against, time.monotonic() - started, self._doubt(stack))
        self._say(TrialSaid(task.number, "done"))

    def _segmented(self, task: TrialTask, stack: StoredStack) -> Volume:
        from nuset_engine.reconstruction.volume import reconstruct

        processing = stack.processing(task.settings)
        planes = stack.planes()
        self._say(TrialSaid(task.number, "running", "the network is being loaded", 0, len(planes)))
        key = (task.database, task.acquisition, stack.reading, task.t, dict(task.engine), processing.segmentation)
        if self._slices is not None and self._slices[0] == key:  # what joins slices alone has changed
            slices: Iterable[SliceLabels] = self._slices[1]
        else:
            self._slices = None
            segmenter = stack.segmenter(task.engine, processing.segmentation)
            self._model = segmenter.weights_info
            slices = self._told(task, segmenter.segment_stack(planes), len(planes))
            if stack.voxels < _KEPT_VOXELS:
                self._slices = (key, list(slices))
                slices = self._slices[1]
        return reconstruct(slices, stack.voxel_um, processing.volume, planes)

    def _doubt(self, stack: StoredStack) -> str:
        """Why what differs is not by the settings alone; nothing where it is."""
        if self._model is None or self._model.sha256 == stack.about.model_sha256:
            return ""
        return (
            f"The stored result was made by {stack.about.model_name}, this one by {self._model.name} as the service "
            "has it now: what differs is not by the settings alone."
        )

    def _told(self, task: TrialTask, slices: Iterable[SliceLabels], count: int) -> Iterator[SliceLabels]:
        told = float("-inf")
        for done, one in enumerate(slices, start=1):
            if time.monotonic() - told > _TELL_S:
                told = time.monotonic()
                self._say(TrialSaid(task.number, "running", "", done, count))
            yield one


def main() -> None:
    """Meet the page, hear where results go, and work."""
    connection = meet()
    give_way()
    folder: Path = connection.recv()
    TrialProcess(connection, folder).run()
