"""How the service is, seen from outside: what it last said of itself, and what the database shows by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.monitoring.pace import Pace, pace_of, spoken_s, stopped
from daemon.monitoring.report import Report, RootReport, liveness
from daemon.monitoring.trouble_note import read_note
from daemon.overrides.origins import SettingInUse
from daemon.processing.workers.protocol import WorkerNow
from storage.query.correcting import CorrectionProgress
from storage.query.health import Doubt, Problem, health
from storage.spans import counted

_SHOWN_PROBLEMS = 5
_SHOWN_DOUBTS = 5


@dataclass(frozen=True)
class Status:
    """Everything that `nusetd status` tells.

    Attributes
    ----------
    runs : bool
    word : str
        Its state, or how it ended.
    report : Report or None
        The service's own last words; None: no service ever worked on this database.
    reported_at : datetime or None
    """

    moment: datetime
    runs: bool
    word: str
    report: Report | None
    reported_at: datetime | None
    pace: Pace
    problems: tuple[Problem, ...]
    troubles: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    corrections: tuple[CorrectionProgress, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "service": {
                "runs": self.runs,
                "state": self.word,
                "troubles": list(self.troubles),
                "reported_at": None if self.reported_at is None else self.reported_at.isoformat(),
                "report": None if self.report is None else self.report.as_dict(),
            },
            "queue": self.pace.as_dict(),
            "problems": [asdict(problem) for problem in self.problems],
            "doubts": [asdict(doubt) for doubt in self.doubts],
            "corrections": [asdict(one) for one in self.corrections],
        }


def look(database: str | Path, moment: datetime) -> Status:
    """Ask the database how the service is.

    Raises
    ------
    StorageError
        When there is no database, or it cannot be read.
    """
    queue, reported = health(database, moment)
    if reported is None:
        return Status(
            moment, False, "never ran", None, None, pace_of(queue), queue.problems, (), queue.doubts, queue.corrections
        )
    at, stored = reported
    report = Report.from_dict(stored)
    runs, word = liveness(report, at, moment)
    troubles = read_note(database) or report.troubles if runs else ()
    rates = {int(count): rate for count, rate in report.worker_rates.items()}
    pace = pace_of(queue, max(len(report.workers), 1), rates)
    pace = stopped(pace, troubles[0]) if troubles else pace
    return Status(moment, runs, word, report, at, pace, queue.problems, troubles, queue.doubts, queue.corrections)


def lines(status: Status) -> Iterator[str]:
    """The status for people, a fact per line; what is wrong comes first."""
    yield from _labelled("STALLED", list(status.troubles))
    yield from _service(status)
    yield from _pace(status.pace)
    yield from _labelled("corrections", [one.sentence for one in status.corrections])
    report = status.report
    if report is not None:
        yield from _labelled("folders", [_root(root, status.runs) for root in report.roots])
        if report.alerts_sent or report.alerts_held_back:
            counts = f"{report.alerts_sent} sent, {report.alerts_held_back} held back"
            yield f"alerts      {counts}; last: {report.last_alert}"
        if report.config_error:
            yield from _labelled("config", report.config_error.splitlines())
        yield from _labelled("settings", list(_settings(report)))
        yield from _labelled("overrides", list(report.settings.get("faults", ())))
    shown = status.problems[:_SHOWN_PROBLEMS]
    yield from _labelled("problems", [_problem(problem) for problem in shown] or ["none"])
    shown_doubts = [_doubt(doubt) for doubt in status.doubts[:_SHOWN_DOUBTS]]
    if len(status.doubts) > _SHOWN_DOUBTS:
        shown_doubts.append(f"and {len(status.doubts) - _SHOWN_DOUBTS} more, in `nusetd acquisitions --format json`")
    yield from _labelled("doubts", shown_doubts)


def _service(status: Status) -> Iterator[str]:
    report, at = status.report, status.reported_at
    if report is None or at is None:
        yield "service     not running, and none ever worked on this database (`nusetd process` needs none)"
        return
    age = spoken_s((status.moment - at).total_seconds())
    if not status.runs:
        yield f"service     not running: {status.word}; last report {age} ago, from {report.host}"
        if report.error:
            yield f"            {report.error}"
        return
    yield (
        f"service     {status.word} since {report.started_at}, process {report.pid} on {report.host}, "
        f"nusetd {report.version}, reported {age} ago"
    )
    engine = f"{report.model} is loaded" if report.model else "is being loaded"
    deaths = f"; workers replaced: {report.worker_deaths}" if report.worker_deaths else ""
    if len(report.workers) < 2:
        yield f"engine      {engine}; working on {report.working_on or 'nothing'}{deaths}"
    else:
        yield f"engine      {engine}{deaths}"
        yield from _labelled("workers", [_worker(worker) for worker in report.workers])
    if report.cluster:
        yield f"cluster     {report.cluster}"
    if report.listen:
        yield f"metrics     http://{report.listen}/metrics"


def _pace(pace: Pace) -> Iterator[str]:
    paused = f" ({pace.paused} of them pause before another attempt)" if pace.paused else ""
    oldest = "" if pace.oldest_waiting_s is None else f"; the oldest for {spoken_s(pace.oldest_waiting_s)}"
    yield f"queue       {pace.waiting} waiting{paused}, {pace.running} running{oldest}"
    yield f"done        {counted(pace.done, 'time point')}, {pace.failed} failed"
    if pace.lag_p50_s is not None and pace.lag_p95_s is not None:
        lag = f"p50 {spoken_s(pace.lag_p50_s)}, p95 {spoken_s(pace.lag_p95_s)}"
        yield f"lag         {lag} (latest {counted(pace.lag_count, 'time point')}, since {pace.lag_since})"
    if pace.work_s is not None and pace.each_s is not None:
        most = 3600.0 / max(pace.each_s, 1e-3)
        rate = f"{counted(pace.done_last_hour, 'time point')} in the last hour"
        beside = "" if pace.workers == 1 else f" beside {counted(pace.workers - 1, 'other')}"
        yield f"throughput  {rate}; one takes {spoken_s(pace.work_s)}{beside}, so at most {most:.0f} an hour"
    yield f"keeps up    {pace.verdict}"


def _worker(worker: WorkerNow) -> str:
    does = _DOES[worker.state]
    if worker.working_on is not None:
        does = f"{worker.working_on}, for {spoken_s(worker.seconds or 0.0)}"
    return does if worker.pid is None else f"process {worker.pid}: {does}"


_DOES = {"works": "works", "idle": "rests", "starts": "loads its engine", "waits": "is not started"}


def _root(root: RootReport, runs: bool) -> str:
    state = "online" if root.online else "OFFLINE"
    if not runs:
        state = f"was {state}"
    settling = f", {counted(root.settling, 'file')} not whole yet" if root.settling else ""
    free = "" if root.free_bytes is None else f", {root.free_bytes / 1e9:.1f} GB free"
    if root.free_hours is not None:
        free += f", enough for {spoken_s(3600 * root.free_hours)} at the present rate"
    return f"{root.path} {state} since {root.since}{settling} -> {root.output}{free}"


def _settings(report: Report) -> Iterator[str]:
    """Where settings come from that are no defaults."""
    for one in report.settings.get("service", ()):
        yield f"the service: {SettingInUse.from_dict(one)}"
    for folder, settings in report.settings.get("settings", {}).items():
        for one in settings:
            yield f"{folder}: {SettingInUse.from_dict(one)}"


def _problem(problem: Problem) -> str:
    where = problem.acquisition if problem.t is None else f"{problem.acquisition} t={problem.t}"
    state = "tried again" if problem.state == "queued" else problem.state.replace("_", " ")
    return f"{problem.at} {where} ({state}): {problem.reason}"


def _doubt(doubt: Doubt) -> str:
    others = f" (and {counted(doubt.others, 'more acquisition')} alike)" if doubt.others else ""
    return f"{doubt.acquisition}: {doubt.reason}{others}"


def _labelled(label: str, values: Sequence[str]) -> Iterator[str]:
    for i, value in enumerate(values):
        yield f"{label if i == 0 else '':<12}{value}"
