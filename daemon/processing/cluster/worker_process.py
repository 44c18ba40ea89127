"""What `nusetd worker` runs: a worker of a Dask cluster, come back for as long as its scheduler does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from daemon import logs
from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.processing.cluster.access import security_of
from daemon.processing.cluster.at_worker import MAPPED, THREADS
from daemon.processing.engine_factory import QUIET_ENGINE

if TYPE_CHECKING:
    from distributed import Nanny

_PAUSE_S = 5.0


def serve(
    access: SchedulerAccess, threads: int | None, mapped: Sequence[str], card: str | None, name: str | None
) -> None:
    """Work for a scheduler until a signal ends it; a scheduler that goes away is waited for.

    Parameters
    ----------
    threads : int or None
        Cores that the engine uses; None: as the daemon says, or all.
    mapped : sequence of "THERE=HERE"
        Where paths of the daemon's machine lie on this one.
    card : str or None
        The graphics card that is used, as ``CUDA_VISIBLE_DEVICES`` names it.
    name : str or None
        Under which the scheduler shows it.

    Raises
    ------
    DaemonError
        When the scheduler must not be used so.
    """
    security_of(access)  # said at once
    environment = {**QUIET_ENGINE, MAPPED: os.pathsep.join(mapped)}
    if threads is not None:
        environment[THREADS] = str(threads)
    if card is not None:
        environment["CUDA_VISIBLE_DEVICES"] = card
    asyncio.run(_serve(access, environment, name))


async def _serve(access: SchedulerAccess, environment: Mapping[str, str], name: str | None) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    while not ended.is_set():
        try:
            nanny = await _started(access, environment, name)
        except Exception as error:  # noqa: BLE001  # whatever keeps it from the scheduler, it may pass
            logs.warning("scheduler does not answer", scheduler=access.address, reason=error)
        else:
            logs.info("worker serves", scheduler=access.address, name=nanny.name)
            await _until_over(nanny, ended)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _PAUSE_S)


async def _started(access: SchedulerAccess, environment: Mapping[str, str], name: str | None) -> Nanny:
    from distributed import Nanny

    nanny = Nanny(
        access.address,
        nthreads=1,  # one task at a time: the engine has threads of its own
        name=name,
        security=security_of(access),
        memory_limit=0,  # the queue looks after memory, by what the kernel says
        dashboard=False,
        env=dict(environment),
        death_timeout=30,
    )
    await nanny
    return nanny


async def _until_over(nanny: Nanny, ended: asyncio.Event) -> None:
    """Wait for the end of the worker, or of this process; either way it is closed then."""
    over, stop = asyncio.ensure_future(nanny.finished()), asyncio.ensure_future(ended.wait())
    await asyncio.wait({over, stop}, return_when=asyncio.FIRST_COMPLETED)
    with suppress(OSError, TimeoutError):
        await nanny.close(timeout=10)
    over.cancel()
    stop.cancel()
