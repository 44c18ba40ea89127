"""What every run of the tests says at its end: how much processor time it took, and which files took most of it.

Processor time, and not the time by the clock, is what the default suite has a budget of: it depends little on what else
the computer does. Processes that tests start count as soon as they have been waited for.
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Generator

import pytest

BUDGET_S = 300
"""Of the default suite, with all its processes."""
LISTED = 8
"""Files; with `-v` all of them."""

_spent: Counter[str] = Counter()  # by file
_last = 0.0

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process that a test starts compiles the project anew


class _SignalStack(ctypes.Structure):
    """`stack_t` of the C library."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def pytest_runtest_setup() -> None:
    """Signals are delivered on the ordinary stack.

    Libraries that some tests load leave the process an alternate stack that cannot hold a signal's frame on processors
    with wide registers (AMX); the next signal that a test sends to itself would end the whole run.
    """
    ctypes.CDLL(None).sigaltstack(ctypes.byref(_SignalStack(None, 2, 0)), None)  # SS_DISABLE


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
    _spent[report.nodeid.partition("::")[0]] += getattr(report, "processor_s", 0.0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it."""
    terminalreporter.section("processor time")
    for name, seconds in _spent.most_common(None if config.option.verbose > 0 else LISTED):
        terminalreporter.line(f"{seconds:6.1f} s  {name}")
    terminalreporter.line(f"{_processor_s():6.1f} s  in all; the default suite has {BUDGET_S} s")
