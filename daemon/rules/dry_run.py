"""What rules would have sent of a stored acquisition, and when: its events once more, looked at by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from daemon.configuration.rules import RuleConfig
from daemon.rules.evaluator import Evaluator
from storage.query.following.event_rows import events_from


def dry_run(connection: Connection, rules: Sequence[RuleConfig], acquisition_id: int) -> Iterator[dict[str, Any]]:
    """Give the answers of rules that had been there from the first event of an acquisition on, in their order.

    Rows are as they are now: where they were changed since, a rule may decide otherwise than it did.
    """
    evaluators = [Evaluator(rule) for rule in rules]
    for event in events_from(connection, 1, acquisition_id):
        for evaluator in evaluators:
            content = evaluator.take(connection, event)
            if content is not None:
                yield content
