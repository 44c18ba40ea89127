"""Installing below another root: every file as the service manager would find it, nothing of people's overwritten."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from daemon import cli
from daemon.configuration import config
from daemon.installation import install
from daemon.installation.options import InstallOptions
from daemon.installation.service_names import ServiceNames
from daemon.installation.texts import drop_in_text

NAMES = ServiceNames()
ROOT = Path(__file__).parents[4]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with the files that useradd needs."""
    etc = tmp_path / "system" / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\n")
    (etc / "shadow").write_text("root:*:19000:0:99999:7:::\n")
    (etc / "gshadow").write_text("root:*::\n")
    if os.geteuid() != 0:  # only root may add users, even below another root
        (etc / "passwd").write_text("nusetd:x:990:990::/var/lib/nusetd:/usr/sbin/nologin\n")
    return etc.parent


def run(root: Path, *more: str) -> int:
    return cli.main(["install-service", "--root", str(root), "--watch", "/data/in", "--output", "/data/out", *more])


def options(root: Path = Path("/r"), **changes: object) -> InstallOptions:
    values = {"watch": (Path("/data/in"),), "output": Path("/data/out"), "root": root} | changes
    return InstallOptions(**values)  # type: ignore[arg-type]


def test_everything_is_where_it_belongs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--watch", '/data/a "b"') == 0
    told = capsys.readouterr().out
    unit = (root / "etc/systemd/system/nusetd.service").read_text()
    assert f"ExecStart={sys.executable.rsplit('/', 1)[0]}/nusetd run --config /etc/nusetd/nusetd.toml" in unit
    written = config.parse((root / "etc/nusetd/nusetd.toml").read_text(), NAMES.config)
    assert [(str(w.path), str(w.output)) for w in written.watch] == [
        ("/data/in", "/data/out"),
        ('/data/a "b"', "/data/out"),
    ]
    assert written.database == "sqlite:////var/lib/nusetd/nusetd.sqlite"
    assert (root / "var/lib/nusetd").stat().st_mode & 0o7777 == 0o750
    assert (root / "data/out").is_dir()
    assert not (root / "data/in").exists(), "watched folders belong to others"
    assert "nusetd" in (root / "etc/passwd").read_text()
    assert "systemctl daemon-reload && systemctl enable --now nusetd" in told


def test_folders_are_called_in_the_configuration_as_they_are(root: Path) -> None:
    watched = ["/data/nuclei", "/data/w\u00e4tch 50% \U0001f600", "/data/a\\b"]
    more = [word for path in watched for word in ("--watch", path)]
    assert cli.main(["install-service", "--root", str(root), "--output", "/data/microscope", *more]) == 0
    written = config.parse((root / "etc/nusetd/nusetd.toml").read_text(), NAMES.config)
    assert [(str(w.path), str(w.output)) for w in written.watch] == [(path, "/data/microscope") for path in watched]


def test_a_folder_whose_name_breaks_a_line_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--watch", "/data/a\nReadWritePaths=/etc") == 2
    assert "give the folder another name" in capsys.readouterr().err
    assert not (root / "etc/systemd").exists()


def test_below_a_folder_that_is_no_system_the_user_is_left_to_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    assert f"make the system user nusetd yourself: {tmp_path} holds no system's users" in capsys.readouterr().out
    assert (tmp_path / "etc/systemd/system/nusetd.service").is_file()


def test_only_the_services_group_reads_the_configuration(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = root / "etc/nusetd/nusetd.toml"
    assert run(root) == 0
    assert own.stat().st_mode & 0o7777 == 0o640
    if os.geteuid() == 0:
        group = next(line.split(":")[3] for line in (root / "etc/passwd").read_text().splitlines() if "nusetd" in line)
        assert (own.stat().st_uid, own.stat().st_gid) == (0, int(group))
    own.chmod(0o644)  # as an older version wrote it
    own.write_text("# mine\n")
    assert run(root) == 0
    assert (own.stat().st_mode & 0o7777, own.read_text()) == (0o640, "# mine\n")
    own.chmod(0o600)  # what people closed further stays so
    assert run(root) == 0
    assert own.stat().st_mode & 0o7777 == 0o600


def test_a_dry_run_shows_everything_and_does_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(root.rglob("*"))
    assert run(root, "--dry-run") == 0
    told = capsys.readouterr().out
    assert sorted(root.rglob("*")) == before
    for path in (NAMES.unit, NAMES.drop_ins / "data.conf", NAMES.config):
        assert f"--- {path}\n" in told
    assert "WatchdogSec=" in told
    assert "ReadWritePaths=-/data/out" in told


def test_again_changes_nothing_and_an_update_keeps_what_people_wrote(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == 0
    own, unit = root / "etc/nusetd/nusetd.toml", root / "etc/systemd/system/nusetd.service"
    own.write_text("# mine\n")
    unit.write_text("# of an older version\n")
    capsys.readouterr()
    assert run(root) == 0
    assert own.read_text() == "# mine\n"
    assert unit.with_name("nusetd.service.before").read_text() == "# of an older version\n"
    assert "WatchdogSec=" in unit.read_text()
    capsys.readouterr()
    assert run(root) == 0
    told = capsys.readouterr().out
    assert "replace" not in told
    assert "write" not in told.split("Next:")[0].replace("may write", "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this computer")
@pytest.mark.parametrize("name", [None, "scope2"])
def test_the_service_manager_accepts_what_was_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str | None
) -> None:
    watched = tmp_path / "in put%h 'a' \"b\" c:d"
    program = tmp_path / "my 100% $HOME" / "nusetd"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    monkeypatch.setattr(install, "program_path", lambda: program)
    units, names = tmp_path / "units", ServiceNames(name)
    opened = {"gpu": True, "network": ("10.1.0.0/16", "any"), "user": "root", "names": names}
    wanted = options(watch=(watched, Path("/home/lab/in")), output=Path("/home/lab/out"), groups=("adm",), **opened)
    for path, text, _ in install.unit_files(wanted):
        (units / path.relative_to(names.unit.parent)).parent.mkdir(parents=True, exist_ok=True)
        (units / path.relative_to(names.unit.parent)).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(units / f"{names.service}.service")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"},
    )
    complaints = [line for line in done.stderr.splitlines() if "nusetd" in line or ".conf" in line]
    assert complaints == []


def test_folders_in_home_directories_are_let_in_and_nothing_else_of_them() -> None:
    text = drop_in_text(options(watch=(Path("/home/lab/in"), Path("/data/x")), output=Path("/home/lab/o ut")))
    settings = re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)
    assert ("ProtectHome", "tmpfs") in settings
    assert ("BindReadOnlyPaths", "-/home/lab/in") in settings
    assert ("BindPaths", '"-/home/lab/o ut"') in settings
    assert ("BindReadOnlyPaths", "-/data/x") not in settings


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--watch", "data"], "not an absolute path"),
        (["--watch", "/data/in"], "given twice"),
        (["--user", "Root User"], "no name for a user"),
        (["--name", "scope-2/../x"], "no name for a service"),
        (["--name", "nusetd"], "no name for a service"),
        (["--network", "no such host"], "has no address here"),
    ],
)
def test_wrong_usage_is_one_sentence(
    root: Path, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, *arguments) == 2
    assert part in capsys.readouterr().err
    assert not (root / "etc/nusetd").exists()


def test_what_fails_says_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "var").write_text("a file where a folder belongs")
    assert run(root) == 1
    assert "nothing after it was done" in capsys.readouterr().err


def test_the_files_are_installed_with_the_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    assert sorted(declared["share/nusetd"]) == sorted(f"systemd/{path.name}" for path in (ROOT / "systemd").iterdir())
