"""Faults that only the machine can show, with real folders and files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon import cli
from daemon.configuration import config, machine
from daemon.configuration.machine import machine_faults
from nuset_engine.errors import EngineError
from nuset_engine.runtime import choice
from nuset_engine.weights import Int8File


def sentences(tmp_path: Path, more: str = "", watched: str = "in", output: str = "out") -> list[str]:
    (tmp_path / "in").mkdir(exist_ok=True)
    text = more if more.startswith("database") else ""
    text += f'\n[[watch]]\npath = "{watched}"\noutput = "{output}"\n'
    text += "" if more.startswith("database") else more
    return [fault.sentence for fault in machine_faults(config.parse(text, tmp_path / "nusetd.toml"))]


def test_a_right_configuration_has_none(tmp_path: Path) -> None:
    assert sentences(tmp_path, '[alerts]\ncommand = ["sh"]\n') == []


@pytest.mark.parametrize("runtime", ["openvino", "tensorflow-bfloat16"])
def test_a_runtime_that_cannot_be_had_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    (tmp_path / "cpuinfo").write_text("flags : avx2\n")
    monkeypatch.setattr(choice, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(choice, "DEVICES", tmp_path)
    monkeypatch.setattr(choice, "find_spec", lambda name: object())
    (sentence,) = sentences(tmp_path, f'[engine]\nruntime = "{runtime}"\n')
    assert sentence.startswith(f"runtime = '{runtime}': this processor has no")
    assert sentence.count("runtime = ") == 1
    monkeypatch.setattr(Int8File, "check", lambda self: (_ for _ in ()).throw(EngineError("It is damaged.")))
    (tmp_path / "cpuinfo").write_text("flags : avx2 avx_vnni amx_bf16\n")
    damaged = [f"runtime = '{runtime}': It is damaged."] if runtime == "openvino" else []
    assert sentences(tmp_path, f'[engine]\nruntime = "{runtime}"\n') == damaged


def test_a_watched_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (sentence,) = sentences(tmp_path, watched="absent")
    assert f"path = '{tmp_path}/absent' is not a folder on this machine; create or mount it" in sentence


def test_an_output_below_a_file_is_named_for_stores_and_records(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = sentences(tmp_path, output="file/out")
    assert len(found) == 2
    assert all(f"{tmp_path}/file is a file" in sentence for sentence in found)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    assert any("cannot be written by this user" in sentence for sentence in sentences(tmp_path))


def test_a_database_on_a_share_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "network_filesystem", lambda path: "cifs")
    (sentence,) = sentences(tmp_path, 'database = "x.sqlite"')
    assert "network share (cifs)" in sentence
    assert "local disk" in sentence


def test_a_database_elsewhere_is_not_looked_for(tmp_path: Path) -> None:
    assert sentences(tmp_path, 'database = "postgresql://host/nusetd"') == []


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ("[engine]\nweights = 'no-such'\n", "weights = 'no-such'"),
        ("[engine]\nfactory = 'no_such_module:Segmenter'\n", "there is no module no_such_module"),
        ("[engine]\nfactory = 'no_such.module:Segmenter'\n", "there is no module no_such.module"),
        ('[alerts]\ncommand = ["/no/such/program"]\n', "/no/such/program cannot be run"),
    ],
)
def test_what_cannot_be_run_or_loaded_is_named(tmp_path: Path, more: str, part: str) -> None:
    (sentence,) = sentences(tmp_path, more)
    assert part in sentence


def test_check_config_tells_all_of_them_in_the_order_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nusetd.toml"
    path.write_text('[alerts]\ncommand = ["/no/such"]\n[[watch]]\npath = "absent"\noutput = "out"\n')
    assert cli.main(["check-config", str(path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == [f"{path}, line 2", f"{path}, line 4"]


def test_an_output_inside_a_watched_folder_is_named_unless_it_is_excluded(tmp_path: Path) -> None:
    (sentence,) = sentences(tmp_path, output="in/nuclei")
    assert f"output = '{tmp_path}/in/nuclei' lies inside the watched folder '{tmp_path}/in'" in sentence
    assert f"exclude = ['{tmp_path}/in/nuclei']" in sentence
    for allowed in ('exclude = ["nuclei"]', f'exclude = ["{tmp_path}/in/nuclei"]', "recursive = false"):
        assert sentences(tmp_path, allowed, output="in/nuclei") == []


def test_all_faults_come_in_one_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nusetd.toml"
    file.write_text(
        'database = "/dev/null/x.sqlite"\n[[watch]]\npath = "absent"\noutput = 5\nquiet = 3\n'
        '[service]\nrescan_s = -1\n[engine]\nweights = "no-such"\n'
    )
    assert cli.main(["check-config", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [int(line.split(", line ")[1].split(":")[0]) for line in lines] == [1, 3, 4, 5, 7, 9]
    parts = ("is a file", "not a folder", "output = 5", "quiet", "rescan_s", "no-such")
    assert all(part in line for line, part in zip(lines, parts, strict=True)), lines
