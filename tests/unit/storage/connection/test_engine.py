"""Builds of SQLite without mathematical functions, as the one that TensorFlow brings, answer like any other."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cases import family

from storage.connection.engine import _square_root, reading_engine

SPEED = "SELECT max(step_um) FROM track_steps WHERE track_id = 2"


def answer(program: str, *arguments: str) -> str:
    """What a Python of its own prints."""
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return run.stdout.strip()


@pytest.mark.long  # the same with all of TensorFlow; `.ci/run` runs it once
def test_steps_of_tracks_are_measured_where_tensorflow_was_loaded_first(tmp_path: Path) -> None:
    program = (
        "import tensorflow, sqlite3, sys; from storage.connection.engine import reading_engine; "
        "connection = reading_engine('sqlite:///' + sys.argv[1]).connect(); "
        "print(connection.exec_driver_sql(sys.argv[2]).scalar())"
    )
    database = family.fill(tmp_path) / "nusetd.sqlite"
    assert answer(program, str(database), SPEED) == "5.0"


ORDER = """
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in {"keras", "tensorflow", "jax"}:
            raise SystemExit(f"{name} after {'sqlite3' if '_sqlite3' in sys.modules else 'nothing'}")

sys.meta_path.insert(0, Watch())
import nuset_engine.network
"""


def test_the_engine_loads_pythons_own_sqlite_before_what_brings_another() -> None:
    """Whichever is loaded first serves the whole process."""
    run = subprocess.run([sys.executable, "-c", ORDER], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "keras after sqlite3"


@pytest.mark.long  # loads TensorFlow for the order that the test above looks at; `.ci/run` runs it once
def test_the_engine_leaves_pythons_own_sqlite_in_place() -> None:
    show = "import sqlite3; print(sqlite3.sqlite_version)"
    assert answer("import nuset_engine.network; " + show) == answer(show)


def test_steps_of_tracks_are_measured_where_sqlite_has_no_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poor(sqlite3.Connection):
        """Knows no roots, until it is given some."""

        given = False

        def execute(self, statement: str, *more: Any) -> sqlite3.Cursor:
            if "sqrt" in statement and not self.given:
                raise sqlite3.OperationalError("no such function: sqrt")
            return super().execute(statement, *more)

        def create_function(self, name: str, *more: Any, **options: Any) -> None:
            self.given = self.given or name == "sqrt"
            super().create_function(name, *more, **options)

    database, real = family.fill(tmp_path) / "nusetd.sqlite", sqlite3.dbapi2.connect
    monkeypatch.setattr(
        sqlite3.dbapi2, "connect", lambda *given, **options: real(*given, **{**options, "factory": Poor})
    )
    engine = reading_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql(SPEED).scalar() == 5.0
        assert connection.connection.driver_connection.given
    engine.dispose()


@pytest.mark.parametrize(("value", "root"), [(None, None), (-1.0, None), (0, 0.0), (6.25, 2.5)])
def test_roots_are_those_of_sqlite(value: float | None, root: float | None) -> None:
    assert _square_root(value) == root
