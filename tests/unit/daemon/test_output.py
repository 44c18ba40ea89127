"""Results on standard output, in each of the formats."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from daemon import logs
from daemon.output import complain, say, say_or_go_on, write_table
from daemon.progress import Bars

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


HOSTILE = "a\x1b]0;owned\x07\x9b2J\u202eb\r"


def _is_plain(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


def test_control_characters_never_reach_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.DataFrame({"name": [HOSTILE, "x\nforged row"], "n": [1, 2]})
    say(HOSTILE)
    complain(f"nusetd: {HOSTILE}\nforged cannot be read.")
    write_table(table, "table")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    write_table(table, "csv")
    out, err = capsys.readouterr()
    assert _is_plain(out)
    assert _is_plain(err)
    assert err.count("\n") == 1
    assert "\nforged" not in out.split("name,n")[0].split('"name"')[0]
    assert out.startswith("a\\x1b]0;owned\\x07\\x9b2J\\u202eb\\r\n")


def test_programs_get_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(pd.DataFrame({"name": [HOSTILE]}), "csv")
    assert HOSTILE in capsys.readouterr().out


def test_logs_send_a_terminal_no_commands() -> None:
    record = logging.LogRecord("nusetd", logging.ERROR, "", 0, f"{HOSTILE} cannot be read\nforged", (), None)
    record.fields = {"path": HOSTILE}
    assert _is_plain(line := logs._LineFormatter(for_journal=False).format(record))
    assert "\n" not in line


def test_a_progress_bar_sends_a_terminal_no_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    row = SimpleNamespace(id=1, name="\x1b]0;owned\x07", size_t=1, size_z=3, source_t=int)
    seen = SimpleNamespace(what="started", t=0, acquisition=row)
    with Bars() as bars:
        bars.show(seen)  # type: ignore[arg-type]
        bar = bars._bar
        assert bar is not None
        assert bar.desc.startswith("\\x1b]0;owned\\x07 t=0")


def seen_of(what: str, t: int, size_t: int = 100) -> SimpleNamespace:
    row = SimpleNamespace(id=1, name="embryo", size_t=size_t, size_z=3, source_t=lambda t: t + 1)
    return SimpleNamespace(what=what, t=t, acquisition=row, done=0)


def test_without_a_terminal_a_line_now_and_then_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with Bars(lambda: now) as bars:
        for t in range(10):
            bars.show(seen_of("started", t))  # type: ignore[arg-type]
            now += 12.0
            bars.show(seen_of("done", t))  # type: ignore[arg-type]
    assert capsys.readouterr().err.splitlines() == [
        "embryo: 3 of 100 time points done, about 19 min left",
        "embryo: 6 of 100 time points done, about 19 min left",
        "embryo: 9 of 100 time points done, about 18 min left",
    ]


def test_of_many_images_a_line_says_how_many_are_done_how_fast_and_what_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    with Bars(lambda: now) as bars:
        bars.overall.expect(100)
        for _ in range(10):
            bars.overall.over(worked=False)  # by a run before this one
        for number in range(10):
            now += 12.0
            seen = seen_of("finished", 0)
            seen.acquisition.id = number
            bars.show(seen)  # type: ignore[arg-type]
    assert capsys.readouterr().err.splitlines() == [
        "13 of 100 images done, 5.0 a minute, about 17 min left",
        "16 of 100 images done, 5.0 a minute, about 17 min left",
        "19 of 100 images done, 5.0 a minute, about 16 min left",
    ]


def test_on_a_terminal_the_bar_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    now = 0.0
    with Bars(lambda: now) as bars:
        bars.show(seen_of("started", 0))  # type: ignore[arg-type]
        assert bars._bar is not None
        assert bars._bar.desc.startswith("embryo t=1, 0 of 100 time points done")
        now = 2.0
        bars.show(seen_of("done", 0))  # type: ignore[arg-type]
        bars.show(seen_of("started", 1))  # type: ignore[arg-type]
        assert bars._bar.desc.startswith("embryo t=2, 1 of 100 time points done, about 3 min left")


def test_who_reads_the_names_of_files_may_go(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        for _ in range(2):
            say_or_go_on("labels/image.labels.tif")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        for _ in range(2):
            say_or_go_on("labels/image.labels.tif")
    assert capfd.readouterr().err == (
        "Standard output cannot be written (No space left on device): files are written, and no longer named.\n"
    )


def test_a_complaint_that_nobody_can_read_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", buffering=1) as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        for _ in range(2):
            complain("image.tif is no TIFF")
