"""`nusetd nuclei`, `tracks`, `lineage` and `acquisitions`: filters, columns, formats, and one sentence for the rest."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cases import family

from daemon import cli
from daemon.commands import options
from storage.query import question


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`; read only."""
    return family.fill(tmp_path_factory.mktemp("family"))


@pytest.fixture
def ask(results: Path, capsys: pytest.CaptureFixture[str]):
    """Run a query command and return exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main([*words, "--database", str(results)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_nuclei_are_filtered_by_columns_time_and_track(ask) -> None:
    words = ("nuclei", "embryo", "--where", "volume_um3 > 300 and t <= 4", "--t", "3:", "--columns", "t,track_id")
    code, out, err = ask(*words, "--format", "csv")
    assert (code, err) == (0, "")
    assert out == "t,track_id\n3,3\n3,6\n4,4\n4,5\n4,6\n"
    assert ask("nuclei", "1", "--track", "6", "--columns", "t", "--format", "csv")[1] == "t\n0\n1\n3\n4\n5\n"
    assert ask("nuclei", "1", "--limit", "2", "--columns", "label", "--format", "csv")[1] == "label\n1\n2\n"


def test_measurements_of_other_channels_are_columns_like_all(ask) -> None:
    words = ("nuclei", "1", "--where", "channel_1_mean >= 3 and t = 0", "--columns", "track_id,channel_1_mean")
    assert ask(*words, "--format", "csv")[1] == "track_id,channel_1_mean\n6,3\n"


def test_the_formats_say_the_same(ask, results: Path) -> None:
    query = ("nuclei", "embryo", "--t", "2:4")
    csv = pd.read_csv(io.StringIO(ask(*query, "--format", "csv")[1]))
    records = json.loads(ask(*query, "--format", "json")[1])
    command = [sys.executable, "-m", "daemon.cli", *query, "--database", str(results), "--format", "parquet"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    parquet = pd.read_parquet(io.BytesIO(piped))
    assert len(csv) == len(records) == len(parquet) == 9
    assert list(csv.columns) == list(records[0]) == list(parquet.columns)
    assert str(parquet["track_id"].dtype) == "Int64"
    for name in ("volume_um3", "centroid_x_um", "track_id", "channel_1_mean"):
        assert list(csv[name]) == [record[name] for record in records] == list(parquet[name])
    assert records[0]["area_um2"] is None


def test_a_table_of_many_pages_is_one_table(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    query = ("nuclei", "embryo", "--columns", "t,label,volume_um3")
    whole = {form: ask(*query, "--format", form)[1] for form in ("csv", "json", "table")}
    monkeypatch.setattr(question, "PAGE_ROWS", 4)
    paged = {form: ask(*query, "--format", form)[1] for form in ("csv", "json", "table")}
    assert paged == whole
    assert len(paged["table"].splitlines()) == family.NUCLEI + 1


def test_nothing_found_is_said_and_is_no_failure(ask) -> None:
    query = ("nuclei", "embryo", "--where", "t > 99")
    assert ask(*query)[:2] == (0, "(nothing)\n")
    assert ask(*query, "--format", "json")[1] == "[]\n"
    assert ask(*query, "--columns", "t,label", "--format", "csv")[1] == "t,label\n"


def test_lineage_shows_a_family(ask) -> None:
    words = ("lineage", "embryo", "--track", "4", "--columns", "track_id,generation,relation", "--format", "csv")
    assert ask(*words)[1].splitlines()[1:] == [
        '1,0,"ancestor"', '2,1,"relative"', '3,1,"ancestor"', '4,2,"self"', '5,2,"relative"',
    ]  # fmt: skip
    assert "root_track_id  generation  track_id" in ask("lineage", "embryo")[1]


def test_tracks_and_acquisitions_are_filtered_too(ask) -> None:
    assert ask("tracks", "1", "--where", "nuclei_count >= 4", "--columns", "track_id", "--format", "csv")[1] == (
        "track_id\n2\n6\n"
    )
    words = ("acquisitions", "--where", "name like 'emb%' and nuclei_count > 3", "--columns", "name,tracks_count")
    assert ask(*words, "--format", "csv")[1] == 'name,tracks_count\n"embryo",6\n'
    assert ask("acquisitions", "--where", "state = 'partial'")[1] == "(nothing)\n"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("nuclei", "nobody"), 1, "There is no acquisition 'nobody': the latest are embryo"),
        (("nuclei", "embryo", "--columns", "t,colour"), 2, "Nuclei have no column colour: there are id,"),
        (("nuclei", "embryo", "--where", "colour = 3"), 2, "Nuclei have no column colour"),
        (("nuclei", "embryo", "--where", "volume > 3"), 2, "no column volume (did you mean volume_um3 or volume_px?)"),
        (("nuclei", "embryo", "--columns", "t,diameter"), 2, "did you mean equivalent_diameter_um?"),
        (("nuclei", "embryo", "--where", "t >"), 2, "cannot be read at its end"),
        (("nuclei", "embryo", "--where", "1=1; DROP TABLE nuclei"), 2, "cannot be read at '; DROP TABLE'"),
        (("nuclei", "embryo", "--track", "99"), 2, "There is no track 99"),
        (("tracks", "embryo", "--where", "volume_um3 > 3"), 2, "Tracks have no column volume_um3"),
        (("lineage", "embryo", "--track", "99"), 2, "There is no track 99"),
        (("acquisitions", "--where", "name = embryo"), 2, "Acquisitions have no column embryo"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(ask, words: tuple[str, ...], code: int, complaint: str) -> None:
    got, out, err = ask(*words)
    assert (got, out) == (code, "")
    assert complaint in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [("--format", "xml"), ("--t", "x"), ("--t", "9:3"), ("--t", ":"), ("--limit", "0"), ("--columns", "t,")]
)
def test_options_that_make_no_sense_are_wrong_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["nuclei", "embryo", *words])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_ranges_of_time_points() -> None:
    assert [options.time_range(text) for text in ("5", "0:10", "5:", ":7")] == [5, (0, 10), (5, None), (None, 7)]
