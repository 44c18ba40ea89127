"""Under which names a service lies on a machine: the one service, or one of several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

UNITS = Path("/etc/systemd/system")
CONFIGS = Path("/etc/nusetd")

# As in the unit: what is named after the service itself, which an instance has for itself.
_OWN_FOLDERS = re.compile(r"^(StateDirectory|CacheDirectory|LogsDirectory|SyslogIdentifier)=nusetd$", re.MULTILINE)


@dataclass(frozen=True)
class ServiceNames:
    """The names of a service.

    Attributes
    ----------
    name : str or None
        Of one of several services on this machine, an instance of the unit `nusetd@.service`; None: of the only one.
    """

    name: str | None = None

    @property
    def service(self) -> str:
        """What the service manager calls it."""
        return "nusetd" if self.name is None else f"nusetd@{self.name}"

    @property
    def unit(self) -> Path:
        """Its unit, which all instances share."""
        return UNITS / ("nusetd.service" if self.name is None else "nusetd@.service")

    @property
    def drop_ins(self) -> Path:
        """The folder of its own settings beside the unit."""
        return UNITS / f"{self.service}.service.d"

    @property
    def config(self) -> Path:
        """Its configuration."""
        return CONFIGS / f"{self.name or 'nusetd'}.toml"

    @property
    def state(self) -> Path:
        """The folder of its database, which is writable for it alone."""
        return Path("/var/lib") / (f"nusetd-{self.name}" if self.name else "nusetd")

    def is_wrong(self) -> bool:
        """Say whether the name cannot be one of an instance, or is taken by the only service's files."""
        return self.name is not None and (
            self.name == "nusetd" or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.]{0,30}", self.name) is None
        )

    def unit_text(self, shipped: str, program: Path, shipped_program: str, user: str) -> str:
        """Return the unit of this installation.

        Instances share theirs: where their names differ it says ``%i``, and their users are in their own drop-ins.
        """
        text = shipped.replace(shipped_program, in_unit(str(program)))
        if self.name is None:
            return re.sub(r"^(User|Group)=.*$", rf"\1={user}", text, flags=re.MULTILINE)
        text = _OWN_FOLDERS.sub(r"\1=nusetd-%i", text)
        text = re.sub(r"^(Description=.*)$", r"\1 (%i)", text, flags=re.MULTILINE)
        return text.replace("/etc/nusetd/nusetd.toml", "/etc/nusetd/%i.toml").replace(
            "/var/cache/nusetd", "/var/cache/nusetd-%i"
        )


def in_unit(text: str, bound: bool = False) -> str:
    """A path as unit files want it: without the meaning that %, quotes, spaces and, where one is bound, colons have."""
    text = text.replace("%", "%%").replace("\\", "\\\\").replace(":", "\\:" if bound else ":")
    return '"' + text.replace('"', '\\"') + '"' if re.search(r'[\s"\\\']', text) else text
