"""Several workers in one process of `nusetd`: whole processes, whose results are those of one worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cases.processes import command_of, family
from crowd_kills import CrowdKills, write_files
from cruelty import ENDLESS, finish
from lab import ENGINE, Lab, assert_same, environment, nusetd, result

from daemon.cli import main

ACQUISITIONS, FRAMES = 3, 4


def processed(lab: Lab, workers: int) -> None:
    given = ("--voxel-size", "1,0.5,0.5", "--engine", ENGINE, "--workers", workers)
    done = nusetd("process", lab.incoming, "--output", lab.output, *given)
    assert done.returncode == 0, done.stderr


@pytest.mark.long  # `.ci/run` runs it once
def test_three_workers_give_what_one_gives(new_lab: Callable[..., Lab]) -> None:
    one, three = new_lab("one", **ENDLESS), new_lab("three", workers=3, **ENDLESS)
    for lab, workers in ((one, 1), (three, 3)):
        write_files(lab, ACQUISITIONS, 0, FRAMES)
        processed(lab, workers)
    found = result(three)
    assert [(t, state) for _, t, state, _ in found["timepoints"]] == [(t, "done") for t in range(FRAMES)] * ACQUISITIONS
    assert len(found["nuclei"]) >= 4 * ACQUISITIONS * FRAMES
    assert_same(found, result(one))
    assert not list(three.output.rglob("*.part*"))
    commits = three.rows("select acquisition_id, t from timepoints order by acquisition_id, completed_at")
    assert commits == sorted(commits), "in order of t"


@pytest.mark.long  # `.ci/run` runs it once
def test_a_kill_of_one_of_several_costs_nothing(new_lab: Callable[..., Lab]) -> None:
    one, three = new_lab("one", **ENDLESS), new_lab("three", workers=3, **ENDLESS)
    for lab in (one, three):
        write_files(lab, ACQUISITIONS, 0, FRAMES)
    three.start(NUSETD_TEST_PAUSE="1.0")
    three.wait(lambda: len(three.rows("select 1 from timepoints where state = 'running'")) == 3)
    first = three.worker_pids()
    os.kill(first[0], signal.SIGKILL)
    three.wait(lambda: three.said().count("engine is ready") == 4)
    assert set(first[1:]) < set(three.worker_pids()), "the others went on"
    finish(one)
    assert three.stop() == 0, three.said()
    finish(three)
    assert_same(result(three), result(one))
    assert {attempts for (attempts,) in three.rows("select attempts from timepoints")} == {1}
    assert not list(three.output.rglob("*.part*"))


@pytest.mark.parametrize(
    ("workers", "sentence"),
    [
        ("0", "'0' is not a whole number of at least 1"),
        ("-1", "'-1' is not a whole number of at least 1"),
        ("many", "'many' is not a whole number of at least 1"),
        ("1000", "workers = 1000 must be a whole number from 1 to 256, or 'auto'; more of them are on more machines"),
        ("dask:nonsense", "'nonsense' is no address of a Dask scheduler: write tcp://HOST:PORT, or tls://HOST:PORT."),
        ("dask:tcp://127.0.0.1:99999", "is no address of a Dask scheduler"),
    ],
)
def test_workers_that_cannot_be_are_one_sentence(
    tmp_path: Path, workers: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["process", str(tmp_path), "--output", str(tmp_path / "out"), "--workers", workers])
    except SystemExit as error:  # the parser's own
        code = error.code  # type: ignore[assignment]
    assert code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.long  # `.ci/run` runs it once
def test_an_interrupt_leaves_no_process_behind_and_the_same_command_goes_on(new_lab: Callable[..., Lab]) -> None:
    one, four = new_lab("one", **ENDLESS), new_lab("four", **ENDLESS)
    for lab in (one, four):
        write_files(lab, ACQUISITIONS, 0, FRAMES)
    processed(one, 1)
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # a shell's background jobs ignore it
    run = f"import signal, sys; {heard}; from daemon.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", run, "process", str(four.incoming), "--output", str(four.output)]
    command += ["--voxel-size", "1,0.5,0.5", "--engine", ENGINE, "--workers", "4"]
    process = subprocess.Popen(command, env=environment(NUSETD_TEST_PAUSE="0.5"), start_new_session=True)
    four.wait(lambda: len(four.rows("select 1 from timepoints where state = 'done'")) >= 1)
    pids = family(process.pid)
    assert len(pids) >= 6, "four workers, and who looks into files"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(30) == 130
    four.wait(lambda: not [pid for pid in pids[1:] if command_of(pid)])
    assert four.rows("select 1 from timepoints where state != 'done'"), "it was interrupted on its way"
    processed(four, 4)
    assert_same(result(four), result(one))
    assert not list(four.output.rglob("*.part*"))


@pytest.mark.long  # `.ci/run` runs the few once
@pytest.mark.parametrize(
    ("acquisitions", "time_points", "workers", "kills"), [(3, 6, 3, 9), (6, 50, 4, 300)], ids=["few", "many"]
)
def test_kills_among_many_lose_nothing_and_double_nothing(
    new_lab: Callable[..., Lab], acquisitions: int, time_points: int, workers: int, kills: int
) -> None:
    undisturbed, lab = new_lab("undisturbed", **ENDLESS), new_lab("killed", workers=workers, **ENDLESS)
    write_files(undisturbed, acquisitions, 0, time_points)
    finish(undisturbed)
    crowd = CrowdKills(lab, acquisitions, time_points, kills, seed=20261127)
    done_at_kill = list(crowd.run())
    assert len(done_at_kill) == kills
    assert kills // 4 < crowd.of_workers < kills, "both were killed often"
    finish(lab)
    found = result(lab)
    assert [state for _, _, state, _ in found["timepoints"]] == ["done"] * (acquisitions * time_points)
    assert_same(found, result(undisturbed))
    assert not list(lab.output.rglob("*.part*"))
