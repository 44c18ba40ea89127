"""The page for whoever runs it names every metric, every alert and every path, and its commands are understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from daemon.cli import build_parser
from daemon.monitoring import alarms, disks
from daemon.monitoring.metrics import Metrics

PAGE = (Path(__file__).parents[4] / "OPERATIONS.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"/opt/nusetd/bin/(nusetd [a-z].+)$", SHELL, re.MULTILINE)


def test_every_metric_is_there() -> None:
    families = re.findall(rb"^# TYPE (nusetd_\w+) ", Metrics().render(), re.MULTILINE)
    names = {name.decode() for name in families} - {"nusetd_info"}
    names = {name for name in names if not name.endswith("_created")}
    assert len(names) > 15
    assert [name for name in sorted(names) if f"`{name}" not in PAGE] == []


def test_every_alert_is_there() -> None:
    source = Path(alarms.__file__).read_text() + Path(disks.__file__).read_text()
    kinds = set(re.findall(r'Alert\("(\w+)"', source)) | {"set_aside", "incomplete"}
    assert len(kinds) == 10
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in PAGE] == []


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_are_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    assert build_parser(words).parse_args(words).command == words[0]


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8


def test_nothing_is_installed_from_an_index_that_does_not_have_it() -> None:
    """`pip install nusetd` finds nothing; only a clone, or wheels that lie there, do."""
    installs = re.findall(r"pip install (.+?)(?: &&|$)", SHELL, re.MULTILINE)
    allowed = (".", "--no-index", "--no-deps .", "--require-hashes -r requirements.lock")
    assert installs
    assert [one for one in installs if not one.startswith(allowed)] == []
