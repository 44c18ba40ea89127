"""Installing the service: unit, drop-in, configuration, user and folders; what people wrote is not touched."""

from __future__ import annotations

import grp
import importlib.metadata
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import DaemonError, UsageError

UNIT = Path("/etc/systemd/system/nusetd.service")
DROP_IN = Path("/etc/systemd/system/nusetd.service.d/data.conf")
CONFIG = Path("/etc/nusetd/nusetd.toml")
STATE = Path("/var/lib/nusetd")

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_CONFIG_MODE = 0o640
_DEFAULT_BIN = "/opt/nusetd/bin/nusetd"


@dataclass(frozen=True)
class InstallOptions:
    """What is to be installed, and where.

    Attributes
    ----------
    watch : sequence of Path
        Folders to watch.
    output : Path
        Folder for the results.
    user : str
        The service's user, made when it is not there.
    groups : sequence of str
        Further groups of the service, through which it may read the watched folders.
    root : Path
        Everything is written below it; ``/`` but for tests and images of systems.
    """

    watch: Sequence[Path]
    output: Path
    user: str = "nusetd"
    groups: Sequence[str] = ()
    root: Path = Path("/")

    def at(self, path: Path) -> Path:
        """Where a path of the installed system is now."""
        return self.root / path.relative_to("/")


@dataclass(frozen=True)
class InstallStep:
    """One thing that is done: in words, and as a function (None: nothing is to be done)."""

    text: str
    do: Callable[[], None] | None = None


def plan(options: InstallOptions) -> list[InstallStep]:
    """Everything that `install` would do.

    Raises
    ------
    UsageError
        When a path is not absolute, or the program itself lies where the service cannot see it.
    """
    _check(options)
    unit = unit_text(options.user)
    return [
        _user(options),
        *(_folder(options, path, mode) for path, mode in ((STATE, 0o750), (options.output, 0o2750))),
        _config(options),
        _file(options, UNIT, unit, "the unit"),
        _file(options, DROP_IN, drop_in_text(options), "which folders it may read and write"),
    ]


def install(options: InstallOptions, tell: Callable[[str], None], dry_run: bool) -> None:
    """Do, or with `dry_run` only tell, every step of the plan.

    Raises
    ------
    DaemonError
        When a step fails.
    """
    steps = plan(options)
    if not dry_run and options.root == Path("/") and os.geteuid() != 0:
        raise DaemonError("Only root may install a service: put sudo before it, or look at it with --dry-run.")
    for step in steps:
        tell(step.text)
        if step.do is None or dry_run:
            continue
        try:
            step.do()
        except OSError as error:
            raise DaemonError(f"That failed ({error}): nothing after it was done; mend it and run again.") from error
        except subprocess.CalledProcessError as error:
            said = (error.stderr or "").strip()
            raise DaemonError(f"That failed ({said}): nothing after it was done; mend it and run again.") from error


def next_steps(options: InstallOptions) -> list[str]:
    """What a person does next."""
    program = program_path()
    database = STATE / "nusetd.sqlite"
    return [
        f"1. Look at {CONFIG} (voxel sizes, channels, alerts), then check it as the service's user:",
        f"     sudo -u {options.user} {program} check-config {CONFIG}",
        "2. Sign off the machine:",
        f"     sudo -u {options.user} {program} selfcheck --config {CONFIG}",
        "3. Start it now and at every boot:",
        "     systemctl daemon-reload && systemctl enable --now nusetd",
        "4. See how it is:",
        f"     systemctl status nusetd; {program} status --database {database}; journalctl -u nusetd",
        f"   People who ask for results belong into the group {options.user}: usermod -aG {options.user} PERSON",
        "After changes: systemctl reload nusetd. Your own unit settings: systemctl edit nusetd.",
    ]


def unit_text(user: str) -> str:
    """The unit for this installation."""
    text = shipped("nusetd.service").replace(_DEFAULT_BIN, str(program_path()))
    return re.sub(r"^(User|Group)=.*$", rf"\1={user}", text, flags=re.MULTILINE)


def drop_in_text(options: InstallOptions) -> str:
    """The drop-in with this machine's folders."""
    lines = [
        "# The folders of this machine, written by `nusetd install-service`; run it again when they change.",
        "[Service]",
        "# Replaces the unit's examples.",
        "ReadOnlyPaths=",
        "ReadWritePaths=",
    ]
    at_home = [path for path in (*options.watch, options.output) if _is_at_home(path)]
    if at_home:
        lines += ["# Of the home directories only these folders are there.", "ProtectHome=tmpfs"]
    for path in options.watch:
        if path in at_home:
            lines.append(f"BindReadOnlyPaths={_escaped(path, bound=True)}")
        lines.append(f"ReadOnlyPaths={_escaped(path)}")
    if options.output in at_home:
        lines.append(f"BindPaths={_escaped(options.output, bound=True)}")
    lines.append(f"ReadWritePaths={_escaped(options.output)}")
    if options.groups:
        lines += ["# Through these it may read the watched folders.", f"SupplementaryGroups={' '.join(options.groups)}"]
    return "\n".join(lines) + "\n"


def config_text(options: InstallOptions) -> str:
    """The configuration to begin with: the example with this machine's folders."""
    text = shipped("nusetd.toml")
    begin, end = text.index("[[watch]]"), text.index("[service]")
    block = text[begin:end]
    # A JSON string is also a TOML string.
    blocks = [
        block.replace('"/data/microscope"', json.dumps(str(path))).replace(
            '"/data/nuclei"', json.dumps(str(options.output))
        )
        for path in options.watch
    ]
    return text[:begin] + "".join(blocks) + text[end:]


def shipped(name: str) -> str:
    """The text of a file of the folder `systemd`, which lies beside the packages or was installed with them.

    Raises
    ------
    DaemonError
        When it is in neither place.
    """
    beside = Path(__file__).resolve().parent.parent.parent / "systemd" / name
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    try:
        for file in importlib.metadata.files("nusetd") or ():
            if file.name == name and file.parent.name == "nusetd":
                return Path(str(file.locate())).read_text(encoding="utf-8")
    except importlib.metadata.PackageNotFoundError:
        pass
    raise DaemonError(f"{name} was not installed with nusetd: install it again with pip, from its release or a clone.")


def program_path() -> Path:
    """The command `nusetd` of this installation."""
    return Path(sys.executable).parent / "nusetd"


def _check(options: InstallOptions) -> None:
    for path in (*options.watch, options.output, options.root):
        if not path.is_absolute():
            raise UsageError(f"{path} is not an absolute path: the service starts in no particular folder.")
    if len(set(options.watch)) < len(options.watch) or options.output in options.watch:
        raise UsageError("A folder is given twice: results never go into a watched folder, and each is watched once.")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", options.user):
        raise UsageError(f"{options.user!r} is no name for a user: use small letters, digits, - and _.")
    program = program_path()
    if options.root == Path("/") and _is_at_home(program):
        raise UsageError(
            f"nusetd is installed in {program.parent}, a home directory, which the service cannot see: install it "
            "elsewhere, for example with `python3 -m venv /opt/nusetd && /opt/nusetd/bin/pip install nusetd`."
        )


def _user(options: InstallOptions) -> InstallStep:
    if _known_user(options) is not None:
        return InstallStep(f"user {options.user} is there already")
    command = ["useradd", "--system", "--user-group", "--home-dir", str(STATE), "--shell", "/usr/sbin/nologin"]
    if options.root != Path("/"):
        command += ["--prefix", str(options.root)]
    command += [options.user]
    if shutil.which("useradd") is None:
        return InstallStep(f"make the system user {options.user} yourself: useradd is not on this machine")

    def make() -> None:
        subprocess.run(command, check=True, capture_output=True, text=True)

    return InstallStep(f"make the system user {options.user}", make)


def _known_user(options: InstallOptions) -> tuple[int, int] | None:
    """User and group id of the service's user in the system under `options.root`."""
    if options.root == Path("/"):
        try:
            entry = pwd.getpwnam(options.user)
        except KeyError:
            return None
        return entry.pw_uid, entry.pw_gid
    try:
        lines = (options.root / "etc/passwd").read_text().splitlines()
    except OSError:
        return None
    fields = next((line.split(":") for line in lines if line.startswith(f"{options.user}:")), None)
    return None if fields is None else (int(fields[2]), int(fields[3]))


def _folder(options: InstallOptions, path: Path, mode: int) -> InstallStep:
    where = options.at(path)
    if where.is_dir():
        return InstallStep(f"{where} is there already: see to it that {options.user} may write into it")

    def make() -> None:
        where.mkdir(parents=True)
        where.chmod(mode)
        owner = _known_user(options)
        if owner is not None and os.geteuid() == 0:
            os.chown(where, *owner)

    return InstallStep(f"make {where} for {options.user}, readable by its group", make)


def _config(options: InstallOptions) -> InstallStep:
    where = options.at(CONFIG)

    def close() -> None:
        """It may come to hold a password: only root changes it, only the service reads it."""
        owner = _known_user(options)
        if owner is not None and os.geteuid() == 0:
            os.chown(where, 0, owner[1])
        where.chmod(_CONFIG_MODE)

    def make() -> None:
        _write(where, config_text(options), _CONFIG_MODE)
        close()

    if not where.exists():
        return InstallStep(f"write {where}, a configuration to begin with, readable by group {options.user}", make)
    if where.stat().st_mode & 0o007:
        return InstallStep(f"{where} is there already and stays as it is, read by group {options.user} only", close)
    return InstallStep(f"{where} is there already and stays as it is")


def _file(options: InstallOptions, path: Path, text: str, what: str) -> InstallStep:
    where = options.at(path)
    before = where.read_text(encoding="utf-8") if where.exists() else None
    if before == text:
        return InstallStep(f"{where} is there already and is the same")
    if before is None:
        return InstallStep(f"write {where}, {what}", lambda: _write(where, text))
    kept = where.with_name(f"{where.name}.before")

    def replace() -> None:
        _write(kept, before)
        _write(where, text)

    return InstallStep(f"replace {where}, {what}; the old one is kept as {kept.name}", replace)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _is_at_home(path: Path) -> bool:
    return any(home in path.parents for home in _HOMES)


def _escaped(path: Path, bound: bool = False) -> str:
    """A path that may be missing as unit files want it: without the meaning that %, quotes and colons have there."""
    text = f"-{path}".replace("%", "%%")
    text = text.replace("\\", "\\\\").replace(":", "\\:" if bound else ":")
    return '"' + text.replace('"', '\\"') + '"' if re.search(r'[\s"\\\']', text) else text


def unknown_groups(groups: Sequence[str]) -> Iterator[str]:
    """Those of the groups that this machine does not have."""
    for name in groups:
        try:
            grp.getgrnam(name)
        except KeyError:
            yield name
