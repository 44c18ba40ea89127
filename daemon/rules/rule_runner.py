"""Rules beside a running service: a thread that reads what was committed, and decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from daemon.configuration.rules import RuleConfig
from daemon.rules.evaluator import Evaluator
from daemon.rules.sender import ActionSender, keep_going
from storage.clock import Clock, utc_now
from storage.database.beside import open_beside_the_service
from storage.database.catalog import Catalog
from storage.database.ledger.rule_book import RuleMemory
from storage.query.following.event_rows import EventRow, events_from, last_event
from storage.query.noticing.sendings import Sending
from storage.query.snapshots import snapshot

LOOK_S = 0.25
_KEEP_S = 5.0  # how often it is kept how far rules have read, where they decide nothing
_AT_ONCE = 100  # events
_END_S = 5.0


class RuleRunner:
    """Has rules look at every event once, and what they decide sent.

    A rule that is new, or another one than before, begins with what is committed from then on. How far rules have read
    is kept with what they decided, in one transaction; in between only now and then, as a rule that reads a part again
    decides the same again, and that is there already.

    Parameters
    ----------
    database : str
        Its URL.
    rules : sequence of RuleConfig
    clock : callable
        The present moment.
    """

    def __init__(self, database: str, rules: Sequence[RuleConfig], clock: Clock = utc_now) -> None:
        self._database, self._rules, self._clock = database, tuple(rules), clock
        self._stopped, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._senders: list[ActionSender] = []

    def start(self) -> None:
        """Begin, where there are rules."""
        if not self._rules or self._thread is not None:
            return
        self._stopped.clear()
        self._senders = [
            ActionSender(self._database, rule, action, self._clock) for rule in self._rules for action in rule.actions
        ]
        for sender in self._senders:
            sender.start()
        self._thread = threading.Thread(
            target=lambda: keep_going(self._turns, self._stopped, "rules"), name="rules", daemon=True
        )
        self._thread.start()

    def reconfigure(self, rules: Sequence[RuleConfig]) -> None:
        """Go on with other rules."""
        if tuple(rules) == self._rules:
            return
        was_running = self._thread is not None or not self._rules
        self.stop()
        self._rules = tuple(rules)
        if was_running:
            self.start()

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    def stop(self) -> None:
        """End; what is due then is sent after the next start, if it is not void by then."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_END_S)
            self._thread = None
        for sender in self._senders:
            sender.stop(_END_S)
        self._senders = []

    def _turns(self) -> None:
        with open_beside_the_service(self._database) as catalog:
            reader = RuleReader(catalog, self._database, self._rules)
            while not self._stopped.is_set():
                self._wake.clear()
                if reader.turn(time.monotonic()):
                    for sender in self._senders:
                        sender.wake()
                self._wake.wait(LOOK_S)
            reader.keep()


class RuleReader:
    """Rules with how far each has read."""

    def __init__(self, catalog: Catalog, database: str, rules: Sequence[RuleConfig]) -> None:
        self._catalog, self._database = catalog, database
        self._evaluators: dict[str, Evaluator] = {}
        self._read: dict[str, int] = {}
        self._kept_at = float("-inf")
        catalog.rules.drop([rule.name for rule in rules], "not sent: its rule is no more")
        with snapshot(database) as connection:
            now = last_event(connection)
        for rule in rules:
            known = catalog.rules.memory(rule.name)
            same = known is not None and known.made_of == rule.made_of
            self._evaluators[rule.name] = Evaluator(rule, known.memory if known is not None and same else None)
            self._read[rule.name] = known.event_id if known is not None and same else now
        self.keep()

    def turn(self, now: float) -> bool:
        """Look at what was committed since; `now` are steady seconds. Say whether there is something to send."""
        decided: list[Sending] = []
        with snapshot(self._database) as connection:
            first = min(self._read.values()) + 1
            for count, event in enumerate(events_from(connection, first), start=1):
                for name, evaluator in self._evaluators.items():
                    if event.id <= self._read[name]:
                        continue
                    content = evaluator.take(connection, event)
                    self._read[name] = event.id
                    if content is not None:
                        decided += _sendings(evaluator.rule, event, content)
                if count >= _AT_ONCE:
                    break
        if decided or now - self._kept_at > _KEEP_S:
            self.keep(decided)
            self._kept_at = now
        return bool(decided)

    def keep(self, decided: Sequence[Sending] = ()) -> None:
        """Write down what was decided, and how far rules have read."""
        kept = {
            name: RuleMemory(one.rule.made_of, self._read[name], one.memory) for name, one in self._evaluators.items()
        }
        self._catalog.rules.keep(kept, decided)


def _sendings(rule: RuleConfig, event: EventRow, content: dict[str, object]) -> list[Sending]:
    number, t, expires = event.acquisition_id, content["t"], content["expires_at"]
    assert number is not None  # an answer is about an acquisition
    return [Sending(rule.name, event.id, action, number, int(str(t)), content, str(expires)) for action in rule.actions]
