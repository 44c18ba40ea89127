"""Who somebody is that orders: the name of a token, else the account on this computer that the request comes from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.types import Scope

NAME = "nusetd.visitor"
"""Where the guard leaves the name of a visitor's token in the scope of a request."""

UNKNOWN = "somebody on this computer"

_CONNECTED = "01"
_LONGEST_NAME = 40


def who(scope: Scope) -> str:
    """The visitor's name."""
    named = scope.get(NAME)
    if named:
        return str(named)
    client, server = scope.get("client"), scope.get("server")
    if client is None or server is None:
        return UNKNOWN
    return account_of(int(client[1]), int(server[1] or 0)) or UNKNOWN


def signed(values: Mapping[str, Any], who: str) -> str:
    """Who it is that orders: the name that was given with the order, and what is known besides."""
    name = str(values.get("by") or "").strip()
    return f"{name[:_LONGEST_NAME]} ({who})" if name else who


def account_of(port: int, server_port: int, tables: Path = Path("/proc/net")) -> str | None:
    """The account whose socket on this computer is connected from one port to the other; None where none is found.

    Forwarded by ssh, it is the account that logged in. Elsewhere than on Linux nothing is found.
    """
    for table in ("tcp", "tcp6"):
        with suppress(OSError, ValueError, IndexError):
            for line in (tables / table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                ends = [int(end.rpartition(":")[2], 16) for end in fields[1:3]]
                if ends == [port, server_port] and fields[3] == _CONNECTED:
                    return _name(int(fields[7]))
    return None


def _name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
