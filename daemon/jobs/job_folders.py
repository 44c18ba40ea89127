"""The jobs on disk: a folder for each, found again by whoever looks.

In a folder: ``job.json`` (what was ordered), ``state.json`` (what its process last said), ``log.txt`` (what its
commands wrote), ``images`` (what was uploaded), ``results``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError
from daemon.jobs.job import Job, JobReport, JobState
from daemon.jobs.job_lock import is_held
from storage.files.whole_file import whole

IMAGES, RESULTS, LOG = "images", "results", "log.txt"
_JOB, _STATE = "job.json", "state.json"
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_LOG_SHOWN = 20_000  # bytes
_DRAFT_S = 24 * 3600.0


class JobFolders:
    """All jobs below a folder.

    Parameters
    ----------
    root : Path
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self._clock = clock

    def new(self, kind: str, title: str, order: Mapping[str, Any]) -> Job:
        """Make the folder of a new job, which is a draft until it is started.

        Raises
        ------
        DaemonError
            When it cannot be made.
        """
        moment = datetime.fromtimestamp(self._clock(), UTC)
        number = f"{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        job = Job(number, kind, title, moment.isoformat(timespec="seconds"), order=order)
        try:
            (self.root / number / RESULTS).mkdir(parents=True)
            (self.root / number / IMAGES).mkdir()
        except OSError as error:
            raise DaemonError(
                f"{self.root} cannot be written ({error.strerror}): set jobs in [page], or --jobs, to another folder."
            ) from error
        self.write(job)
        self.report(job.id, JobReport(JobState.DRAFT.value, self._clock()))
        return job

    def folder(self, number: str) -> Path:
        """Where a job lies.

        Raises
        ------
        DaemonError
            When there is none.
        """
        if not _ID.fullmatch(number) or not (self.root / number / _JOB).is_file():
            raise DaemonError(f"There is no job {number[:40]!r}: it was removed, or never was.")
        return self.root / number

    def write(self, job: Job) -> None:
        """Write what was ordered."""
        _replace(self.root / job.id / _JOB, job.as_dict())

    def report(self, number: str, report: JobReport) -> None:
        """Write how far it is."""
        _replace(self.root / number / _STATE, asdict(report))

    def job(self, number: str) -> Job:
        """What was ordered.

        Raises
        ------
        DaemonError
            When there is no such job, or its folder is damaged.
        """
        file = self.folder(number) / _JOB
        try:
            return Job.from_dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DaemonError(f"{file} cannot be read ({error}): remove the job, and order it again.") from error

    def reported(self, number: str) -> JobReport:
        """What its process last said; of one that no longer lives, that it died.

        Raises
        ------
        DaemonError
            When there is no such job.
        """
        try:
            report = JobReport(**json.loads((self.folder(number) / _STATE).read_text(encoding="utf-8")))
            state = JobState(report.state)
        except (OSError, ValueError, TypeError):
            return JobReport(JobState.DIED.value, self._clock(), why=JobState.DIED.meaning)
        if state.is_alive and not is_held(self.root / number):
            return JobReport(JobState.DIED.value, report.at, report.step, why=JobState.DIED.meaning)
        return report

    def all(self) -> list[tuple[Job, JobReport]]:
        """Every job that can be read, the newest first."""
        found = []
        for number in sorted((one for one in _names(self.root) if _ID.fullmatch(one)), reverse=True):
            try:
                found.append((self.job(number), self.reported(number)))
            except DaemonError:
                continue  # being made, or removed, at this moment
        return found

    def log(self, number: str) -> str:
        """The end of what a job's commands wrote.

        Raises
        ------
        DaemonError
            When there is no such job.
        """
        try:
            with (self.folder(number) / LOG).open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - _LOG_SHOWN, 0))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def remove(self, number: str) -> None:
        """Remove a job with all that it has.

        Raises
        ------
        DaemonError
            When it is at work, or cannot be removed.
        """
        folder = self.folder(number)
        if JobState(self.reported(number).state).is_alive:
            raise DaemonError("The job is at work: stop it first.")
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise DaemonError(f"{folder} cannot be removed ({error.strerror}): look at who owns it.") from error

    def remove_old_drafts(self) -> None:
        """Remove what was begun a day ago and never started."""
        for job, report in self.all():
            if report.state == JobState.DRAFT.value and self._clock() - report.at > _DRAFT_S:
                self.remove(job.id)

    def uploaded_bytes(self) -> int:
        """How much all uploaded images take together."""
        return sum(
            entry.stat().st_size for number in _names(self.root) for entry in _files(self.root / number / IMAGES)
        )


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _files(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []


def _replace(file: Path, values: Mapping[str, Any]) -> None:
    """Write a file in one step: readers see the old or the new one."""
    with whole(file) as unfinished:
        unfinished.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
