"""The file with the words that visitors must know: one for everybody, or one a line for each of them by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from daemon.errors import UsageError

SHORTEST = 16
EVERYBODY = "who knows the token"

_NAMED = re.compile(r"([^:#\s][^:]{0,60}):\s+(\S.*)")


def read_tokens(file: Path) -> Mapping[str, str]:
    """Return words by the names of who has them; a line without a name is for everybody, one with ``#`` says nothing.

    Raises
    ------
    UsageError
        When it cannot be read, holds no word, a short one, or two under one name.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read ({error}): give --token-file a file of one line.") from error
    found: dict[str, str] = {}
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        named = _NAMED.fullmatch(line)
        name, word = (named[1].strip(), named[2]) if named else (EVERYBODY, line)
        if len(word) < SHORTEST:
            raise UsageError(f"{file} holds a token of {len(word)} letters: give one of {SHORTEST} at least.")
        if name in found:
            raise UsageError(f"{file} holds two tokens for {name}: begin each line with a name, as in 'anna: WORD'.")
        found[name] = word
    if not found:
        raise UsageError(f"{file} holds no token: write a word of {SHORTEST} letters at least into it.")
    return found
