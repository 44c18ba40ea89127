"""Alerts reach a real program with their facts, are limited in rate, and hold nothing up."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from daemon.children.user_command import run_command
from daemon.configuration.alerts import AlertsConfig
from daemon.monitoring.alarms import Alert
from daemon.monitoring.alert_sender import AlertSender

KEEP = (
    "import json, os, sys; "
    "print(json.dumps([json.load(sys.stdin), os.environ['NUSETD_ALERT_KIND'], os.environ['NUSETD_ALERT_MESSAGE'], "
    "sys.argv[2:]]), file=open(sys.argv[1], 'a'))"
)
ALERT = Alert("lag", "queue", "It lags; $(touch /tmp/never) `id` 'ä'.", {"lag_s": 7.5})


def desk(*command: object, **limits: float) -> AlertSender:
    config = AlertsConfig(command=tuple(map(str, command)), **limits)  # type: ignore[arg-type]
    return AlertSender(config, lambda: "2026-01-01T00:00:00Z")


def test_the_command_gets_the_facts_as_json_and_variables_and_no_shell_sees_them(tmp_path: Path) -> None:
    told = tmp_path / "told"
    sender = desk(sys.executable, "-c", KEEP, told, "$HOME; id")
    assert sender.raise_alert(ALERT, 0.0)
    sender.stop(30.0)
    facts, kind, message, arguments = json.loads(told.read_text())
    assert facts == {
        "kind": "lag",
        "subject": "queue",
        "message": ALERT.message,
        "at": "2026-01-01T00:00:00Z",
        "held_back": 0,
        "facts": {"lag_s": 7.5},
    }
    assert (kind, message) == ("lag", ALERT.message)
    assert arguments == ["$HOME; id"]


def test_the_same_alert_is_not_repeated_before_its_pause() -> None:
    sender = desk(pause_s=100.0)
    other = Alert("lag", "another", "It lags too.")
    assert [sender.raise_alert(alert, now) for alert, now in ((ALERT, 0), (ALERT, 99), (other, 99), (ALERT, 100))] == [
        True,
        False,
        True,
        True,
    ]
    assert (sender.sent, sender.held_back) == (3, 1)


def test_an_hour_has_only_so_many_alerts() -> None:
    sender = desk(at_most_per_hour=2)
    alerts = [Alert("set_aside", f"file {i}", "It is damaged.") for i in range(5)]
    assert [sender.raise_alert(alert, 10.0 * i) for i, alert in enumerate(alerts)] == [True, True, False, False, False]
    assert sender.raise_alert(alerts[2], 3601.0)
    assert sender.last == "2026-01-01T00:00:00Z It is damaged."


def test_a_slow_command_holds_nothing_up_and_is_ended_with_its_children(tmp_path: Path) -> None:
    script = tmp_path / "slow"
    script.write_text(f"#!/bin/sh\nsleep 600 & echo $! > {tmp_path}/child\nwait\n")
    script.chmod(0o755)
    sender = desk(script, timeout_s=1.0)
    started = time.monotonic()
    sender.raise_alert(ALERT, 0.0)
    assert time.monotonic() - started < 0.5
    sender.stop(30.0)
    assert sender.failed == 1
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if _ended(child):
            break
        time.sleep(0.05)
    assert _ended(child)


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"  # nobody has to have collected it yet
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit('no mail today')", "exit code 1: no mail today"),
        ("import sys; print('x' * 10**6, file=sys.stderr); sys.exit(3)", "exit code 3: xxx"),
        ("import time; time.sleep(60)", "ended after 0.5 s"),
        ("import os, sys; os.close(0)", None),
    ],
)
def test_what_becomes_of_the_command(script: str, said: str | None) -> None:
    facts = {"kind": "lag", "subject": "queue", "message": "m" * 100_000, "at": "now"}
    limit = 0.5 if "sleep" in script else 60.0
    reason = run_command((sys.executable, "-c", script), limit, facts, {"NUSETD_ALERT_MESSAGE": facts["message"]})
    assert (reason is None) if said is None else (reason is not None and said in reason and len(reason) < 600)


def test_a_program_that_is_not_there_is_told_and_nothing_else_happens() -> None:
    facts = dict.fromkeys(("kind", "subject", "message", "at"), "x")
    assert "cannot be run" in (run_command((f"/no/such/{os.getpid()}",), 1.0, facts, facts) or "")


def test_without_a_command_alerts_are_logged_alone() -> None:
    sender = desk()
    assert sender.raise_alert(ALERT, 0.0)
    sender.stop()
