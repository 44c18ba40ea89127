"""Text that may come from anywhere, as a terminal may be sent it.

Names of files and images hold any character, also those by which a terminal is told to hide, to overwrite or to do
things. They are shown as what they are, as in ``\\x1b``.
"""

from __future__ import annotations


def shown(text: str, allowed: str = "\n\t") -> str:
    """Return a text whose control characters, but for the allowed ones, are written out."""
    if text.isprintable():
        return text
    return "".join(c if c in allowed or c.isprintable() else c.encode("unicode_escape").decode() for c in text)
