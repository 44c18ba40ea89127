"""The part of the catalog that knows what rules decided, and what became of it; each decision is there once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, insert, select, update

from storage.database.book import Book
from storage.database.records import upsert
from storage.query.noticing.sendings import DUE, KEPT, SENT, VOID, Sending
from storage.schema.tables import events, rule_sendings, rule_states


@dataclass(frozen=True)
class RuleMemory:
    """How far a rule has read the events, and what it remembers of them; `made_of` tells which rule it was."""

    made_of: str
    event_id: int
    memory: Mapping[str, Any]


class RuleBook(Book):
    """Every method is one transaction."""

    def memory(self, rule: str) -> RuleMemory | None:
        """Return what a rule remembered; None: it is new."""
        query = select(rule_states).where(rule_states.c.rule == rule)
        with self._transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else RuleMemory(row["made_of"], int(row["event_id"]), row["memory"])

    def keep(self, kept: Mapping[str, RuleMemory], decided: Sequence[Sending] = ()) -> None:
        """Keep how far rules have read, and what they decided meanwhile, in one transaction.

        What was decided before is there already: a rule that reads on from further back decides the same again.
        """
        with self._transaction() as connection:
            for one in decided:
                here = and_(
                    rule_sendings.c.rule == one.rule,
                    rule_sendings.c.event_id == one.event_id,
                    rule_sendings.c.action == one.action,
                )
                known = connection.execute(select(events.c.id).where(events.c.id == one.event_id)).first()
                if known is None or connection.execute(select(rule_sendings.c.id).where(here)).first() is not None:
                    continue  # its acquisition was forgotten meanwhile, or it is there
                values = {name: getattr(one, name) for name in KEPT}
                values["content"] = dict(one.content)
                connection.execute(insert(rule_sendings).values(**values, state=DUE, decided_at=self._now()))
            records = [
                {"rule": rule, "made_of": one.made_of, "event_id": one.event_id, "memory": dict(one.memory)}
                for rule, one in kept.items()
            ]
            if records:
                upsert(connection, rule_states, records, ("rule",))

    def note(self, number: int, state: str, outcome: str, attempts: int) -> None:
        """Write down how sending went; still due, it is to be tried again."""
        at = self._now() if state == SENT else None
        values = {"state": state, "outcome": outcome, "attempts": attempts, "delivered_at": at}
        with self._transaction() as connection:
            connection.execute(update(rule_sendings).where(rule_sendings.c.id == number).values(values))

    def drop(self, rules: Sequence[str], reason: str) -> None:
        """Call off what rules that are no more were still to send."""
        table = rule_sendings
        mine = and_(table.c.state == DUE, table.c.rule.not_in(rules))
        with self._transaction() as connection:
            connection.execute(update(table).where(mine).values(state=VOID, outcome=reason))
