"""A Dask scheduler as it is configured: its address, certificates, and whether it may be used so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from daemon.configuration.fields import Reader
from daemon.loopback import OWN_NAMES

PREFIX = "dask:"
"""What is before the address of a scheduler, where the number of workers may be said as well."""


@dataclass(frozen=True)
class SchedulerAccess:
    """A Dask scheduler, and what it takes to be let in: `workers = "dask:ADDRESS"`, and `[engine.dask]`.

    Attributes
    ----------
    address : str
        ``tcp://host:port``, or ``tls://host:port``.
    ca, certificate, key : Path or None
        Files in PEM: who signs the certificates of this cluster, and this side's own.
    insecure : bool
        Go on without, on another address than loopback: whoever reaches the port runs code as this user.
    """

    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    @property
    def is_protected(self) -> bool:
        """Say whether both sides show certificates."""
        return self.address.startswith("tls://") and None not in (self.ca, self.certificate, self.key)

    @property
    def is_own(self) -> bool:
        """Say whether nobody but this computer can reach it."""
        return self._host in OWN_NAMES

    @property
    def told(self) -> str:
        """What people read of it."""
        if self.is_protected:
            return f"{self.address} (certificates on both sides)"
        return f"{self.address} ({'this computer alone' if self.is_own else 'INSECURE: whoever reaches it runs code'})"

    @property
    def fault(self) -> str | None:
        """Say why it must not be used, None when it may."""
        if not self._host:
            return f"{self.address!r} is no address of a Dask scheduler: write tcp://HOST:PORT, or tls://HOST:PORT."
        if self.address.startswith("tls://") and not self.is_protected:
            return f"{self.address} needs certificates: give the files of ca, certificate and key."
        if not (self.is_protected or self.is_own or self.insecure):
            return (
                f"{self.address} is another computer, and whoever reaches a Dask scheduler runs code there and here: "
                "use tls:// with ca, certificate and key, or say insecure where the network is yours alone."
            )
        return None

    @property
    def _host(self) -> str | None:
        """The host that a whole address names, None where it is no address."""
        try:
            parts = urlsplit(self.address)
            return parts.hostname if parts.scheme in ("tcp", "tls") and parts.port is not None else None
        except ValueError:
            return None


def cluster_of(text: str) -> str | None:
    """Return the address of the scheduler that ``dask:ADDRESS`` names, None where it is a number of workers."""
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else None


def read_cluster(table: Reader, folder: Path) -> SchedulerAccess | None:
    """Read what `[engine]` says of a cluster, noting its faults; relative paths count from `folder`."""
    inner, said = table.table("dask"), str(table.values.get("workers"))
    files = {name: inner.optional_text(name) for name in ("ca", "certificate", "key")}
    insecure = inner.boolean("insecure", False)
    inner.finish()
    address = cluster_of(said)
    if address is None:
        return None
    table.text("workers", "")
    cluster = SchedulerAccess(
        address, **{name: None if text is None else folder / text for name, text in files.items()}, insecure=insecure
    )
    if cluster.fault is not None:
        table.fault(("workers",), cluster.fault)
    return cluster
