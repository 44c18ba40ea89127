"""Installing the service: unit, drop-ins, configuration, user and folders; what people wrote is not touched."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import DaemonError, UsageError
from daemon.installation import openings
from daemon.installation.options import InstallOptions, has_group, is_at_home, program_path, python_path
from daemon.installation.texts import config_text, drop_in_text, shipped
from storage import naming
from storage.connection.database_url import safe_url

DATA, GPU, NETWORK = "data.conf", "gpu.conf", "network.conf"  # drop-ins

_CONFIG_MODE = 0o640
_DEFAULT_BIN = "/opt/nusetd/bin/nusetd"


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
        When a path is not absolute, or something is named twice or wrongly.
    """
    _check(options)
    folders = [(options.names.state, 0o750)]
    if isinstance(options.output, Path):
        folders.append((options.output, 0o2750))
    return [
        _user(options),
        *(_folder(options, path, mode) for path, mode in folders),
        _config(options),
        *(_file(options, path, text, what) for path, text, what in unit_files(options)),
    ]


def unit_files(options: InstallOptions) -> list[tuple[Path, str, str]]:
    """The unit and its drop-ins: where, text, what each is."""
    names = options.names
    unit = names.unit_text(shipped("nusetd.service"), program_path(), _DEFAULT_BIN, options.user)
    files = [
        (names.unit, unit, "the unit"),
        (names.drop_ins / DATA, drop_in_text(options), "which folders it may read and write"),
    ]
    if options.gpu:
        text = openings.gpu_text([name for name in ("video", "render") if has_group(options, name)])
        files.append((names.drop_ins / GPU, text, "graphics cards"))
    if options.network:
        files.append((names.drop_ins / NETWORK, openings.network_text(options.network), "other hosts"))
    return files


def install(options: InstallOptions, tell: Callable[[str], None], dry_run: bool) -> None:
    """Do, or with `dry_run` only tell, every step of the plan.

    Raises
    ------
    DaemonError
        When a step fails.
    """
    steps = plan(options)
    reason = _not_here(options)
    if reason is not None and not dry_run:
        raise DaemonError(reason)
    if reason is not None:
        tell(f"not from here: {reason}")
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
    program, config, service = shlex.quote(str(program_path())), options.names.config, options.names.service
    database = shlex.quote(safe_url(options.database or str(options.names.state / naming.DATABASE_NAME)))
    lines = [
        f"1. Look at {config} (voxel sizes, channels, alerts), then check it as the service's user:",
        f"     sudo -u {options.user} {program} check-config {config}",
        "2. Sign off the machine:",
        f"     sudo -u {options.user} {program} selfcheck --config {config}",
        "3. Start it now and at every boot:",
        f"     systemctl daemon-reload && systemctl enable --now {service}",
        "4. See how it is:",
        f"     systemctl status {service}; {program} status --database {database}; journalctl -u {service}",
        f"   People who ask for results belong into the group {options.user}: usermod -aG {options.user} PERSON",
        f"After changes: systemctl reload {service}. Your own unit settings: systemctl edit {service}.",
    ]
    away = [place for place in (options.output, options.database) if naming.is_url(place or "")]
    if away and not options.network:
        lines.append(f"It reaches no other host: give --network HOST for {safe_url(str(away[0]))}.")
    return lines


def _not_here(options: InstallOptions) -> str | None:
    """Why it cannot be installed by this user, or from this installation; None when it can."""
    if options.root != Path("/"):
        return None
    if os.geteuid() != 0:
        return "Only root may install a service: put sudo before it, or look at it with --dry-run."
    program, python = program_path(), python_path()
    if is_at_home(program):
        return (
            f"nusetd is installed in {program.parent}, a home directory, which the service cannot see: install it "
            "elsewhere, for example with `python3 -m venv /opt/nusetd && /opt/nusetd/bin/pip install .`."
        )
    if is_at_home(python):
        return (
            f"nusetd runs with {python}, in a home directory, which the service cannot see: install it with a Python "
            "that lies elsewhere, for example with `/usr/bin/python3 -m venv /opt/nusetd`."
        )
    return None


def _check(options: InstallOptions) -> None:
    places = [options.output, options.database or "/"]
    for path in (*options.watch, *(Path(one) for one in places if not naming.is_url(one)), options.root):
        if not path.is_absolute():
            raise UsageError(f"{path} is not an absolute path: the service starts in no particular folder.")
        if not str(path).isprintable():
            raise UsageError(f"{str(path)!r} has letters that unit files cannot hold: give the folder another name.")
    if len(set(options.watch)) < len(options.watch) or options.output in options.watch:
        raise UsageError("A folder is given twice: results never go into a watched folder, and each is watched once.")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", options.user):
        raise UsageError(f"{options.user!r} is no name for a user: use small letters, digits, - and _.")
    if options.names.is_wrong():
        raise UsageError(f"{options.names.name!r} is no name for a service: use letters, digits, _ and .")


def _user(options: InstallOptions) -> InstallStep:
    if _known_user(options) is not None:
        return InstallStep(f"user {options.user} is there already")
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--home-dir",
        str(options.names.state),
        "--shell",
        "/usr/sbin/nologin",
    ]
    if options.root != Path("/"):
        command += ["--prefix", str(options.root)]
        if not (options.root / "etc/passwd").is_file():
            return InstallStep(f"make the system user {options.user} yourself: {options.root} holds no system's users")
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
    where = options.at(options.names.config)

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
