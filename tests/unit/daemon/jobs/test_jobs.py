"""Jobs: kept on disk, run one after the other at the lowest priority, held for the service, stopped, found again."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cases.processes import children
from cases.stored import acquisition, register, work_off

from daemon.errors import DaemonError
from daemon.jobs import supervisor as supervising
from daemon.jobs.job import Job, JobReport, JobState, JobStep
from daemon.jobs.job_folders import LOG, JobFolders
from daemon.jobs.job_lock import held
from daemon.jobs.starting import Starter
from daemon.jobs.supervisor import Supervisor
from daemon.monitoring.report import Report
from storage.database.catalog import Catalog

PYTHON = (sys.executable, "-S", "-c")
SAYS = "print('found')"
FAILS = "import sys; sys.exit('no such image: look for it')"
COUNTS = """
import signal, sys, time
def end(*_):
    open({0!r} + '.kept', 'w').close()
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
for i in range(2000):
    open({0!r}, 'a').write('.')
    time.sleep(0.01)
"""
PATIENCE_S = 30.0


def waited(reached: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    return JobFolders(tmp_path / "jobs")


def made(folders: JobFolders, *scripts: str, output: str | None = None) -> Job:
    """A job whose steps are small programs."""
    job = folders.new("predict", "three images", {"weights": "histology"})
    job = replace(job, steps=tuple(JobStep(f"step {i}", (one,), output) for i, one in enumerate(scripts)))
    folders.write(job)
    return job


def state(folders: JobFolders, job: Job) -> JobState:
    return JobState(folders.reported(job.id).state)


def run(folders: JobFolders, job: Job, busy: Callable[[], str] = str, first: int = 0) -> threading.Thread:
    """Look after a job in a thread, as its process would; the supervisor hangs on the thread."""
    looking = Supervisor(folders, job, busy, first, PYTHON)

    def work() -> None:
        with held(folders.folder(job.id)):
            looking.run()

    thread = threading.Thread(target=work)
    thread.stop = looking.stop  # type: ignore[attr-defined]
    thread.start()
    return thread


def test_a_job_is_what_was_ordered_whoever_reads_it(folders: JobFolders) -> None:
    job = made(folders, SAYS)
    assert JobFolders(folders.root).job(job.id) == job
    assert state(folders, job) is JobState.DRAFT
    assert [one.id for one, _ in folders.all()] == [job.id]
    for wrong in ("../jobs", "20260101-000000-abcd", "", job.id + "/..", "x" * 5000):
        with pytest.raises(DaemonError, match="There is no job"):
            folders.folder(wrong)


def test_steps_run_in_order_and_what_they_print_is_kept(folders: JobFolders) -> None:
    job = made(folders, SAYS, "print('more')", output="said.txt")
    run(folders, job).join()
    assert state(folders, job) is JobState.DONE
    assert (folders.root / job.id / "said.txt").read_text() == "more\n"


def test_the_first_failure_ends_it_with_its_last_words(folders: JobFolders) -> None:
    job = made(folders, FAILS, SAYS)
    run(folders, job).join()
    report = folders.reported(job.id)
    assert (report.state, report.step, report.why) == ("failed", 0, "no such image: look for it")
    killed = made(folders, "import os; os.kill(os.getpid(), 9)")
    run(folders, killed).join()
    assert "SIGKILL" in folders.reported(killed.id).why


def test_a_job_is_held_while_the_service_has_work_and_goes_on_after(
    folders: JobFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "LOOK_S", 0.02)
    counted, why = tmp_path / "counted", ""
    job = made(folders, COUNTS.format(str(counted)))
    thread = run(folders, job, lambda: why)
    waited(counted.exists)
    why = "3 time points wait"
    waited(lambda: state(folders, job) is JobState.PAUSED)
    assert folders.reported(job.id).why == why
    before = counted.stat().st_size
    time.sleep(0.3)
    assert counted.stat().st_size == before
    why = ""
    waited(lambda: counted.stat().st_size > before)
    waited(lambda: state(folders, job) is JobState.RUNNING)  # is written when it goes on already
    why = "one more"
    waited(lambda: state(folders, job) is JobState.PAUSED)
    thread.stop()  # type: ignore[attr-defined]
    thread.join()
    assert state(folders, job) is JobState.STOPPED
    assert Path(f"{counted}.kept").exists(), "one that is held is told as well"


def test_one_job_is_at_work_at_a_time(folders: JobFolders, tmp_path: Path) -> None:
    first, second = made(folders, COUNTS.format(str(tmp_path / "one"))), made(folders, SAYS)
    one = run(folders, first)
    waited((tmp_path / "one").exists)
    other = run(folders, second)
    waited(lambda: state(folders, second) is JobState.WAITING)
    with pytest.raises(DaemonError, match="stop it first"):
        folders.remove(second.id)
    one.stop()  # type: ignore[attr-defined]
    one.join()
    other.join()
    assert (state(folders, first), state(folders, second)) == (JobState.STOPPED, JobState.DONE)
    folders.remove(first.id)
    assert [job.id for job, _ in folders.all()] == [second.id]


def test_drafts_of_yesterday_are_removed(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    folders = JobFolders(tmp_path, lambda: now)
    old, done = made(folders, SAYS), made(folders, SAYS)
    folders.report(done.id, JobReport("done", now))
    now += 25 * 3600
    new = made(folders, SAYS)
    folders.remove_old_drafts()
    assert {job.id for job, _ in folders.all()} == {done.id, new.id}
    assert old.id not in os.listdir(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel ends children with their parent")
def test_a_job_lives_on_without_who_started_it_and_its_death_is_said(folders: JobFolders, tmp_path: Path) -> None:
    """A real process: killed, it takes its command along; ordered again, it goes on."""
    job = folders.new("predict", "nothing", {})
    waiting = ("evaluate", str(tmp_path / "pipe"), str(tmp_path))
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "image.png")  # whoever opens it waits
    (tmp_path / "image.png").write_bytes(b"")
    folders.write(replace(job, steps=(JobStep("wait", waiting),)))
    Starter(folders, "").start(job.id)
    report = folders.reported(job.id)
    assert os.getpriority(os.PRIO_PROCESS, report.pid) == 19
    assert os.getsid(report.pid) == report.pid
    waited(lambda: children(report.pid))
    (child, *_) = children(report.pid)
    with pytest.raises(DaemonError, match="at work already"):
        Starter(folders, "").start(job.id)
    os.kill(report.pid, signal.SIGKILL)
    waited(lambda: state(folders, job) is JobState.DIED)
    waited(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))
    with pytest.raises(DaemonError, match="not at work"):
        Starter(folders, "").stop(job.id)
    folders.write(replace(job, steps=(JobStep("say", ("settings", "min_score", "--format", "json"), "said.json"),)))
    Starter(folders, "").start(job.id)
    waited(lambda: state(folders, job) is JobState.DONE)
    assert json.loads((folders.root / job.id / "said.json").read_text())
    assert (folders.root / job.id / LOG).exists()


def test_the_service_has_work_while_a_time_point_waits_that_is_not_paused(tmp_path: Path) -> None:
    assert supervising.service_work(f"sqlite:///{tmp_path / 'none.sqlite'}") == ""
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        database = f"sqlite:///{tmp_path / 'nusetd.sqlite'}"
        catalog.add_timepoints(register(catalog, acquisition()).id, {0: "a", 1: "b"})
        assert supervising.service_work(database) == "", "no service runs, nobody would ever take them"
        said = Report("running", os.getpid(), socket.gethostname(), "1", "2026-03-01T11:00:00.000Z", 10.0)
        catalog.report(said.as_dict())
        assert supervising.service_work(database).startswith("2 time points wait for the service")
        work_off(catalog)
        assert supervising.service_work(database) == ""


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
