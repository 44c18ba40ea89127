"""What is to be installed, and what the machine has of it already."""

from __future__ import annotations

import grp
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daemon.installation.service_names import ServiceNames
from storage import naming

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


@dataclass(frozen=True)
class InstallOptions:
    """What is to be installed, and where.

    Attributes
    ----------
    watch : sequence of Path
        Folders to watch.
    output : Path or str
        Folder for the results, or the URL of an object store.
    user : str
        The service's user, made when it is not there.
    groups : sequence of str
        Further groups of the service, through which it may read the watched folders.
    root : Path
        Everything is written below it; ``/`` but for tests and images of systems.
    names : ServiceNames
        Those of the only service, or of one of several.
    database : str or None
        Path or URL; None: a file in the service's state folder.
    gpu : bool
        Open the devices of graphics cards.
    network : sequence of str
        Other hosts that the service may reach.
    """

    watch: Sequence[Path]
    output: naming.Place
    user: str = "nusetd"
    groups: Sequence[str] = ()
    root: Path = Path("/")
    names: ServiceNames = field(default_factory=ServiceNames)
    database: str | None = None
    gpu: bool = False
    network: Sequence[str] = ()

    def at(self, path: Path) -> Path:
        """Where a path of the installed system is now."""
        return self.root / path.relative_to("/")


def program_path() -> Path:
    """The command `nusetd` of this installation."""
    return Path(sys.executable).parent / "nusetd"


def python_path() -> Path:
    """The Python that the environment of this installation was made with."""
    return Path(sys.executable).resolve()


def is_at_home(path: Path) -> bool:
    """Whether a path lies where a service sees nothing."""
    return any(home in path.parents for home in _HOMES)


def has_group(options: InstallOptions, name: str) -> bool:
    """Whether the system under `options.root` has a group."""
    if options.root == Path("/"):
        return not list(unknown_groups([name]))
    with suppress(OSError):
        return any(line.startswith(f"{name}:") for line in (options.root / "etc/group").read_text().splitlines())
    return False


def unknown_groups(groups: Sequence[str]) -> Iterator[str]:
    """Those of the groups that this machine does not have."""
    for name in groups:
        try:
            grp.getgrnam(name)
        except KeyError:
            yield name
