"""What the hardened unit forbids and some machines need: graphics cards, and other hosts. A drop-in for each.

The unit itself stays closed; its exposure is measured without these.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.errors import UsageError

ANY = "any"
_RESOLVERS = Path("/etc/resolv.conf")


def gpu_text(groups: Sequence[str]) -> str:
    """Return the drop-in that opens the devices of graphics cards.

    Parameters
    ----------
    groups : sequence of str
        Those of `video` and `render` that the machine has: `/dev/dri` belongs to them.
    """
    lines = [
        "# Graphics cards, written by `nusetd install-service --gpu`. The driver's devices must be there before the",
        "# service starts (nvidia-persistenced, or nvidia-modprobe -u -c 0 at boot): it may not make them itself.",
        "[Service]",
        "PrivateDevices=no",
        "DeviceAllow=char-nvidia* rw",
        "DeviceAllow=char-drm rw",
        "DeviceAllow=/dev/kfd rw",
    ]
    if groups:
        lines.append(f"SupplementaryGroups={' '.join(groups)}")
    return "\n".join(lines) + "\n"


def network_text(hosts: Sequence[str], resolvers: Path = _RESOLVERS) -> str:
    """Return the drop-in that lets the service reach other hosts.

    Parameters
    ----------
    hosts : sequence of str
        Names, addresses, or networks such as 10.1.0.0/16; `any` for all, as an object store on the internet needs.
        The service manager knows addresses alone, so that names are looked up now, and the resolvers of this machine
        are let in with them.

    Raises
    ------
    UsageError
        When a name has no address.
    """
    lines = [
        "# Other hosts, written by `nusetd install-service --network`; run it again when their addresses change.",
        "[Service]",
    ]
    names = []
    for host in hosts:
        if host == ANY:
            lines += ["# Every host.", "IPAddressAllow=any"]
            continue
        try:
            lines.append(f"IPAddressAllow={ipaddress.ip_network(host, strict=False)}")
        except ValueError:
            names.append(host)
            lines += [f"# {host}", *(f"IPAddressAllow={address}" for address in _addresses(host))]
    servers = list(_nameservers(resolvers)) if names else []
    if servers:
        lines += ["# The resolvers of this machine, for the names.", *(f"IPAddressAllow={one}" for one in servers)]
    return "\n".join(lines) + "\n"


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{host!r} has no address here ({error}): give a name, an address or a network.") from error
    return sorted({str(address[0]).partition("%")[0] for *_, address in found})


def _nameservers(resolvers: Path) -> Iterator[str]:
    """Give the servers that names are looked up at, but those on this machine, which are let in anyway."""
    try:
        lines = resolvers.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for words in map(str.split, lines):
        if len(words) > 1 and words[0] == "nameserver":
            try:
                address = ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            if not address.is_loopback:
                yield str(address)
