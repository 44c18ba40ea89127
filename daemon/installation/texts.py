"""The texts that an installation writes: the drop-in with this machine's folders, the configuration to begin with."""

from __future__ import annotations

import importlib.metadata
import json
import re
from contextlib import suppress
from itertools import count
from pathlib import Path

from daemon.errors import DaemonError
from daemon.installation.options import InstallOptions, is_at_home
from daemon.installation.service_names import CONFIGS, in_unit
from storage import naming

FIRST_PORT, FIRST_PAGE_PORT = 9464, 8765


def drop_in_text(options: InstallOptions) -> str:
    """The drop-in with this machine's folders."""
    lines = [
        "# The folders of this machine, written by `nusetd install-service`; run it again when they change.",
        "[Service]",
        "# Replaces the unit's examples.",
        "ReadOnlyPaths=",
        "ReadWritePaths=",
    ]
    if options.names.name is not None:
        lines += ["# Its user.", f"User={options.user}", f"Group={options.user}"]
    written = [options.output] if isinstance(options.output, Path) else []
    if options.database is not None and not naming.is_url(options.database):
        written.append(Path(options.database).parent)
    at_home = [path for path in (*options.watch, *written) if is_at_home(path)]
    if at_home:
        lines += ["# Of the home directories only these folders are there.", "ProtectHome=tmpfs"]
    for path in options.watch:
        if path in at_home:
            lines.append(f"BindReadOnlyPaths={_escaped(path, bound=True)}")
        lines.append(f"ReadOnlyPaths={_escaped(path)}")
    for path in dict.fromkeys(written):
        if path in at_home:
            lines.append(f"BindPaths={_escaped(path, bound=True)}")
        lines.append(f"ReadWritePaths={_escaped(path)}")
    if options.groups:
        lines += ["# Through these it may read the watched folders.", f"SupplementaryGroups={' '.join(options.groups)}"]
    return "\n".join(lines) + "\n"


def config_text(options: InstallOptions) -> str:
    """The configuration to begin with: the example with this machine's folders."""
    text = shipped("nusetd.toml")
    begin, end = text.index("[[watch]]"), text.index("[service]")
    block = text[begin:end]
    before, between, after = re.split('"/data/(?:microscope|nuclei)"', block)
    output = _toml(options.output)
    blocks = [before + _toml(path) + between + output + after for path in options.watch]
    text = text[:begin] + "".join(blocks) + text[end:]
    database = options.database or str(options.names.state / naming.DATABASE_NAME)
    text = text.replace('"/var/lib/nusetd/nusetd.sqlite"', _toml(database))
    for first in (FIRST_PORT, FIRST_PAGE_PORT):
        text = text.replace(f"127.0.0.1:{first}", f"127.0.0.1:{_free_port(options, first)}")
    return text.replace("/etc/nusetd/nusetd.toml", str(options.names.config))


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


def _free_port(options: InstallOptions, first: int) -> int:
    """The first port from `first` on that no other service of this machine listens on by its configuration."""
    taken: set[int] = set()
    for path in options.at(CONFIGS).glob("*.toml"):
        if path != options.at(options.names.config):
            with suppress(OSError, UnicodeDecodeError):
                found = re.findall(r'^\s*listen\s*=\s*"[^"]*:(\d+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
                taken.update(map(int, found))
    return next(port for port in count(first) if port not in taken)


def _toml(text: object) -> str:
    """A text as a string of TOML: JSON's are such, unless they write letters as halves of a pair."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _escaped(path: Path, bound: bool = False) -> str:
    """A path that may be missing as unit files want it."""
    return in_unit(f"-{path}", bound)
