"""`nusetd rules`: a rule that is not there is named, and so are those that are."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli import main
from storage.database.catalog import Catalog

RULES = """
[[when]]
name = "stop"
over = "counts"
where = "divisions_total >= 20"
webhook = "http://127.0.0.1:8000/stop"
"""


def asked(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and answer of the command on a database."""
    code = main(["rules", "--database", str(folder / "database"), *words])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_rule_that_is_not_there_is_named(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "No service has run here, so there are no rules" in asked(tmp_path, capsys)[1]
    assert "The service has no rule 'x': it has none at all." in asked(tmp_path, capsys, "--rule", "x")[1]
    rule = {"name": "stop", "over": "counts", "where": "t > 3", "actions": [], "once": True}
    rule |= {"at_most_per_hour": 60, "holds_for": 1, "pause_s": 0.0, "expires_s": 60.0}
    catalog.report({"state": "running", "rules": [rule]})
    code, text = asked(tmp_path, capsys, "--rule", "nope")
    assert (code, text.strip()) == (2, "nusetd: The service has no rule 'nope': its rules are stop.")
    assert asked(tmp_path, capsys, "--rule", "stop")[0] == 0


@pytest.mark.usefixtures("catalog")
def test_a_dry_run_of_a_rule_that_is_not_there_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watch = f"[[watch]]\npath = '{tmp_path}/in'\noutput = '{tmp_path}/out'\n"
    (tmp_path / "with.toml").write_text(watch + RULES)
    (tmp_path / "without.toml").write_text(watch)
    for file, why in (("with", "has no rule 'nope': its rules are stop."), ("without", "has no rules: write [[when]]")):
        words = ("--dry-run", "1", "--rule", "nope", "--config", str(tmp_path / f"{file}.toml"))
        code, text = asked(tmp_path, capsys, *words)
        assert (code, why in text) == (2, True), text
