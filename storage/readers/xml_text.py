"""XML as bytes of a file, whatever its encoding, to text."""

from __future__ import annotations

import re

_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]+)["']""")


def decoded(data: bytes) -> str:
    """Return the text of a description: UTF-8 where the bytes are that, else as the XML declares, else Latin-1.

    Programs declare one encoding and write another; bytes that are valid UTF-8 by chance are rare.
    """
    declared = _DECLARED.match(data)
    for encoding in ("utf-8", declared[1].decode("ascii") if declared else "latin-1"):
        try:
            return data.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return data.decode("latin-1")


def printable(text: str) -> str:
    """Return what a file says as it may stand in a sentence: on one line, and without commands to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
