"""The command line: help with an example for each command, exit codes, and a quick start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daemon import cli
from daemon.commands import options

HEAVY = ("tensorflow", "keras", "numpy", "pandas", "matplotlib", "zarr", "sqlalchemy", "scipy", "watchdog")


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"Example:\n  nusetd {command}" in shown


def test_help_names_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"\n    {command}" in shown for command in cli.COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom daemon import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit(', '.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("begun", "spared"),
    [
        ("import daemon.service, daemon.process", ("tensorflow", "keras", "scipy", "trackpy", "alembic", "zarr")),
        ("import daemon.processing.worker", ("tensorflow", "keras", "scipy", "trackpy", "sqlalchemy", "zarr")),
        (
            "import daemon.watching.inspection\nfrom daemon.watching.inspection import Look, inspect\n"
            "from pathlib import Path\nassert inspect(Look(Path(sys.executable))).completion is not None",
            ("tensorflow", "keras", "scipy", "sqlalchemy", "pandas", "zarr"),
        ),
        (
            "import daemon.commands.segment, daemon.files.segment_files, daemon.files.sharing.team",
            ("tensorflow", "keras", "openvino", "scipy", "sqlalchemy", "zarr"),
        ),
        (
            "import daemon.files.sharing.image_process",
            ("tensorflow", "keras", "openvino", "scipy", "sqlalchemy", "zarr"),
        ),
    ],
    ids=["service", "worker", "inspection", "segment", "image process"],
)
def test_each_process_starts_with_what_its_start_needs(begun: str, spared: tuple[str, ...]) -> None:
    code = f"import sys\n{begun}\nsys.exit(', '.join(m for m in {spared!r} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["process"],
        ["process", "x.tif"],
        ["process", "x.tif", "--output", "o", "--voxel-size", "1,2,3,4"],
        ["process", "x.tif", "--output", "o", "--voxel-size", "1,nan"],
        ["submit", "x.tif", "--axes", "TT"],
        ["submit", "x.tif", "--frame-interval", "0"],
        ["process", "x.tif", "--output", "o", "--threads", "0"],
        ["export", "1", "--format", "avi", "--output", "x"],
        ["retry"],
        ["run"],
        ["nuclei"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_a_path_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["process", "/no/such/file.tif", "--output", "/tmp/o"]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_missing_database_is_one_sentence(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["acquisitions", "--database", f"{tmp_path}/none.sqlite"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_voxel_sizes_are_read_in_the_order_z_y_x() -> None:
    assert options.voxel_size("2.0,0.3,0.25") == (2.0, 0.3, 0.25)
    assert (options.voxel_size("0.3"), options.voxel_size("0.3,0.25")) == ((0.3,), (0.3, 0.25))
    with pytest.raises(Exception, match="three positive numbers"):
        options.voxel_size("2,0,1")


def test_a_channel_is_a_number_or_a_name() -> None:
    assert options.channel("1") == 1
    assert options.channel("DAPI") == "DAPI"
    assert options.channel(None) is None


@pytest.mark.parametrize("text", ["[[watch]]\npath = 3\n", "", "not toml"])
def test_a_wrong_configuration_is_wrong_usage(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    assert cli.main(["run", "--config", str(path)]) == 2
    assert cli.main(["check-config", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "wrong.toml" in captured.err


def test_a_right_configuration_says_what_is_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "right.toml"
    (tmp_path / "in").mkdir()
    path.write_text('[[watch]]\npath = "in"\noutput = "out"\n')
    for given in ([str(path)], ["--config", str(path)]):  # as `nusetd run` takes it
        assert cli.main(["check-config", *given]) == 0
        assert capsys.readouterr().out.splitlines()[0] == f"watch {tmp_path / 'in'} -> {tmp_path / 'out'}"


def test_a_wrong_configuration_reaches_the_journal_as_errors_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[[watch]]\npath = 3\n[service]\nrescan = 1\n")
    code = (
        "import os, sys\nstatus = os.fstat(2)\nos.environ['JOURNAL_STREAM'] = f'{status.st_dev}:{status.st_ino}'\n"
        "from daemon import cli\nsys.exit(cli.main(['run', '--config', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "wrong.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert len(said) == 3
    assert all(line.startswith("<3>wrong configuration fault=") for line in said)


def test_closed_standard_streams_do_no_harm() -> None:
    """As programs without a terminal start others: what is opened next, also in a child, gets none of their numbers."""
    words = "import os, subprocess, sys; from daemon import cli; cli._open_what_is_closed(); "
    words += "print(1); print(2, file=sys.stderr); own = os.open(os.devnull, 0) > 2; "
    child = "'import os; [os.fstat(number) for number in range(3)]'"
    words += f"child = subprocess.run([sys.executable, '-S', '-c', {child}]).returncode"
    line = f'"{sys.executable}" -c "{words}; os.write(3, str((own, child)).encode())" 3>&1 <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "(True, 0)")
