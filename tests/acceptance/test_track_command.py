"""`nusetd track` on files, as people call it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from daemon.cli import main


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_cell_stays_as_it_was_written(tmp_path: Path) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    lines = [
        "\ufefft, y,x,Größe,track_id,name",
        '3,3,1e0,007,9,"a ""b"", c"',
        "2,3.10,01,,8,NA",
        "",
        "2,30.500, 1,1.0,8,nan",
    ]
    table.write_bytes("\r\n".join(lines).encode())
    assert main(["track", str(table), "--output", str(out)]) == 0
    assert rows_of(out) == [
        ["t", " y", "x", "Größe", "name", "track_id", "parent_track_id"],
        ["3", "3", "1e0", "007", 'a "b", c', "1", ""],
        ["2", "3.10", "01", "", "NA", "1", ""],
        ["2", "30.500", " 1", "1.0", "nan", "2", ""],
    ]
    assert list(tmp_path.iterdir()) in ([table, out], [out, table])


def test_daughters_name_their_parent(tmp_path: Path) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    rng = np.random.default_rng(0)
    places = np.array([[30.0 * i, 30.0 * j] for i in range(4) for j in range(4)])
    lines = ["t,y,x"]
    for t in range(12):
        shown = places + rng.normal(0, 0.3, places.shape)
        if t >= 6:
            apart = np.array([0.0, 2.5])
            shown = np.concatenate([shown[1:], shown[:1] + apart, shown[:1] - apart])
        lines += [f"{t},{y:.3f},{x:.3f}" for y, x in shown]
    table.write_text("\n".join(lines))
    assert main(["track", str(table), "--output", str(out)]) == 0
    rows = rows_of(out)[1:]
    parents = {row[3]: row[4] for row in rows if row[4]}
    assert len(parents) == 2
    assert set(parents.values()) == {rows[0][3]}
    assert main(["track", str(table), "--output", str(out), "--no-divisions"]) == 0
    assert not any(row[4] for row in rows_of(out)[1:])


def test_no_nuclei_are_ordinary(tmp_path: Path) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text("t,z,y,x\n")
    assert main(["track", str(table), "--output", str(out)]) == 0
    assert out.read_text() == "t,z,y,x,track_id,parent_track_id\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("t,y\n1,2\n", "no column x"),
        ("t;y;x\n1;2;3\n", "no column t, y, x"),
        ("t,y,x\n1,2,3\n1,2,a\n", "Column x of .* holds 'a' in line 3"),
        ("t,y,x\n1,2,3\n1,,3\n", "1 rows have no finite t, y, x .*row 2"),
        ("t,y,x\n1,2,3\n1,2,inf\n", "no finite"),
        ("t,y,x\n1.5,2,3\n", "whole numbers"),
        ("t,y,x\n1,2,3\n1,2,3,4\n", "Line 3 of .* has 4 cells, the header has 3"),
        ("t,y,x,x\n1,2,3,3\n", "two columns called x"),
        ("t,y,x\n1,1e300,3\n", "beyond 1e"),
        ('t,y,x\n1,"2,3\n', "comma-separated"),
        ("t,y,x,diameter\n1,2,3,large\n", "Column diameter of .* holds 'large'"),
    ],
)
def test_a_bad_table_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fault: str) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text(text)
    assert main(["track", str(table), "--output", str(out)]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert re.search(fault, message)
    assert not out.exists()


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = tmp_path / "in.csv", str(tmp_path / "out.csv")
    assert main(["track", str(table), "--output", out]) == 2
    assert "does not exist" in capsys.readouterr().err
    table.write_text("t,y,x\n1,2,3\n")
    assert main(["track", str(table), "--output", out, "--search-range", "-1"]) == 2
    assert "search_range = -1.0 is not above 0 um" in capsys.readouterr().err
    assert main(["track", str(table), "--output", str(tmp_path / "no" / "out.csv")]) == 1
    assert "cannot be written" in capsys.readouterr().err
