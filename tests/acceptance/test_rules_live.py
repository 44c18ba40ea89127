"""A service with rules, and somebody who follows: soon, each once over kills, and the same as a replay says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cases.mirror import Mirror
from cruelty import ENDLESS, Cruelty, finish, write_time_point
from lab import Lab, asked, environment, nusetd

import storage

RULES = """
[[when]]
name = "follow"
over = "tracks"
where = "track_id = 1"
next = "{answers}"

[[when]]
name = "many"
over = "counts"
where = "nuclei_count >= 5"
holds_for = 2
command = ["true"]
"""


def ruled(lab: Lab) -> Lab:
    """A lab with rules, and the folder that acquisition software would poll."""
    answers = lab.root / "answers"
    answers.mkdir()
    lab.config.write_text(lab.config.read_text() + RULES.format(answers=answers))
    return lab


def sent(lab: Lab, rule: str) -> list[tuple[int, str]]:
    return lab.rows(f"select t, state from rule_sendings where rule = '{rule}' order by event_id")


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Heard(threading.Thread):
    """Somebody who follows in this process, and how late each line was."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(daemon=True)
        self._ending = threading.Event()
        self._following = storage.open(lab.database).follow("start", ending=self._ending)
        self.lines: list[dict[str, Any]] = []
        self.late_s: list[float] = []

    def run(self) -> None:
        from storage.clock import iso, utc_now

        for line in self._following:
            self.late_s.append(seconds_between(line["at"], iso(utc_now())))
            self.lines.append(line)

    def end(self) -> None:
        self._ending.set()
        self.join(10)
        assert not self.is_alive()

    def times(self) -> list[int]:
        return [line["t"] for line in list(self.lines) if line["kind"] == "timepoint"]


@pytest.mark.long  # `.ci/run` runs it once
def test_a_rule_answers_soon_and_once_over_a_kill_and_a_reload(new_lab: Callable[..., Lab]) -> None:
    lab = ruled(new_lab(**ENDLESS))
    lab.start()
    lab.wait(lambda: bool(lab.rows("select 1 from rule_states")))
    heard = Heard(lab)
    heard.start()
    for t in range(3):
        write_time_point(lab, t)
    lab.wait(lambda: sent(lab, "follow") == [(0, "sent"), (1, "sent"), (2, "sent")])
    assert json.loads((lab.root / "answers" / "next.json").read_text())["t"] == 2
    lab.wait(lambda: heard.times() == [0, 1, 2])
    assert max(heard.late_s) < 1.0
    told = lab.rows("select json_extract(content, '$.committed_at'), delivered_at from rule_sendings")
    assert max(seconds_between(*one) for one in told) < 2.0
    lab.kill()
    lab.start()
    write_time_point(lab, 3)
    lab.wait(lambda: sent(lab, "follow")[3:] == [(3, "sent")] and heard.times() == [0, 1, 2, 3])
    dry = json.loads(asked("rules", "--dry-run", "1", "--database", lab.database, "--format", "json").stdout)
    assert [(one["rule"], one["t"]) for one in dry] == lab.rows(
        "select rule, t from rule_sendings order by event_id, rule"
    )
    lab.config.write_text(lab.config.read_text().replace('where = "track_id = 1"', 'where = "track_id = 2"'))
    assert lab.process is not None
    lab.process.send_signal(signal.SIGHUP)
    lab.wait(lambda: "configuration read again" in lab.said())
    write_time_point(lab, 4)
    lab.wait(lambda: sent(lab, "follow")[4:] == [(4, "sent")])
    newest = json.loads((lab.root / "answers" / "next.json").read_text())
    assert newest["found"]["track_id"] == 2
    listed = asked("rules", "--database", lab.database).stdout
    assert "follow: tracks where track_id = 2" in listed
    heard.end()
    assert lab.stop() == 0


class Follower:
    """`nusetd follow` in a process of its own, which goes on after a kill where its last whole line was."""

    def __init__(self, lab: Lab, file: Path) -> None:
        self._lab, self._file = lab, file
        self._process: subprocess.Popen[bytes] | None = None
        self._whole = b""

    def start(self) -> None:
        self._file.write_bytes(self._whole)
        cursor = json.loads(self._whole.splitlines()[-1])["cursor"] if self._whole else "start"
        command = [
            sys.executable,
            "-m",
            "daemon.cli",
            "follow",
            "--from",
            cursor,
            "--database",
            str(self._lab.database),
        ]
        with self._file.open("ab") as file:
            self._process = subprocess.Popen(command, stdout=file, env=environment())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        written = self._file.read_bytes()
        self._whole = written[: written.rfind(b"\n") + 1]

    def written(self) -> str:
        return self._file.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._whole.splitlines()]


@pytest.mark.long
def test_twenty_kills_of_service_and_follower_tell_each_row_once(new_lab: Callable[..., Lab]) -> None:
    lab = ruled(new_lab(**ENDLESS))
    lab.start()
    lab.wait(lambda: bool(lab.rows("select 1 from rule_states")))
    lab.kill()
    follower = Follower(lab, lab.root / "lines.jsonl")
    follower.start()
    for _ in Cruelty(lab, 20, 20, seed=20261127).run():
        follower.kill()
        follower.start()
    finish(lab)
    lab.process = None
    last = list(storage.open(lab.database).follow("start", until_now=True))[-1]["cursor"]
    follower.kill()
    follower.start()
    lab.wait(lambda: f'"cursor": "{last}"' in follower.written())
    follower.kill()
    Mirror().take(follower.lines).check(lab.database)
    printed = nusetd(
        "rules",
        "--dry-run",
        "1",
        "--limit",
        1000,
        "--format",
        "json",
        "--config",
        lab.config,
        "--database",
        lab.database,
    ).stdout
    dry = sorted((one["rule"], one["t"]) for one in json.loads(printed))
    assert dry == lab.rows("select rule, t from rule_sendings order by rule, t")
    assert {state for _, state in sent(lab, "follow")} <= {"sent", "void"}
