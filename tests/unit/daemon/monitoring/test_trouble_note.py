"""What is wrong, told beside a database that cannot take it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from daemon.monitoring import status
from daemon.monitoring.pace import pace_of, stopped
from daemon.monitoring.trouble_note import TroubleNote, read_note, trouble_note_path
from storage.query.health import QueueState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_it_is_read_as_it_was_written_and_needs_no_room(tmp_path: Path) -> None:
    database = tmp_path / "nusetd.sqlite"
    path = trouble_note_path(database)
    assert path is not None
    assert read_note(database) == ()
    note = TroubleNote(path)
    size = path.stat().st_size
    for troubles in (("database: locked",), ("results: " + "x" * 5000, "a: b", "c: d", "e: f", "g: h"), ()):
        note.write(troubles)
        assert path.stat().st_size == size
        assert [said[:800] for said in troubles[:4]] == list(read_note(database))
    note.close()
    assert not path.exists()
    assert read_note(database) == ()


def test_a_database_on_a_server_has_none() -> None:
    assert trouble_note_path("postgresql://host/name") is None
    note = TroubleNote(None)
    note.write(("anything",))
    note.close()


def test_the_status_says_first_what_is_wrong() -> None:
    pace = stopped(pace_of(QueueState(NOW, {"done": 3}, 0, None)), "results: The disk is full.")
    seen = status.Status(NOW, True, "running", None, None, pace, (), ("results: The disk is full.",))
    lines = list(status.lines(seen))
    assert lines[0] == "STALLED     results: The disk is full."
    assert "keeps up    no: results: The disk is full." in lines
    assert seen.as_dict()["service"]["troubles"] == ["results: The disk is full."]
    assert seen.as_dict()["queue"]["keeps_up"] is False
