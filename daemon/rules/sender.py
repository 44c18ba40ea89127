"""A thread for each way in which a rule is sent: what is slow there delays nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from daemon import logs
from daemon.configuration.rules import RuleConfig
from daemon.rules.delivery import deliver
from storage.clock import Clock
from storage.database.beside import open_beside_the_service
from storage.database.catalog import Catalog
from storage.errors import StorageError
from storage.query.noticing.sendings import DUE, FAILED, SENT, VOID, Sending, due
from storage.query.snapshots import snapshot

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_IDLE_S = 2.0  # somebody wakes it when there is something to send


class ActionSender:
    """Sends what a rule decided, in that order, by one action.

    An answer that did not arrive is sent again until it expires. After a kill, what is still due is sent then, perhaps
    a second time: its id tells.
    """

    def __init__(self, database: str, rule: RuleConfig, action: str, clock: Clock) -> None:
        self._database, self._rule, self._action, self._clock = database, rule, action, clock
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"rule {rule.name} {action}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def stop(self, patience_s: float) -> None:
        """End, after what is being sent just now; the rest stays due."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(patience_s)

    def send_due(self, catalog: Catalog) -> float | None:
        """Send what is due; return after how many seconds something is to be tried again, None: nothing is."""
        with snapshot(self._database) as connection:  # who only looks takes no lock that a commit would wait for
            waiting = due(connection, self._rule.name, self._action)
        for one in waiting:
            if self._stopped.is_set():
                return None
            pause_s = self._send(catalog, one)
            if pause_s is not None:
                return pause_s
        return None

    def _send(self, catalog: Catalog, one: Sending) -> float | None:
        late_s = (self._clock() - datetime.fromisoformat(one.expires_at)).total_seconds()
        if late_s >= 0:
            state = FAILED if one.attempts else VOID
            outcome = f"not sent: it is void since {one.expires_at}, {late_s:.1f} s ago"
            self._note(catalog, one, state, outcome, one.attempts)
            return None
        reason = deliver(self._rule, self._action, one.content, -late_s)
        if reason is None:
            self._note(catalog, one, SENT, "arrived", one.attempts + 1)
            return None
        self._note(catalog, one, DUE, reason, one.attempts + 1)
        return min(_FIRST_PAUSE_S * 2.0**one.attempts, _LONGEST_PAUSE_S, -late_s)

    def _note(self, catalog: Catalog, one: Sending, state: str, outcome: str, attempts: int) -> None:
        catalog.rules.note(one.id, state, outcome, attempts)
        tell = logs.info if state == SENT else logs.warning
        fields: dict[str, Any] = {"rule": one.rule, "action": one.action, "t": one.t, "outcome": outcome}
        tell("rule sent" if state == SENT else "rule not sent", **fields)

    def _work(self) -> None:
        keep_going(self._turns, self._stopped, f"rule {self._rule.name}")

    def _turns(self) -> None:
        with open_beside_the_service(self._database) as catalog:
            while not self._stopped.is_set():
                self._wake.clear()
                pause_s = self.send_due(catalog)
                self._wake.wait(_IDLE_S if pause_s is None else pause_s)


def keep_going(work: Callable[[], None], stopped: threading.Event, what: str) -> None:
    """Do work until somebody stops it; whatever goes wrong is told, and tried again."""
    pause_s = _FIRST_PAUSE_S
    while not stopped.is_set():
        try:
            work()
            pause_s = _FIRST_PAUSE_S
        except StorageError as error:
            logs.warning("rules wait for the database", of=what, reason=error, seconds=pause_s)
        except Exception:  # noqa: BLE001  # a fault of ours in a rule must not end it in silence
            logs.log.exception("a fault in nusetd stopped %s, it is begun again", what)
        stopped.wait(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
