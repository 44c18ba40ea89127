"""Text as XML may hold it: names of files and images hold characters that it has no way to say."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def well_formed(text: str) -> str:
    """Return a text in which what XML 1.0 forbids is written out, as in ``\\x1b``."""
    return _FORBIDDEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
