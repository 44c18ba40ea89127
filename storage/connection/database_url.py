"""Database URLs with passwords: read as people write them, and never shown."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from storage.errors import DatabaseUnavailableError

PASSWORD_FILE = "password_file"
"""The part behind the ``?`` of a URL that names the file with the password, which then is nowhere else."""

_HIDDEN = "***"
_SHOWN_PARTS = re.compile(r"(?i)([?&](?!password_file=)[^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&]*")


def safe_url(url: str) -> str:
    """Return a database URL without its password, for messages.

    Whatever stands between the user's name and the last ``@`` is hidden: a password may hold any character, also those
    that would have to be written otherwise in a URL.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.startswith("sqlite"):
        return url
    account, at, place = rest.rpartition("@")
    user, colon, _ = account.partition(":")
    shown = f"{scheme}://{user}{f':{_HIDDEN}' if colon else ''}{at}{place}"
    return _SHOWN_PARTS.sub(rf"\1{_HIDDEN}", shown)


def parsed(url: str) -> URL:
    """Return a database URL in its parts; a password may hold an ``@`` as it is.

    Raises
    ------
    ArgumentError, ValueError
        When it is none; what they say may quote it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.startswith("sqlite"):
        return make_url(url)
    before, mark, behind = rest.partition("?")
    if "@" in behind and "@" in before:
        raise ArgumentError("which @ ends the password cannot be told: write ? in it as %3F, @ as %40")
    if "@" not in before:
        before, mark, behind = rest, "", ""
    account, at, place = before.rpartition("@")
    return make_url(f"{scheme}://{account.replace('@', '%40')}{at}{place}{mark}{behind}")


def password_from(file: str) -> str:
    """Return the password that a file holds, without the line end behind it.

    Raises
    ------
    DatabaseUnavailableError
        When it cannot be read.
    """
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise DatabaseUnavailableError(
            f"The database's password cannot be read from {file} ({reason}): correct the path behind "
            f"{PASSWORD_FILE}= in the database's URL, or give this user the right to read it."
        ) from None
