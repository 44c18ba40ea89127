"""Beginning and ending a piece of work so that a fault of ours costs it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daemon import logs
from daemon.processing.messages import Cause, Failed, Task, fault_of_ours
from storage.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from daemon import pipeline
    from daemon.processing.steps.books import LoopHandler, WorkerHandler


def begun(step: pipeline.Step, handler: WorkerHandler[Any], work: Any) -> Task | Failed:  # noqa: ANN401
    """What a worker is told; the work is claimed: whatever stops this hands it back, or nobody would be at it."""
    try:
        return handler.begin(work)
    except DatabaseUnavailableError as error:
        return Failed(str(error), Cause.MACHINE)
    except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
        return _logged(step, error)


def guarded(
    step: pipeline.Step,
    handler: LoopHandler[Any] | WorkerHandler[Any],
    work: Any,  # noqa: ANN401 - each step has work of its own
    do: Callable[[], None],
) -> None:
    """Do a piece of work; a fault of ours costs it alone, while a database that refuses is waited for."""
    try:
        do()
    except DatabaseUnavailableError:
        raise  # it is still due
    except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
        handler.fail(work, _logged(step, error))


def _logged(step: pipeline.Step, error: Exception) -> Failed:
    logs.log.exception("a fault in nusetd stopped a step", extra={"fields": {"step": step.name}})
    return fault_of_ours(error)
