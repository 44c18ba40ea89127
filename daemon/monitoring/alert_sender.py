"""Sending alerts: not too often, by a command of the user's, in a thread of its own so that nothing waits for it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from daemon import logs
from daemon.children.user_command import run_command
from daemon.configuration.alerts import AlertsConfig
from daemon.monitoring.alarms import Alert
from daemon.monitoring.report import ToldAlert

_HOUR_S = 3600.0
_WAITING = 100  # alerts that may wait for the command; more than that are only logged
_REMEMBERED = 10  # alerts that were told, for whoever looks


class AlertSender:
    """Logs every alert, and hands those to the command that are neither repeated too soon nor too many.

    Parameters
    ----------
    config : AlertsConfig
        May be exchanged at any time.
    now_text : callable
        The present moment as ISO 8601 text.
    """

    def __init__(self, config: AlertsConfig, now_text: Callable[[], str]) -> None:
        self.config = config
        self.sent = 0
        self.held_back = 0
        self.failed = 0
        self.latest: deque[ToldAlert] = deque(maxlen=_REMEMBERED)
        self._now_text = now_text
        self._told: dict[tuple[str, str], float] = {}
        self._sent_at: deque[float] = deque()
        self._held_back_since: int = 0
        self._queue: queue.Queue[tuple[AlertsConfig, dict[str, Any]] | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None

    def raise_alert(self, alert: Alert, now: float) -> bool:
        """Tell of something, if it is time; `now` are steady seconds. Returns whether it was told."""
        key = (alert.kind, alert.subject)
        if now - self._told.get(key, float("-inf")) < self.config.pause_s:
            return self._hold_back()
        while self._sent_at and now - self._sent_at[0] >= _HOUR_S:
            self._sent_at.popleft()
        if len(self._sent_at) >= self.config.at_most_per_hour:
            return self._hold_back()
        self._told = {k: at for k, at in self._told.items() if now - at < self.config.pause_s} | {key: now}
        self._sent_at.append(now)
        at = self._now_text()
        self.sent += 1
        self.latest.appendleft(ToldAlert(at, alert.kind, alert.message))
        logs.warning("alert", kind=alert.kind, subject=alert.subject, reason=alert.message)
        self._hand_over(alert, at)
        return True

    @property
    def last(self) -> str | None:
        """When the last alert was told, and what."""
        return f"{self.latest[0].at} {self.latest[0].message}" if self.latest else None

    def stop(self, patience_s: float = 5.0) -> None:
        """Let what was handed over be sent, for a while."""
        if self._thread is not None:
            self._put(None)
            self._thread.join(patience_s)
            self._thread = None

    def _hold_back(self) -> bool:
        self.held_back += 1
        self._held_back_since += 1
        return False

    def _hand_over(self, alert: Alert, at: str) -> None:
        if not self.config.command:
            return
        facts = {
            "kind": alert.kind,
            "subject": alert.subject,
            "message": alert.message,
            "at": at,
            "held_back": self._held_back_since,
            "facts": dict(alert.facts),
        }
        self._held_back_since = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
            self._thread.start()
        self._put((self.config, facts))

    def _put(self, item: tuple[AlertsConfig, dict[str, Any]] | None) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            logs.error("alert not sent", reason=f"{_WAITING} alerts wait for the command already")

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            config, facts = item
            variables = {f"NUSETD_ALERT_{name.upper()}": facts[name] for name in ("kind", "subject", "message", "at")}
            reason = run_command(config.command, config.timeout_s, facts, variables)
            if reason is not None:
                self.failed += 1
                logs.error("alert not sent", kind=facts["kind"], command=config.command[0], reason=reason)
