"""Addresses on our own server: of stores, and of the viewer that opens them.

The viewer comes from the same place as the data. Browsers do not let pages of the internet read from this computer,
and the networks of microscopes have no internet.
"""

from __future__ import annotations

from urllib.parse import quote

VIEWER = "/neuroglancer/"
CLIENT = f"{VIEWER}v/nusetd/"
"""Where the viewer's own files are; its program takes the form of this path for granted."""
EVENTS = f"{VIEWER}events/nusetd"
"""Where the viewer's program listens for messages; there are none, but without an answer it complains."""


def store(base: str, name: str) -> str:
    """Return the URL under which viewers find a store."""
    return f"{base}/{quote(name)}"


def neuroglancer(base: str, name: str) -> str:
    """Return the address that opens a store in neuroglancer."""
    return f"{base}{VIEWER}{quote(name)}"
