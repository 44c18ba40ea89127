"""Rules go over events, one after the other: the same for a running service and for a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from daemon import logs
from daemon.configuration.rules import RuleConfig
from daemon.rules.answer import answer
from daemon.rules.decision import CourseOfRule, decide
from storage.errors import WrongRequestError
from storage.query.following.event_rows import EventRow
from storage.query.noticing import looks
from storage.query.noticing.looks import Glance, Noticed
from storage.schema.event_kinds import DIVIDED, EventKind
from storage.schema.tables import acquisitions

_ACQUISITIONS = 500  # that a rule remembers, the latest


class Evaluator:
    """One rule, and what it remembers of each acquisition.

    Parameters
    ----------
    rule : RuleConfig
    memory : mapping, optional
        What `memory` gave before.
    """

    def __init__(self, rule: RuleConfig, memory: Mapping[str, Any] | None = None) -> None:
        self.rule = rule
        self._courses = {int(n): CourseOfRule.restored(one) for n, one in (memory or {}).items()}

    @property
    def memory(self) -> dict[str, Any]:
        """What it remembers, for JSON."""
        latest = sorted(self._courses.items())[-_ACQUISITIONS:]
        return {str(number): course.as_dict() for number, course in latest}

    def take(self, connection: Connection, event: EventRow) -> dict[str, Any] | None:
        """Look at one event; return what is to be sent because of it."""
        number = event.acquisition_id
        if number is None:
            return None
        if event.kind in (EventKind.DROPPED, EventKind.FORGOTTEN):
            self._courses.pop(number, None)
            return None
        name = connection.execute(select(acquisitions.c.name).where(acquisitions.c.id == number)).scalar()
        if event.kind not in (EventKind.TIMEPOINT, EventKind.TRACKS) or name is None or not self.rule.is_about(name):
            return None
        course = self._courses.get(number, CourseOfRule())
        if course.divisions is None:
            course = replace(course, divisions=looks.divisions_before(connection, number, event.id))
        glance = Glance(event, course.divisions or 0, course.drift_um)
        course, found = self._look(connection, glance, course)
        speaks = False
        if found is not None:
            course, speaks = decide(self.rule, course, bool(found), event.at)
        self._courses[number] = replace(course, divisions=looks.divisions_after(glance))
        return answer(connection, self.rule, event, found, course.drift_um) if found and speaks else None

    def _look(
        self, connection: Connection, glance: Glance, course: CourseOfRule
    ) -> tuple[CourseOfRule, Sequence[Noticed] | None]:
        """What the condition holds for; None: it is not asked at this event.

        Divisions are looked at whenever they become known, all else at each time point that is later than those before:
        one that is done again, or comes late, is no reason to move a stage.
        """
        event, rule = glance.event, self.rule
        if rule.over == "divisions":
            if not event.facts.get(DIVIDED):
                return course, None
        elif event.kind is not EventKind.TIMEPOINT or event.t is None or event.t <= course.last_t:
            return course, None
        else:
            course = replace(course, last_t=event.t)
            if rule.over == "drift" or rule.aim == "drift":
                step, _ = looks.step_um(connection, event)
                z, y, x = (before + moved for before, moved in zip(course.drift_um, step, strict=True))
                course = replace(course, drift_um=(z, y, x))
        try:
            return course, looks.rows(connection, rule.over, rule.where, glance)
        except WrongRequestError as error:
            logs.warning_once("rule cannot be asked", (rule.name, event.acquisition_id), rule=rule.name, reason=error)
            return course, []
