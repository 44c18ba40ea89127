"""Names that hold anything: no table, picture, export or page breaks at them, and no terminal is sent them raw."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
import xml.etree.ElementTree as ElementTree
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from cases import family
from cases.live_page import live_page

from daemon import cli
from daemon.plain_text import shown
from storage import naming
from storage.export.exporters import EXPORTERS

NAMES = {
    "a line's end": "first\nforged  row\r\nthird",
    "commands to a terminal": "\x1b]0;owned\x07\x9b2J$\\frac$",
    "240 characters": "n" * 240,
    "a leading dash": "--database",
    "right to left": "\u05d2\u05e8\u05e2\u05d9\u05df \u202efit.exe",
    "like a slash": "a\u2215b\uff0f..\u29f8c",
}
LAID_OUT = (NAMES["a line's end"], NAMES["commands to a terminal"], NAMES["240 characters"])
"""They have other signs than letters, or take the most room: the largest picture is drawn with them."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`, which each test gives another name."""
    return family.fill(tmp_path_factory.mktemp("family"))


@pytest.fixture(params=NAMES.values(), ids=NAMES)
def named(request: pytest.FixtureRequest, filled: Path) -> tuple[str, Path]:
    """A name, and results whose acquisition, source and second channel have it; the doubt about them too."""
    name = str(request.param)
    values = (name, f"/data/{name}/a.tif", json.dumps(["DAPI", name]), json.dumps([f"{name} is doubted"]))
    with closing(sqlite3.connect(filled / naming.DATABASE_NAME)) as connection, connection:
        connection.execute(
            "UPDATE acquisitions SET name = ?, source_path = ?, channel_names = ?, doubts = ?, nuclear_channel = 1, "
            "channel_source = 'configured'",
            values,
        )
    return name, filled


def _is_plain(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


def test_tables_keep_their_rows_and_terminals_get_plain_text(
    named: tuple[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, results = named
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    plain = shown(name, allowed="")

    def told(*words: str) -> str:
        assert cli.main([words[0], "--database", str(results), *words[1:]]) == 0
        out, err = capsys.readouterr()
        assert _is_plain(out + err)
        return out

    header, row = told("acquisitions").splitlines()
    assert plain in row, "whole, with its capitals and small letters"
    assert row.index(plain) == header.index("name")
    assert plain in row[header.index("nuclear_channel_name") :]
    assert sum(plain in line for line in told("status").splitlines()) >= 2
    assert len(told("nuclei", "--", name).splitlines()) == family.NUCLEI + 1
    rows = list(csv.reader(io.StringIO(told("nuclei", "--format", "csv", "--", name))))
    assert len(rows) == family.NUCLEI + 1
    assert {len(one) for one in rows} == {len(rows[0])}
    assert json.loads(told("acquisitions", "--format", "json"))[0]["id"] == 1
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert cli.main(["acquisitions", "--database", str(results), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == name, "programs get it as it is"


def test_pictures_show_it_whole(
    named: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, results = named
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUSETD_DATABASE", str(results))
    plain = "".join(shown(name, allowed="").split())
    for picture in ("summary", "counts") if name in LAID_OUT else ("counts",):
        assert cli.main(["plot", "--picture", picture, "--output", f"{picture}.svg", "--", name]) == 0
        drawn = "".join("".join(ElementTree.parse(f"{picture}.svg").getroot().itertext()).split())
        assert f"nucleiinchannel{plain}(number1,configured)" in drawn
        assert drawn.count(plain) == (2 if picture == "summary" else 1)
    assert cli.main(["plot", "--picture", "counts", "--", name]) == 0
    assert [path.suffix for path in tmp_path.iterdir()].count(".png") == 1
    assert _is_plain("".join(capsys.readouterr()))


def test_exports_are_whole(named: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, results = named
    for form in EXPORTERS:
        output = str(tmp_path / form)
        assert cli.main(["export", "--format", form, "--output", output, "--database", str(results), "--", name]) == 0
    assert _is_plain("".join(capsys.readouterr()))
    assert len(pd.read_csv(tmp_path / "csv" / "nuclei.csv")) == family.NUCLEI
    xml = next(path for path in tmp_path.rglob("*.xml"))
    assert len(list(ElementTree.parse(xml).getroot().iter("Spot"))) == family.NUCLEI


def test_the_live_page_tells_it_as_it_is(named: tuple[str, Path]) -> None:
    name, results = named
    with live_page(results) as page:
        assert page.ask("/api/overview").json["acquisitions"][0]["name"] == name
        about = page.ask("/api/acquisitions/1").json
        assert (about["name"], about["channels"]) == (name, ["DAPI", name])
        assert len(page.ask("/api/acquisitions/1/nuclei").json["columns"]["label"]) == family.NUCLEI
