"""What a person is told of at once: rules over facts, without clocks, processes or files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from daemon.configuration.alerts import AlertsConfig
from daemon.monitoring.pace import Pace, spoken_s
from daemon.monitoring.report import RootReport
from daemon.processing.steps.troubles import Trouble
from storage.query.health import Course, FinishedTimepoint, Problem
from storage.spans import counted

BEFORE = 5
"""Time points whose median a count is compared with."""

_LEAST_BEFORE = 3
_LEAST_NUCLEI = 5  # of fewer than these, half are lost by chance


@dataclass(frozen=True)
class Alert:
    """One thing to tell: its kind, what it is about, a sentence, and facts for machines."""

    kind: str
    subject: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def course_alerts(limits: AlertsConfig, acquisition: str, course: Course) -> Iterator[Alert]:
    """What the latest time point of an acquisition gives reason for."""
    if not course.latest:
        return
    *before, now = course.latest
    yield from _count(limits, acquisition, before[-BEFORE:], now)
    yield from _signal(limits, acquisition, course.first, now)
    yield from _slices(limits, acquisition, now)


def pace_alerts(limits: AlertsConfig, pace: Pace) -> Iterator[Alert]:
    """The lag exceeds its limit."""
    oldest = pace.oldest_waiting_s
    if limits.lag_s and oldest is not None and oldest > limits.lag_s:
        waiting = pace.waiting + pace.running
        message = (
            f"A time point has been waiting for {spoken_s(oldest)}, more than the limit of {spoken_s(limits.lag_s)} "
            f"({waiting} wait; keeps up: {pace.verdict})."
        )
        facts = {"lag_s": round(oldest, 1), "limit_s": limits.lag_s, "waiting": waiting, "keeps_up": pace.keeps_up}
        yield Alert("lag", "queue", message, facts)


def root_alerts(limits: AlertsConfig, roots: Sequence[RootReport]) -> Iterator[Alert]:
    """Watched folders that cannot be reached."""
    for root in roots:
        if limits.folder_offline and not root.online:
            message = (
                f"The watched folder {root.path} cannot be reached since {root.since}: nothing new is found in it."
            )
            yield Alert("folder_offline", root.path, message, {"path": root.path, "since": root.since})


def trouble_alerts(limits: AlertsConfig, troubles: Sequence[Trouble]) -> Iterator[Alert]:
    """Results cannot be stored or shown."""
    for trouble in troubles:
        if limits.stalled:
            message = f"Results are not stored or not shown now. {trouble}"
            yield Alert("stalled", trouble.subject, message, {"subject": trouble.subject, "reason": trouble.reason})


def end_alerts(limits: AlertsConfig, failure: str | None) -> Iterator[Alert]:
    """The service ends although nobody asked it to."""
    if limits.stalled and failure is not None:
        yield Alert("stalled", "service", f"The service ended: {failure}", {"subject": "service", "reason": failure})


def store_alerts(acquisition: str, timepoints: int, reason: str) -> Iterator[Alert]:
    """The OME-Zarr of an acquisition was lost."""
    points = counted(timepoints, "time point")
    message = f"The OME-Zarr of {acquisition} is made anew, with {points} that lay in it: {reason}"
    yield Alert("store_lost", acquisition, message, {"acquisition": acquisition, "timepoints": timepoints})


def problem_alerts(limits: AlertsConfig, problems: Sequence[Problem]) -> Iterator[Alert]:
    """What was set aside, or ended with something missing; what is only tried again is no reason."""
    for problem in problems:
        if not limits.set_aside or problem.state == "queued":
            continue
        where = problem.acquisition if problem.t is None else f"Time point {problem.t} of {problem.acquisition}"
        what = "has something missing" if problem.state == "partial" else "was set aside"
        facts = {"acquisition": problem.acquisition, "t": problem.t, "state": problem.state, "reason": problem.reason}
        kind = "incomplete" if problem.state == "partial" else "set_aside"
        yield Alert(kind, problem.acquisition, f"{where} {what}: {problem.reason}", facts)


def _count(
    limits: AlertsConfig, acquisition: str, before: Sequence[FinishedTimepoint], now: FinishedTimepoint
) -> Iterator[Alert]:
    if not limits.count_drop or len(before) < _LEAST_BEFORE:
        return
    usual = median(step.nuclei_count for step in before)
    if usual >= _LEAST_NUCLEI and now.nuclei_count < (1.0 - limits.count_drop) * usual:
        nuclei = counted(now.nuclei_count, "nucleus", "nuclei")
        message = (
            f"{acquisition} has {nuclei} at time point {now.t}, where the {len(before)} before had "
            f"{usual:g}: focus, stage or sample may be lost."
        )
        facts = {"acquisition": acquisition, "t": now.t, "nuclei": now.nuclei_count, "nuclei_before": usual}
        yield Alert("count_collapsed", acquisition, message, facts)


def _signal(
    limits: AlertsConfig, acquisition: str, first: Sequence[FinishedTimepoint], now: FinishedTimepoint
) -> Iterator[Alert]:
    signal = _number(now.quality.get("signal"))
    begun = [value for step in first if (value := _number(step.quality.get("signal"))) is not None and step.t < now.t]
    if not limits.signal_drop or signal is None or len(begun) < _LEAST_BEFORE:
        return
    usual = median(begun)
    if usual > 0 and signal < (1.0 - limits.signal_drop) * usual:
        message = (
            f"The nuclei of {acquisition} shine with {signal / usual:.0%} of their first intensity at time point "
            f"{now.t}: the dye bleaches, or the light fails."
        )
        facts = {"acquisition": acquisition, "t": now.t, "signal": round(signal, 2), "signal_first": round(usual, 2)}
        yield Alert("bleached", acquisition, message, facts)


def _slices(limits: AlertsConfig, acquisition: str, now: FinishedTimepoint) -> Iterator[Alert]:
    blank = list(now.quality.get("blank_slices") or ())
    if limits.missing_slices and len(blank) >= limits.missing_slices:
        shown = ", ".join(map(str, blank[:10])) + (", ..." if len(blank) > 10 else "")
        message = f"{len(blank)} slices of {acquisition} are blank at time point {now.t} ({shown}): they are missing."
        facts = {"acquisition": acquisition, "t": now.t, "blank_slices": blank}
        yield Alert("slices_missing", acquisition, message, facts)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
