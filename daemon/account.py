"""The account that this process runs under."""

from __future__ import annotations

import getpass
import os


def account() -> str:
    """Its name, or its number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run it under a number that has no name
        return f"user {os.getuid()}"
