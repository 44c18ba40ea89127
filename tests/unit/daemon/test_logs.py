"""Log lines: fields that machines can read back, priorities for the journal."""

from __future__ import annotations

import logging
import shlex
import subprocess
import sys

import pytest

from daemon import logs


def parse(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(line))


def test_fields_survive_spaces_and_quotes() -> None:
    fields = {"path": '/data/a "b" c.tif', "t": 3, "seconds": 1.23456, "reason": None}
    assert parse(logs.render_fields(fields)) == {"path": '/data/a "b" c.tif', "t": "3", "seconds": "1.235"}


def test_a_line_end_in_a_value_does_not_end_the_line() -> None:
    assert "\n" not in logs.render_fields({"path": "a\nb", "empty": ""})


@pytest.mark.parametrize(("level", "priority"), [(logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)])
def test_the_journal_gets_priorities(level: int, priority: int) -> None:
    record = logging.LogRecord("nusetd", level, "", 0, "hello", (), None)
    record.fields = {"t": 1}
    assert logs._LineFormatter(for_journal=True).format(record) == f"<{priority}>hello t=1"


def test_elsewhere_the_time_comes_first() -> None:
    record = logging.LogRecord("nusetd", logging.INFO, "", 0, "hello", (), None)
    record.created = 0.0
    assert logs._LineFormatter(for_journal=False).format(record) == "1970-01-01T00:00:00Z info hello"


def test_a_foreign_journal_stream_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    assert not logs.under_journal()


def test_what_python_would_print_is_logged_one_line_each() -> None:
    code = (
        "import threading, warnings\nfrom daemon import logs\nlogs.set_up()\nlogs.catch_all()\n"
        "warnings.warn('old\\nways')\n"
        "thread = threading.Thread(target=lambda: 1 / 0, name='t1')\nthread.start()\nthread.join()\n"
        "raise RuntimeError('the end')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    warned, thread, main = done.stderr.splitlines()
    assert done.returncode == 1
    assert " warning " in warned
    assert "old ways" in warned
    assert "a fault in nusetd ended a thread thread=t1" in thread
    assert "ZeroDivisionError" in parse(thread.split("thread ", 1)[1])["trace"]
    assert "critical a fault in nusetd trace=" in main
