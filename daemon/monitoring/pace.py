"""Does the service keep up? Lag, throughput and a verdict from the times of the latest time points. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from statistics import median
from typing import Any

from storage.clock import iso
from storage.query.health import QueueState
from storage.spans import counted

LOOKED_BACK = 200
"""Latest finished time points that the lag is told of."""

_LEAST_ARRIVALS = 3
_PATIENCE = 3.0  # a time point may wait for the work on so many others before anybody speaks of falling behind
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Pace:
    """How fast the work goes.

    Attributes
    ----------
    waiting, running, paused, done, failed : int
        Time points per state; the paused are among the waiting.
    oldest_waiting_s : float or None
        How long the oldest of those has waited that are not paused.
    lag_p50_s, lag_p95_s : float or None
        From noticing that a time point is whole to having it in the database, over the latest `lag_count`.
    lag_since : str or None
        When the first of those was finished.
    work_s : float or None
        Median time from taking up a time point to having it in the database.
    done_last_hour : int
    arrival_s : float or None
        Mean time between arrivals in the last hour, up to now.
    catch_up_s : float or None
        When the queue will be empty, if it will.
    keeps_up : bool or None
        None: too little is known.
    verdict : str
        The same in words.
    workers : int
        How many time points are worked on side by side.
    """

    waiting: int
    running: int
    paused: int
    done: int
    failed: int
    oldest_waiting_s: float | None
    lag_p50_s: float | None
    lag_p95_s: float | None
    lag_count: int
    lag_since: str | None
    work_s: float | None
    done_last_hour: int
    arrival_s: float | None
    catch_up_s: float | None
    keeps_up: bool | None
    verdict: str
    workers: int = 1

    @property
    def each_s(self) -> float | None:
        """Seconds from one time point to the next, when all workers have enough to do."""
        return None if self.work_s is None else self.work_s / self.workers

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)


def stopped(pace: Pace, reason: str) -> Pace:
    """Return a pace of which nothing keeps up, whatever the past says: results cannot be stored or shown."""
    return replace(pace, keeps_up=False, catch_up_s=None, verdict=f"no: {reason}")


def pace_of(state: QueueState, workers: int = 1, rates: Mapping[int, float] | None = None) -> Pace:
    """Measure how fast the work goes.

    Parameters
    ----------
    state : QueueState
    workers : int
        How many work side by side.
    rates : mapping, optional
        What so many workers were measured to serve on this machine, as `best_workers.kept_rates` says it.
    """
    looked_at = state.recent[:LOOKED_BACK]
    lags = sorted((p.completed_at - p.queued_at).total_seconds() for p in looked_at)
    work = median((p.completed_at - p.started_at).total_seconds() for p in looked_at) if looked_at else None
    oldest = None if state.oldest_waiting is None else (state.moment - state.oldest_waiting).total_seconds()
    waiting, running = state.counts.get("queued", 0), state.counts.get("running", 0)
    arrival = arrival_s(state)
    keeps_up, catch_up, verdict = judge(waiting, running, oldest, work, arrival, workers)
    if keeps_up is False and work is not None and arrival is not None:
        verdict += advice(work, arrival, workers, rates or {})
    return Pace(
        waiting=waiting,
        running=running,
        paused=state.paused,
        done=state.counts.get("done", 0),
        failed=state.counts.get("failed", 0),
        oldest_waiting_s=oldest,
        lag_p50_s=quantile(lags, 0.5),
        lag_p95_s=quantile(lags, 0.95),
        lag_count=len(lags),
        lag_since=iso(looked_at[-1].completed_at) if looked_at else None,
        work_s=work,
        done_last_hour=sum(p.completed_at > state.moment - _HOUR for p in state.recent),
        arrival_s=arrival,
        catch_up_s=catch_up,
        keeps_up=keeps_up,
        verdict=verdict,
        workers=workers,
    )


def quantile(ascending: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed; None of nothing."""
    return ascending[max(math.ceil(share * len(ascending)) - 1, 0)] if ascending else None


def arrival_s(state: QueueState) -> float | None:
    """Mean seconds between arrivals, from the first of the last hour up to now; None for fewer than three."""
    hour_ago = state.moment - _HOUR
    times = [p.queued_at for p in state.recent if p.queued_at >= hour_ago]
    count = len(times)
    if state.arrived is not None:
        count += state.arrived[0]
        times.append(state.arrived[1])
    if count < _LEAST_ARRIVALS:
        return None
    return (state.moment - min(times)).total_seconds() / count


def judge(
    waiting: int, running: int, oldest_s: float | None, work_s: float | None, arrival: float | None, workers: int = 1
) -> tuple[bool | None, float | None, str]:
    """Whether it keeps up, in how many seconds the queue is empty, and both in words; all workers count."""
    if waiting + running == 0:
        return (None, None, "nothing was ever queued") if work_s is None else (True, 0.0, "yes: nothing waits")
    if work_s is None:
        return None, None, f"not known yet: no time point is finished, {waiting + running} wait"
    each_s = work_s / workers
    alone = (waiting + running) * each_s
    if oldest_s is None or oldest_s <= _PATIENCE * work_s:
        return True, alone, f"yes: the oldest has waited for {spoken_s(oldest_s or 0.0)}, one takes {spoken_s(work_s)}"
    if arrival is None:
        return True, alone, f"yes: nothing new comes, and the {waiting + running} are done in {spoken_s(alone)}"
    if arrival > each_s:
        catch_up = alone / (1.0 - each_s / arrival)
        return True, catch_up, f"yes: it catches up in {spoken_s(catch_up)} ({_rates(arrival, work_s, workers)})"
    return False, None, f"no: {_rates(arrival, work_s, workers)}, and {waiting + running} wait"


def advice(work_s: float, arrival: float, workers: int, rates: Mapping[int, float]) -> str:
    """How many workers would keep up, as far as that can be said; to follow a verdict."""
    now = rates.get(workers)
    if now:
        enough = [count for count, rate in rates.items() if work_s / workers * now / rate < arrival]
        if enough:
            count = min(enough)
            return f"; {counted(count, 'worker')} would keep up, as measured on this machine"
        return "; no number of workers that was measured on this machine would keep up"
    count = max(math.floor(work_s / arrival) + 1, workers + 1)
    return f"; {count} workers would, on a machine for so many (`nusetd selfcheck --workers 1,2,4` measures this one)"


def spoken_s(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _rates(arrival: float, work_s: float, workers: int) -> str:
    beside = "" if workers == 1 else f", {workers} at a time"
    return f"one comes every {spoken_s(arrival)} and takes {spoken_s(work_s)}{beside}"
