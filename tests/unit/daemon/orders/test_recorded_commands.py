"""Commands that change something are in the record, with the account that gave them and how they ended."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from cases import family

from daemon.cli import main
from storage import naming
from storage.database.catalog import Catalog
from storage.query.recorded_changes import RecordedChange, latest_changes
from storage.query.snapshots import snapshot


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The family, and a source that was set aside."""
    (tmp_path / "out").mkdir()
    folder = family.fill(tmp_path / "out")
    (tmp_path / "broken.tif").write_bytes(b"no image")
    with Catalog.open(folder) as catalog:
        catalog.set_aside_source(tmp_path / "broken.tif", "broken", "It is cut.")
    return folder


def record(results: Path) -> list[RecordedChange]:
    """The record, the latest first."""
    with snapshot(naming.database_url(results)) as connection:
        return latest_changes(connection, 100)


def test_orders_of_the_command_line_are_recorded(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = ["--database", str(results)]
    source = str(results.parent / "broken.tif")
    assert main(["dismiss", "broken", *database]) == 0
    assert main(["retry", "broken", *database]) == 0
    assert main(["retry", "--failed", *database]) == 0
    assert main(["override", "/in", "segmentation.min_score=0.5", "--by", "anna", "--wait", "0.1", *database]) == 0
    assert main(["submit", source, "--axes", "TYX", "--wait", "0.1", *database]) == 0
    assert main(["forget", family.NAME, "--keep-files", *database]) == 0
    found = record(results)
    assert {(one.who, one.via) for one in found if one.what != "override"} == {(getpass.getuser(), "command")}
    assert [(one.who, one.subject, one.facts) for one in found if one.what == "override"] == [
        ("anna", "/in", {"segmentation.min_score": 0.5})
    ]
    assert [(one.what, one.subject, one.accepted) for one in found if one.what != "override"] == [
        ("forget", family.NAME, True),
        ("submit", source, None),
        ("retry", "everything that failed", True),
        ("retry", "broken", True),
        ("dismiss", "broken", True),
    ]
    assert found[0].facts == {"keep_files": True}
    assert found[1].facts == {"axes": "TYX"}
    assert "queued again: 2" in found[4].outcome
    capsys.readouterr()


def test_a_command_that_fails_is_recorded_so(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retry", "nobody", "--database", str(results)]) == 1
    assert main(["forget", family.NAME, "--dry-run", "--database", str(results)]) == 0
    [one] = record(results)
    assert (one.what, one.accepted) == ("retry", False)
    assert "nobody" in one.outcome
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_a_database_only_the_command_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retry", "--failed", "--database", str(tmp_path / "none")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
