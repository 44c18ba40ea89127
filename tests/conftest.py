"""What every run of the tests says at its end: how much processor time it took, and which files took most of it.

Processor time, and not the time by the clock, is what the default suite has a budget of: it depends little on what else
the computer does. Processes that tests start count as soon as they have been waited for.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine

BUDGET_S = 600
"""Of the default suite, with all its processes."""
LISTED = 8
"""Files, or tests; with `-v` all of them."""

_spent: Counter[str] = Counter()  # by file
_tests: Counter[str] = Counter()
_before = sum(os.times()[2:4])
"""Of children from before this process became Python: a shell runs the last command of a line in its own place."""
_last = 0.0
_to_freeze = False

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process that a test starts compiles the project anew
sys.dont_write_bytecode = False  # nor are the tests themselves compiled anew in each run
gc.disable()  # until the tests are collected
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so a script starts what it puts into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or no process that a test starts would hear it


@pytest.fixture(scope="session", autouse=True)
def _new_databases_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A database that is made for a test is a copy of one that went through all migrations, which take longer."""
    from storage.database import writer
    from storage.naming import sqlite_path

    migrated, upgrade = tmp_path_factory.mktemp("migrated") / "empty.sqlite", writer.upgrade

    def copied(engine: Engine) -> None:
        path = sqlite_path(str(engine.url))
        if path is None or (path.exists() and path.stat().st_size):
            upgrade(engine)
        elif migrated.exists():
            shutil.copyfile(migrated, path)
            with engine.begin() as connection:  # the one thing in which new databases differ
                connection.exec_driver_sql("UPDATE identity SET database_id = lower(hex(randomblob(16)))")
        else:
            upgrade(engine)
            with closing(sqlite3.connect(path)) as made, closing(sqlite3.connect(migrated)) as copy:
                made.backup(copy)

    writer.upgrade = copied
    yield
    writer.upgrade = upgrade


@pytest.fixture(scope="session", autouse=True)
def _databases_share_compiled_statements() -> Iterator[None]:
    """A service compiles a statement once for its one database; tests, for each of their thousand, again."""
    from sqlalchemy import create_engine
    from sqlalchemy.util import LRUCache

    from storage.connection import engine as engines

    known = create_engine("sqlite://")
    known.connect().close()  # what a dialect is told by the first connection
    statements: LRUCache[object, object] = LRUCache(5_000)

    def created(*arguments: object, **options: object) -> Engine:
        engine = create_engine(*arguments, **options)
        if engine.dialect.name == known.dialect.name:
            engine.dialect, engine._compiled_cache = known.dialect, statements
        return engine

    engines.create_engine = created
    yield
    engines.create_engine = create_engine
    known.dispose()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--cpu`: the same by test."""
    parser.addoption("--cpu", action="store_true", help="list the processor time of tests as well; with -v of all")


def _processor_s() -> float:
    """Seconds of this process and of those that it waited for."""
    return sum(os.times()[:4]) - _before


def pytest_collection_finish() -> None:
    """Never look for garbage in what stays to the end: half a million objects of libraries and tests."""
    with suppress(ImportError):  # its plugin loads it in every run; where it looks for referrers it sees no frozen ones
        import hypothesis  # noqa: F401

    gc.collect()
    gc.freeze()
    gc.enable()
    gc.callbacks.append(_all_was_looked_through)


def _all_was_looked_through(phase: str, facts: dict[str, int]) -> None:
    """What is there after a look through all of it is most likely to stay as well."""
    global _to_freeze
    _to_freeze |= phase == "stop" and facts["generation"] == 2


def pytest_runtest_logstart() -> None:
    """What went before belongs to no test, and is not looked through again: two million objects in the end."""
    global _last, _to_freeze
    if _to_freeze:
        gc.freeze()
        _to_freeze = False
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
