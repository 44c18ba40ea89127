"""The database is locked by somebody else, or its file is deleted, replaced or moved under the service."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from lab import PATIENCE_S, Lab, nusetd, stack, write_stack
from witness import LIMIT_S, Said, Witness, free_port


def test_a_locked_database_is_told_of_and_waited_for(new_lab: Callable[..., Lab]) -> None:
    port = free_port()
    lab = new_lab(listen=f"127.0.0.1:{port}")
    witness = Witness(lab, port)
    lab.start()
    lab.wait(lambda: witness.is_well())
    since = len(lab.said())
    with closing(sqlite3.connect(lab.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write_stack(lab.incoming / "first.tif", stack(0))
        witness.sees("database locked", since=since)
        assert witness.metric("nusetd_keeps_up") == 0.0
        other.execute("ROLLBACK")
    lab.wait(lambda: lab.settled() and witness.is_well())
    assert lab.states() == ["complete"]
    assert lab.stop() == 0, lab.said()


def _delete(database: Path) -> None:
    for path in database.parent.glob("nusetd.sqlite*"):
        path.unlink()


def _replace(database: Path) -> None:
    shutil.copy(database, database.with_name("copy"))
    os.replace(database.with_name("copy"), database)


def _move(database: Path) -> None:
    elsewhere = database.parent / "elsewhere"
    elsewhere.mkdir()
    for path in database.parent.glob("nusetd.sqlite*"):
        path.rename(elsewhere / path.name)


@pytest.mark.parametrize(
    ("fate", "do"),
    [
        pytest.param("deleted", _delete, marks=pytest.mark.long),  # a second service is started; `.ci/run` runs it once
        pytest.param("replaced", _replace, marks=pytest.mark.long),
        pytest.param("moved", _move, marks=pytest.mark.long),
    ],
)
def test_a_database_that_is_not_the_file_any_more_ends_the_service(
    new_lab: Callable[..., Lab], fate: str, do: Callable[[Path], None]
) -> None:
    port = free_port()
    lab = new_lab(listen=f"127.0.0.1:{port}")
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start()
    lab.wait(lab.settled)
    assert lab.process is not None
    lab.process.send_signal(signal.SIGSTOP)  # so that a second one meets the first
    do(lab.database)
    places = [lab.config]
    if fate == "moved":
        moved = lab.root / "moved.toml"
        moved.write_text(f'database = "{lab.output / "elsewhere" / "nusetd.sqlite"}"\n' + lab.config.read_text())
        places.append(moved)
    for config in places:
        second = nusetd("run", "--config", config)
        assert second.returncode == 1
        assert "Another nusetd" in second.stderr
    began, service = time.monotonic(), lab.process

    def tells(said: Said) -> bool:
        """There is no database, or its service does not run; one that nobody waited for would still be found."""
        return service.poll() is not None and not said.get("service", {}).get("runs")

    service.send_signal(signal.SIGCONT)
    Witness(lab, port).sees(f"database {fate}", unready=lambda code: code in (0, 503), told_by_status=tells)
    assert service.wait(PATIENCE_S) == 1
    assert time.monotonic() - began < LIMIT_S
    assert "while nusetd worked on it: nothing more is written" in lab.said()
    if fate == "deleted":
        rescued = lab.database.with_name("nusetd.sqlite.rescued")
        with closing(sqlite3.connect(rescued)) as connection:
            assert connection.execute("select state from timepoints").fetchall() == [("done",)]
