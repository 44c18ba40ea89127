"""Corrections in whole processes: through the running service, without one, over new time points, and over kills."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.corrected import CorrectedMovie, assert_consistent, assert_same_seen, random_word
from lab import PATIENCE_S, Lab, asked, nusetd, result, stack, write_stack

from storage.corrections.asking import Corrector
from storage.database.beside import open_beside_the_service
from storage.errors import StorageError, WrongRequestError
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow

Maker = Callable[..., Lab]
CORRECTIONS, KILLS = 200, 50


def said(lab: Lab, *words: object) -> str:
    """What `nusetd correct` answers."""
    answer = asked("correct", "exp", *words, "--database", lab.output)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def states(lab: Lab) -> list[str]:
    """Of what was said."""
    return [state for (state,) in lab.rows("select state from corrections order by id")]


def test_corrections_through_the_service_survive_new_time_points_and_are_undone_without_it(new_lab: Maker) -> None:
    lab = new_lab()
    lab.start()
    for t in range(2):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
    lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
    plain = result(lab)
    assert said(lab, "delete", "--t", 1, "--label", 2).startswith("correction 1 (delete at time point 1) is applied")
    assert lab.rows("select t, count(*) from nuclei group by t") == [(0, 5), (1, 4)]
    assert "made nuclei 3" in said(lab, "split", "--t", 0, "--label", 3, "--at", "2.5,23.0,22.5", "--at", "2.5,25,22.5")
    assert lab.rows("select t, count(*) from nuclei where corrected group by t") == [(0, 2)]
    refused = asked("correct", "exp", "delete", "--t", 1, "--label", 2, "--database", lab.output)
    assert (refused.returncode, "There is no nucleus 2" in refused.stderr) == (2, True)
    lab.wait(lab.settled)
    corrected = result(lab)
    write_stack(lab.incoming / "exp_t002.tif", stack(2))
    lab.wait(lambda: lab.done() == 3 and lab.states() == ["complete"] and states(lab) == ["applied"] * 2)
    lab.wait(lab.settled)
    again = result(lab)
    assert [row for row in again["nuclei"] if row["t"] < 2] == corrected["nuclei"]
    assert asked("verify", "exp", "--database", lab.output).returncode == 0
    assert lab.stop() == 0
    listed = asked("correct", "exp", "list", "--database", lab.output)
    assert [word in listed.stdout for word in ("delete", "split", "applied")] == [True] * 3
    assert said(lab, "undo").startswith("event 3, undoing correction 2, is applied: tracks")
    assert said(lab, "undo", 1).startswith("event 4, undoing correction 1, is applied")
    assert lab.rows("select count(*) from nuclei where corrected or label > 5") == [(0,)]
    undone = result(lab)
    for name, labels in plain["labels"].items():
        if "tracks" not in name:
            np.testing.assert_array_equal(undone["labels"][name][:2], labels)
    assert [_without_track(row) for row in undone["nuclei"] if row["t"] < 2] == list(
        map(_without_track, plain["nuclei"])
    )


def _without_track(row: dict[str, Any]) -> dict[str, Any]:
    """A nucleus; its track may be another one after one more time point."""
    return {name: value for name, value in row.items() if name != "track_id"}


@pytest.mark.long
def test_processing_again_with_other_settings_repeats_what_was_said(new_lab: Maker) -> None:
    lab = new_lab()
    for t in range(2):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
    options = [lab.incoming, "--output", lab.output, "--config", lab.config, "--voxel-size", "1,0.5,0.5"]
    assert nusetd("process", *options).returncode == 0
    assert "removed 2" in said(lab, "delete", "--t", 1, "--label", 2)
    assert nusetd("process", *options, "--set", "tracking.memory_frames=1").returncode == 0
    assert lab.rows("select acquisition_id, kind, state, carried_from from corrections order by id") == [
        (1, "delete", "applied", None),
        (2, "delete", "applied", 1),
    ]
    assert lab.rows("select acquisition_id, count(*) from nuclei group by acquisition_id") == [(1, 9), (2, 9)]
    assert lab.settled()
    assert [asked("verify", number, "--database", lab.output).returncode for number in (1, 2)] == [0, 0]


class Sayer:
    """Says the same things of a movie, whoever carries them out."""

    def __init__(self, movie: CorrectedMovie, row: AcquisitionRow) -> None:
        self.movie, self.row = movie, row
        self.corrector = Corrector(str(movie.output), row.id, wait_s=PATIENCE_S, author="me")
        self.rng = np.random.default_rng(7)

    def step(self) -> None:
        """Say something of what is there, or take something back, and wait until it is so."""
        word = random_word(self.rows(), self.rng)
        pick = self.rng.random()
        while True:
            try:
                if word is not None:
                    self.corrector.say(word)
                    return
                lasting = self.lasting()
                self.corrector.undo(lasting[int(pick * len(lasting))] if lasting else None)
                return
            except WrongRequestError:
                return
            except StorageError as error:
                if "just being replaced" not in str(error):
                    raise
                time.sleep(0.1)

    def rows(self) -> dict[str, Any]:
        """The nuclei that people see."""
        import pandas as pd
        from sqlalchemy import text

        with snapshot(self.movie.output) as connection:
            query = text("SELECT * FROM nuclei ORDER BY t, label")
            return {"nuclei": pd.read_sql_query(query, connection)}

    def lasting(self) -> list[int]:
        """What was said and is not undone."""
        catalog = open_beside_the_service(self.movie.output)
        try:
            return [one.id for one in catalog.corrections.of(self.row.id) if one.undone_by is None]
        finally:
            catalog.close()


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_hundred_corrections_with_fifty_kills_end_as_without_them(new_lab: Maker, tmp_path: Path) -> None:
    undisturbed = CorrectedMovie(tmp_path / "undisturbed")
    row = undisturbed.process()
    lab = new_lab()
    shutil.copytree(undisturbed.output, lab.output)
    killed = CorrectedMovie(lab.output)
    plain = Sayer(undisturbed, row)
    for _ in range(CORRECTIONS):
        plain.step()
    sayer, rng = Sayer(killed, row), np.random.default_rng(8)
    deadly = set(rng.choice(CORRECTIONS, KILLS, replace=False).tolist())
    lab.start()
    lab.wait(lambda: "engine is ready" in lab.said())
    for number in range(CORRECTIONS):
        killer = threading.Timer(float(rng.uniform(0.0, 2.0)), _kill_and_start, (lab,))
        if number in deadly:
            killer.start()
        sayer.step()
        if number in deadly:
            killer.join()
    with open_beside_the_service(lab.output) as catalog:
        lab.wait(lambda: catalog.corrections.due() == ())
    lab.wait(lab.settled)
    assert lab.stop() == 0
    found = killed.seen(row)
    assert_consistent(found)
    assert_same_seen(found, undisturbed.seen(row))
    assert asked("verify", str(row.id), "--no-source", "--database", lab.output).returncode == 0


def _kill_and_start(lab: Lab) -> None:
    """Another one; it ends at once where a command, which found none running, just then holds the database."""
    lab.kill()
    ready = lab.said().count("engine is ready")
    while lab.process is None or lab.process.poll() is not None:
        lab.start()
        while lab.process is not None and lab.process.poll() is None and lab.said().count("engine is ready") == ready:
            time.sleep(0.1)


GROWING = 8
WORDS: dict[int, tuple[object, ...]] = {
    2: ("delete", "--t", 1, "--label", 2),
    3: ("split", "--t", 2, "--label", 3, "--at", "2.5,23.0,22.5", "--at", "2.5,25,22.5"),
    4: ("unlink", "--t", 2, "--label", 4, "--to", 4),
    5: ("link", "--t", 3, "--label", 1, "--to", 5),
    6: ("merge", "--t", 5, "--labels", "1,4"),
}
"""What is said when so many time points are done."""


def grown(lab: Lab, kills: dict[int, float]) -> dict[str, Any]:
    """A series that is corrected while it comes; where so many are done, the service is killed after some seconds."""
    lab.start()
    for t in range(GROWING):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
        killer = threading.Timer(kills.get(t + 1, 0.0), _kill_and_start, (lab,))
        _until(lambda done=t + 1: lab.done() >= done)
        if t + 1 in kills:
            killer.start()
        while t + 1 in WORDS and len(states(lab)) < list(WORDS).index(t + 1) + 1:
            answer = asked("correct", "exp", *WORDS[t + 1], "--database", lab.output)
            assert answer.returncode == 0 or "just being replaced" in answer.stderr, answer.stderr
        if t + 1 in kills:
            killer.join()
    _until(lambda: states(lab) == ["applied"] * len(WORDS))
    assert lab.states() == ["processing"], "it is under way all the time"
    lab.wait(lambda: not lab.rows("select 1 from timepoints where published_at is null"))
    assert lab.stop() == 0
    return result(lab)


def _until(reached: Callable[[], bool]) -> None:
    """Wait, whoever runs meanwhile."""
    until = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.1)


def _tracks(found: dict[str, Any]) -> set[frozenset[tuple[int, int]]]:
    """Which nuclei are one track, whatever its number."""
    members: dict[int, set[tuple[int, int]]] = {}
    for row in found["nuclei"]:
        members.setdefault(row["track_id"], set()).add((row["t"], row["label"]))
    return {frozenset(nodes) for nodes in members.values()}


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_movie_that_is_corrected_while_it_runs_ends_the_same_with_kills(new_lab: Maker) -> None:
    quiet = 3600.0
    calm = grown(new_lab("calm", acquisition_quiet_s=quiet), {})
    rng = np.random.default_rng(3)
    killed = grown(new_lab("killed", acquisition_quiet_s=quiet), {n: float(rng.uniform(0.0, 1.5)) for n in (*WORDS, 7)})
    for one, other in zip(calm["nuclei"], killed["nuclei"], strict=True):
        assert _without_track(one) == _without_track(other)
    assert _tracks(calm) == _tracks(killed)
    for name, labels in calm["labels"].items():
        if "tracks" not in name:
            np.testing.assert_array_equal(labels, killed["labels"][name])


@pytest.mark.long
def test_corrections_wait_for_no_worker_that_is_in_the_middle_of_a_stack(new_lab: Maker) -> None:
    """One worker, which sleeps over another acquisition for as long as all this takes."""
    lab = new_lab()
    lab.start()
    for t in range(2):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
    lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
    assert lab.stop() == 0
    lab.start(NUSETD_TEST_PAUSE="3600")
    write_stack(lab.incoming / "other_t000.tif", stack(5, seed=2))
    lab.wait(lambda: bool(lab.rows("select 1 from timepoints where state = 'running'")))
    busy = lab.worker_pids()
    assert "removed 2" in said(lab, "merge", "--t", 1, "--labels", "1,2")
    assert len(lab.worker_pids()) == 2, "somebody beside the worker did it"
    assert "made nuclei" in said(lab, "split", "--t", 0, "--label", 3, "--at", "2.5,23.0,22.5", "--at", "2.5,25,22.5")
    assert "removed" in said(lab, "delete", "--t", 1, "--label", 4)
    assert lab.rows("select t, count(*) from nuclei group by t") == [(0, 6), (1, 3)]
    lab.wait(lambda: not lab.rows("select 1 from timepoints where state = 'done' and painted_at is null"))
    assert lab.rows("select count(*) from timepoints where state = 'running'") == [(1,)]
    assert busy[0] in lab.worker_pids(), "the worker is where it was"
    lab.kill()
    assert asked("verify", "exp", "--no-source", "--database", lab.output).returncode == 0
