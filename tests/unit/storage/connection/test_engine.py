"""Builds of SQLite without mathematical functions, as the one that TensorFlow brings, answer like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cases import family

from storage.connection.engine import _square_root

SPEED = "SELECT max(step_um) FROM track_steps WHERE track_id = 2"


def answer(program: str, *arguments: str) -> str:
    """What a Python of its own prints."""
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return run.stdout.strip()


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


@pytest.mark.parametrize(("value", "root"), [(None, None), (-1.0, None), (0, 0.0), (6.25, 2.5)])
def test_roots_are_those_of_sqlite(value: float | None, root: float | None) -> None:
    assert _square_root(value) == root
