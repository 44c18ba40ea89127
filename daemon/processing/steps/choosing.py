"""Which channel shows nuclei, where neither a person nor the file says it: a worker looks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.channels.looking import doubt_about_channel, plain, question
from daemon.processing.messages import ChooseTask, Chosen, Failed
from daemon.processing.recipe import StoredRecipe
from daemon.processing.steps.books import Books
from daemon.processing.steps.time_points import give_back, refusal
from nuset_engine.channels.choice import Verdict
from storage.errors import StaleJobError
from storage.schema.rows import ChannelFact

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow, TimepointJob


class ChoosingChannel:
    """Has the first time point that shows nuclei decide; what it decides is a fact of the acquisition from then on."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> TimepointJob | None:
        """The next time point of an acquisition of which it is open."""
        books = self._books
        if books.alone is not None:
            return books.take_alone(self._step.name)
        job = books.catalog.channels.claim(books.waiting())
        if job is None:
            return None
        books.output_mounts.learn(job.acquisition)
        return job if books.may_go(self._step.name, job) else None

    def begin(self, work: TimepointJob) -> ChooseTask | Failed:
        """What the worker is told."""
        if self._books.alone is not None:
            self._books.alone.begun = True
        refused = refusal(self._books, work)
        return refused or ChooseTask(work.acquisition, work.t, work.fingerprint, self._books.is_on_trial(work))

    def end(self, work: TimepointJob, result: Chosen) -> None:
        """Write it down, and have the time point analysed; or set the acquisition aside, with a question."""
        books, row, trial = self._books, work.acquisition, result.trial
        figures = plain(trial, work.t, row.channel_names)
        try:
            if trial.verdict is Verdict.CLEAR:
                self._take(work, ChannelFact(trial.best, "measured", figures))
                logs.info("channel found", acquisition=row.name, channel=trial.best, t=work.t)
            elif trial.verdict is Verdict.NONE and _may_go_on(row):
                books.claimed.append(replace(work, acquisition=books.catalog.channels.leave_open(work, figures)))
                logs.warning("no channel shows nuclei yet", acquisition=row.name, t=work.t)
            elif StoredRecipe.of(row).unclear_channel == "take":
                taken = self._take(work, ChannelFact(trial.best, "guessed", figures))
                logs.warning("channel in doubt", acquisition=row.name, reason=doubt_about_channel(taken))
            else:
                reason = question(row.name, figures)
                books.catalog.channels.ask(work, reason, figures)
                logs.warning("acquisition is set aside", acquisition=row.name, reason=reason)
                books.tell("failed", row, work.t, reason=reason)
                books.settled(row.id)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=row.name, t=work.t, reason=error)
        books.stall.over()

    def fail(self, work: TimepointJob, failed: Failed) -> None:
        """Try it again, or set the time point aside."""
        give_back(self._books, self._step, work, failed)

    def subject(self, work: TimepointJob) -> tuple[AcquisitionRow, int | None]:
        """The time point."""
        return work.acquisition, work.t

    def _take(self, work: TimepointJob, fact: ChannelFact) -> AcquisitionRow:
        row = self._books.catalog.channels.decide(work, fact)
        self._books.claimed.append(replace(work, acquisition=row))
        return row


def _may_go_on(row: AcquisitionRow) -> bool:
    """Say whether another time point may show what this one does not."""
    return row.first_number is not None or (row.size_t or 1) > 1
