"""Who may ask a server on this computer: neither names that somebody had point here, nor pages of other origins."""

from __future__ import annotations

from urllib.parse import urlsplit

OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def name_of(host: str) -> str | None:
    """Return the name in a Host header, without the port: another one leads here where a port is forwarded."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_own(host: str | None) -> bool:
    """Say whether a Host header names this computer as it names itself."""
    return name_of(host or "") in OWN_NAMES


def is_same_origin(origin: str | None, host: str | None) -> bool:
    """Say whether no page asks, or one that this server gave out itself."""
    return origin is None or origin == f"http://{host}"
