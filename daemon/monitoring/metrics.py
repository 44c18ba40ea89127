"""Prometheus metrics of the service, and how healthy it is: set by the main loop, read by whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from daemon.monitoring.pace import Pace
from daemon.monitoring.report import Report, RootReport

_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"nusetd_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"nusetd_{name}", text, labels, registry=registry)

        self._info = Info("nusetd", "Version, and the weights in use", registry=registry)
        self._ready = gauge("engine_ready", "1 when the network is loaded")
        self._points = gauge("timepoints", "Time points in the database", ("state",))
        self._oldest = gauge("oldest_waiting_seconds", "How long the oldest time point has been waiting")
        self._lag = gauge("lag_seconds", "From noticing a whole time point to its record, latest 200", ("quantile",))
        self._work = gauge("work_seconds", "Median time spent on a time point, latest 200")
        self._hour = gauge("timepoints_last_hour", "Time points done in the last hour")
        self._arrival = gauge("arrival_seconds", "Mean time between arrivals in the last hour")
        self._keeps_up = gauge("keeps_up", "1 when it keeps up with what arrives, 0 when it does not")
        self._each = gauge("timepoint_interval_seconds", "Work on a time point divided by the number of workers")
        self._online = gauge("folder_online", "1 when the watched folder can be reached", ("path",))
        self._settling = gauge("folder_settling_files", "Files that are not known to be whole yet", ("path",))
        self._free = gauge("output_free_bytes", "Room on the disk of the results", ("path",))
        self._workers = gauge("workers", "Processes that work on time points", ("state",))
        self._reported = gauge("report_timestamp_seconds", "When the main loop last looked at all of this")
        self.ended = counter("timepoints_ended", "Attempts at time points since the start", ("outcome",))
        self.nuclei = counter("nuclei", "Nuclei found since the start")
        self.steps = counter("step_seconds", "Time spent per step since the start", ("step",))
        self.seconds = Histogram(
            "nusetd_timepoint_seconds", "Time per finished time point", registry=registry, buckets=_SECONDS
        )
        self._deaths = counter("worker_deaths", "Workers that died and were replaced since the start")
        self._alerts = counter("alerts", "Alerts since the start", ("outcome",))
        for outcome in ("done", "again", "failed"):
            self.ended.labels(outcome)
        self._counted: dict[str, int] = {}
        self._shown: tuple[set[str], set[str]] = (set(), set())

    def done(self, nuclei: int, timings: Mapping[str, float]) -> None:
        """A time point is done."""
        self.ended.labels("done").inc()
        self.nuclei.inc(nuclei)
        for step, seconds in timings.items():
            self.steps.labels(step.removesuffix("_s")).inc(seconds)
        self.seconds.observe(sum(timings.values()))

    def look(self, report: Report, pace: Pace, moment_s: float) -> None:
        """Bring everything that is not counted as it happens to what is now; `moment_s` are seconds since 1970."""
        self._info.info({"version": report.version, "model": report.model or ""})
        self._ready.set(report.model is not None)
        for state in ("waiting", "running", "paused", "done", "failed"):
            self._points.labels(state).set(getattr(pace, state))
        self._oldest.set(pace.oldest_waiting_s or 0.0)
        for quantile, value in (("0.5", pace.lag_p50_s), ("0.95", pace.lag_p95_s)):
            self._lag.labels(quantile).set(_number(value))
        self._work.set(_number(pace.work_s))
        self._hour.set(pace.done_last_hour)
        self._arrival.set(_number(pace.arrival_s))
        self._keeps_up.set(float("nan") if pace.keeps_up is None else pace.keeps_up)
        self._each.set(_number(pace.each_s))
        for state in ("works", "idle", "starts", "waits"):
            self._workers.labels(state).set(sum(worker.state == state for worker in report.workers))
        self._reported.set(moment_s)
        self._count(self._deaths, "deaths", report.worker_deaths)
        self._count(self._alerts.labels("sent"), "sent", report.alerts_sent)
        self._count(self._alerts.labels("held_back"), "held back", report.alerts_held_back)
        self._folders(report.roots)

    def stopped(self) -> None:
        """The database cannot be asked: whatever it said last, results are not stored."""
        self._keeps_up.set(0)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

    def _folders(self, roots: Sequence[RootReport]) -> None:
        """One line per folder that is watched now; none of those that are no longer."""
        for root in roots:
            self._online.labels(root.path).set(root.online)
            self._settling.labels(root.path).set(root.settling)
            self._free.labels(root.output).set(_number(root.free_bytes))
        now = {root.path for root in roots}, {root.output for root in roots}
        for path in self._shown[0] - now[0]:
            self._online.remove(path)
            self._settling.remove(path)
        for path in self._shown[1] - now[1]:
            self._free.remove(path)
        self._shown = now

    def _count(self, counter: Counter, name: str, total: int) -> None:
        counter.inc(max(total - self._counted.get(name, 0), 0))
        self._counted[name] = total


class Pulse:
    """What the endpoint says of the service's health; written by the main loop, read by other threads."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._turned = float("-inf")
        self._reasons: tuple[str, ...] = ("it has just started",)
        self._status: dict[str, Any] = {}

    def turned(self, now: float) -> None:
        """The main loop went round."""
        with self._lock:
            self._turned = now

    def tell(self, reasons: tuple[str, ...], status: dict[str, Any]) -> None:
        """Why it is not ready (nothing: it is), and its whole status."""
        with self._lock:
            self._reasons, self._status = reasons, status

    def health(self, now: float) -> tuple[bool, str]:
        """Whether the main loop goes round."""
        with self._lock:
            silent = now - self._turned
        return silent <= self._limit_s, f"the main loop went round {silent:.1f} s ago"

    def readiness(self, now: float) -> tuple[bool, str]:
        """Whether what lands now is processed, and else why not."""
        alive, text = self.health(now)
        with self._lock:
            reasons = self._reasons
        if not alive:
            return False, text
        return not reasons, "; ".join(reasons) or "ready"

    def status(self) -> dict[str, Any]:
        """The whole status as it was last told."""
        with self._lock:
            return self._status


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
