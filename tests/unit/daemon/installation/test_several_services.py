"""Several services on one machine, and what the hardened unit is opened for: each has its own of everything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon import cli
from daemon.configuration import config
from daemon.installation import install, openings
from daemon.installation.options import InstallOptions
from daemon.installation.service_names import ServiceNames


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system whose user is there already."""
    etc = tmp_path / "system" / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text("nusetd:x:990:990::/var/lib/nusetd:/usr/sbin/nologin\n")
    (etc / "group").write_text("video:x:44:\n")
    return etc.parent


def run(root: Path, *more: str, watch: str = "/data/in", output: str = "/data/out") -> int:
    return cli.main(["install-service", "--root", str(root), "--watch", watch, "--output", output, *more])


def test_each_service_has_files_of_its_own(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    assert run(root, "--name", "scope2", watch="/data/in2") == 0
    assert run(root, "--name", "scope3", watch="/data/in3") == 0
    told = capsys.readouterr().out
    assert "systemctl enable --now nusetd@scope2" in told
    read = {
        name: config.parse((root / f"etc/nusetd/{name}.toml").read_text(), Path("/etc/nusetd/x.toml"))
        for name in ("nusetd", "scope2", "scope3")
    }
    assert len({one.database for one in read.values()}) == 3, "each database has its lock, and that of its worker"
    assert {one.service.listen for one in read.values()} == {f"127.0.0.1:{9464 + i}" for i in range(3)}
    assert {one.page.listen for one in read.values()} == {f"127.0.0.1:{8765 + i}" for i in range(3)}
    units = root / "etc/systemd/system"
    assert sorted(path.name for path in units.iterdir()) == [
        "nusetd.service", "nusetd.service.d", "nusetd@.service", "nusetd@scope2.service.d", "nusetd@scope3.service.d",
    ]  # fmt: skip
    unit = (units / "nusetd@.service").read_text()
    assert "run --config /etc/nusetd/%i.toml" in unit
    own = set(re.findall(r"(?:StateDirectory|CacheDirectory|LogsDirectory|SyslogIdentifier)=(.*)", unit))
    assert own == {"nusetd-%i"}
    assert "MPLCONFIGDIR=/var/cache/nusetd-%i" in unit
    drop_in = (units / "nusetd@scope2.service.d/data.conf").read_text()
    assert "User=nusetd" in drop_in
    assert "ReadOnlyPaths=-/data/in2" in drop_in
    assert (root / "var/lib/nusetd-scope2").is_dir()


def test_a_service_with_another_user_leaves_the_shared_unit_alone(root: Path) -> None:
    (root / "etc/passwd").write_text("nusetd:x:990:990::/:/x\nimaging:x:991:991::/:/x\n")
    assert run(root, "--name", "a") == 0
    before = (root / "etc/systemd/system/nusetd@.service").read_text()
    assert run(root, "--name", "b", "--user", "imaging") == 0
    assert (root / "etc/systemd/system/nusetd@.service").read_text() == before
    assert "User=imaging" in (root / "etc/systemd/system/nusetd@b.service.d/data.conf").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this computer")
def test_the_exposure_of_an_instance_is_at_most_1_5(tmp_path: Path) -> None:
    wanted = InstallOptions((Path("/data/in"),), Path("/data/out"), names=ServiceNames("scope2"))
    unit = tmp_path / "nusetd@scope2.service"
    unit.write_text(install.unit_files(wanted)[0][1])
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_what_is_opened_stands_in_drop_ins_of_its_own(root: Path) -> None:
    assert run(root, "--gpu", "--network", "10.1.2.3", "10.2.0.0/16", "--network", "any") == 0
    folder = root / "etc/systemd/system/nusetd.service.d"
    assert sorted(path.name for path in folder.iterdir()) == ["data.conf", "gpu.conf", "network.conf"]
    gpu = (folder / "gpu.conf").read_text().splitlines()
    assert {"PrivateDevices=no", "DeviceAllow=char-nvidia* rw", "SupplementaryGroups=video"} <= set(gpu)
    allowed = re.findall(r"^IPAddressAllow=(.*)$", (folder / "network.conf").read_text(), re.MULTILINE)
    assert allowed == ["10.1.2.3/32", "10.2.0.0/16", "any"]
    unit = (folder.parent / "nusetd.service").read_text()
    assert "IPAddressDeny=any" in unit
    assert "PrivateDevices=yes" in unit


def test_names_are_looked_up_and_the_resolvers_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(0, 0, 0, "", (address, 0)) for address in ("192.0.2.7", "2001:db8::7", "192.0.2.7")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    resolvers = tmp_path / "resolv.conf"
    resolvers.write_text("# mine\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch lab\n")
    allowed = re.findall(r"^IPAddressAllow=(.*)$", openings.network_text(["db.lab"], resolvers), re.MULTILINE)
    assert allowed == ["192.0.2.7", "2001:db8::7", "192.0.2.53"]
    assert "192.0.2.53" not in openings.network_text(["192.0.2.9"], resolvers)


def test_results_and_records_may_go_to_other_hosts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = "postgresql://nusetd:secret@db.lab/nuclei"
    assert run(root, "--database", database, output="s3://bucket/nuclei") == 0
    told = capsys.readouterr().out
    assert "give --network HOST for s3://bucket/nuclei" in told
    assert "secret" not in told
    assert run(root, "--database", database, "--dry-run") == 0
    assert "secret" not in capsys.readouterr().out
    read = config.parse((root / "etc/nusetd/nusetd.toml").read_text(), Path("/etc/nusetd/nusetd.toml"))
    assert (read.watch[0].output, read.database) == ("s3://bucket/nuclei", database)
    assert "ReadWritePaths=\n" in (root / "etc/systemd/system/nusetd.service.d/data.conf").read_text()
    assert not list(root.rglob("*s3*"))


def test_a_dry_run_shows_its_result_wherever_it_is_run_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "program_path", lambda: Path("/home/me/venv/bin/nusetd"))
    monkeypatch.setattr(install, "python_path", lambda: Path("/usr/bin/python3.11"))
    words = ["install-service", "--watch", "/data/in", "--output", "/data/out", "--group", "no-such-group"]
    assert cli.main([*words, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert told.count("not from here") == 2
    assert "ExecStart=/home/me/venv/bin/nusetd run" in told
    if os.geteuid() == 0:
        assert "a home directory, which the service cannot see" in told
        monkeypatch.setattr(install, "plan", lambda _: [])  # or a fault would install it here
        assert cli.main(words[:-2]) == 1
        assert "a home directory" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install a service")
def test_a_python_in_a_home_directory_is_refused_wherever_its_environment_lies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "program_path", lambda: Path("/opt/nusetd/bin/nusetd"))
    monkeypatch.setattr(install, "python_path", lambda: Path("/root/.pyenv/bin/python3.11"))
    assert cli.main(["install-service", "--watch", "/data/in", "--output", "/data/out", "--dry-run"]) == 0
    assert "not from here: nusetd runs with /root/.pyenv/bin/python3.11, in a home directory" in capsys.readouterr().out


def test_uninstalling_as_the_page_says_leaves_results_and_records(root: Path) -> None:
    assert run(root) == 0
    for folder in ("opt/nusetd/bin", "var/cache/nusetd", "var/log/nusetd"):
        (root / folder).mkdir(parents=True)
    page = (Path(__file__).parents[4] / "OPERATIONS.md").read_text(encoding="utf-8")
    block = page.split("## Uninstall", 1)[1].split("```bash\n", 1)[1].split("```", 1)[0]
    removed = [path for line in block.splitlines() if line.startswith("sudo rm ") for path in line.split()[3:]]
    for path in removed:
        there = root / path.lstrip("/")
        shutil.rmtree(there) if there.is_dir() else there.unlink()
    left = {str(path.relative_to(root)) for path in root.rglob("*") if "nusetd" in path.name or "nuclei" in path.name}
    assert left == {"var/lib/nusetd"}
    assert (root / "data/out").is_dir()
