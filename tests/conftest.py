"""What every run of the tests says at its end: how much processor time it took, and which files took most of it.

Processor time, and not the time by the clock, is what the default suite has a budget of: it depends little on what else
the computer does. Processes that tests start count as soon as they have been waited for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

BUDGET_S = 300
"""Of the default suite, with all its processes."""
LISTED = 8
"""Files, or tests; with `-v` all of them."""

_spent: Counter[str] = Counter()  # by file
_tests: Counter[str] = Counter()
_last = 0.0

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process that a test starts compiles the project anew


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--cpu`: the same by test."""
    parser.addoption("--cpu", action="store_true", help="list the processor time of tests as well; with -v of all")


def _processor_s() -> float:
    """Seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])


def pytest_runtest_logstart() -> None:
    """What went before belongs to no test."""
    global _last
    _last = _processor_s()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Enter what this phase of a test took into its report, which also comes home from other processes."""
    global _last
    report = yield
    now = _processor_s()
    report.processor_s, _last = now - _last, now
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up."""
    seconds = getattr(report, "processor_s", 0.0)
    _spent[report.nodeid.partition("::")[0]] += seconds
    _tests[report.nodeid] += seconds


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it."""
    terminalreporter.section("processor time")
    for spent in (_spent, _tests) if config.option.cpu else (_spent,):
        for name, seconds in spent.most_common(None if config.option.verbose > 0 else LISTED):
            terminalreporter.line(f"{seconds:6.1f} s  {name}")
    terminalreporter.line(f"{_processor_s():6.1f} s  in all; the default suite has {BUDGET_S} s")
