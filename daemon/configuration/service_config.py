"""`[service]` and `[engine]`: how the service watches, works and shows itself, and what its workers hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.configuration.cluster.scheduler_access import SchedulerAccess, read_cluster
from daemon.configuration.fields import Reader
from nuset_engine.runtime.names import AUTO, RUNTIMES

DEFAULT_ENGINE = "nuset_engine.segment:Segmenter"
DEFAULT_WEIGHTS = "fluorescence"
_DEVICE = re.compile(r"auto|cpu|gpu:\d+(\s*,\s*gpu:\d+)*")


MOST_WORKERS = 256
"""Of one service on its own machine: each is a process that holds the network."""

_MORE = "more of them are on more machines, as workers of a Dask cluster"


@dataclass(frozen=True)
class ServiceConfig:
    """How the service watches, works and shows itself.

    Attributes
    ----------
    events : bool
        Use file system events as hints; without them the rescan finds everything.
    rescan_s : float
        Seconds between two looks at a whole watched folder.
    worker_silence_s : float
        A worker that says nothing for so long hangs, and is replaced.
    reader_limit_s : float
        A file that is looked into for so long is tried again later, then set aside; the others go on.
    stop_s : float
        Told to stop, the service waits so long for the time point under way; then it is done anew at the next start.
    report_s : float
        Seconds between two reports for `nusetd status`, and two looks at what may raise an alert.
    listen : str or None
        ``host:port`` on this machine for Prometheus' `/metrics`, `/healthz` and `/readyz`; None: not offered.
    log_level : str
    """

    events: bool = True
    rescan_s: float = 10.0
    worker_silence_s: float = 600.0
    reader_limit_s: float = 60.0
    stop_s: float = 45.0
    report_s: float = 10.0
    listen: str | None = None
    log_level: str = "info"


def read_service(table: Reader) -> ServiceConfig:
    """Read the table `[service]`, noting its faults."""
    defaults = ServiceConfig()
    service = ServiceConfig(
        events=table.boolean("events", defaults.events),
        rescan_s=table.number("rescan_s", defaults.rescan_s, at_least=0.1),
        worker_silence_s=table.number("worker_silence_s", defaults.worker_silence_s, at_least=1.0),
        reader_limit_s=table.number("reader_limit_s", defaults.reader_limit_s, at_least=1.0),
        stop_s=table.number("stop_s", defaults.stop_s, at_least=0.0),
        report_s=table.number("report_s", defaults.report_s, at_least=0.1),
        listen=table.loopback("listen"),
        log_level=table.choice("log_level", defaults.log_level, ("debug", "info", "warning", "error")),
    )
    table.finish()
    return service


@dataclass(frozen=True)
class EngineConfig:
    """The segmenter.

    Attributes
    ----------
    factory : str
        Its import path, `module:callable`.
    weights : str
        Name or path.
    threads : int or None
        Cores to use, all workers together; None: all.
    runtime : str
        What computes the network: ``openvino`` in int8, ``tensorflow`` in float32, ``tensorflow-bfloat16``, ``auto``:
        the quickest of those that can be had. Part of what identifies a result.
    workers : int or str
        How many processes work on time points side by side; ``auto``: as many as `nusetd selfcheck --workers` found
        best on this machine, one where it was never asked.
    cluster : SchedulerAccess or None
        A Dask cluster in their place.
    device : str
        ``auto``: each worker the next graphics card, where there are any; ``cpu``: none; ``gpu:0``, or
        ``gpu:0,gpu:1``: these in turn.
    gpu_memory_gb : float or None
        At most so much of a card's memory for each worker, for workers that share one; None: what it comes to need.
    """

    factory: str = DEFAULT_ENGINE
    weights: str = DEFAULT_WEIGHTS
    threads: int | None = None
    runtime: str = AUTO
    workers: int | Literal["auto"] = 1
    cluster: SchedulerAccess | None = None
    device: str = "auto"
    gpu_memory_gb: float | None = None


def read_engine(table: Reader, folder: Path) -> EngineConfig:
    """Read the table `[engine]`, noting its faults; relative paths count from `folder`."""
    defaults, cluster = EngineConfig(), read_cluster(table, folder)
    threads = table.whole("threads", 0, at_least=0)
    engine = EngineConfig(
        factory=table.text("factory", defaults.factory),
        weights=table.text("weights", defaults.weights),
        threads=threads or None,
        runtime=table.choice("runtime", defaults.runtime, RUNTIMES),
        workers=defaults.workers if cluster else table.whole_or_auto("workers", defaults.workers, MOST_WORKERS, _MORE),
        cluster=cluster,
        device=table.text("device", defaults.device),
        gpu_memory_gb=table.optional_number("gpu_memory_gb"),
    )
    if _DEVICE.fullmatch(engine.device) is None:
        table.fault(("device",), f"device = {engine.device!r} is none; write auto, cpu, gpu:0, or gpu:0,gpu:1.")
    if ":" not in engine.factory:
        table.fault(("factory",), f"factory = {engine.factory!r} names no callable; write it as 'module:callable'.")
    table.finish()
    return engine
