"""Results on standard output, in each of the formats."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pandas as pd
import pytest

from daemon.output import write_table

TABLE = pd.DataFrame({"name": ["a", "b"], "track_id": [1.0, np.nan], "volume_um3": [1.5, np.nan]})


def written(form: str, capsys: pytest.CaptureFixture[str]) -> str:
    write_table(TABLE, form)
    return capsys.readouterr().out


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(written("csv", capsys))), TABLE)


def test_json_is_a_list_of_objects(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(written("json", capsys))[1] == {"name": "b", "track_id": None, "volume_um3": None}


def test_a_table_shows_whole_numbers_whole(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written("table", capsys).splitlines()
    assert lines[1].split() == ["a", "1", "1.5"]
    assert lines[2].split() == ["b", "-", "-"]


def test_nothing_is_said_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(TABLE.iloc[:0], "table")
    assert capsys.readouterr().out == "(nothing)\n"


def test_empty_json_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(TABLE.iloc[:0], "json")
    assert json.loads(capsys.readouterr().out) == []


def test_parquet_reads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    write_table(TABLE, "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(raw.getvalue())), TABLE)
