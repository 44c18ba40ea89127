"""Where in a TOML text a key stands: `tomllib` does not say, and a fault without its line is hard to find."""

from __future__ import annotations

import re
from pathlib import Path

from daemon.errors import ConfigError

KeyPath = tuple[str | int, ...]

_TABLE = re.compile(r"^\s*\[(?!\[)\s*([^\]]+?)\s*\]\s*(?:#.*)?$")
_ARRAY_TABLE = re.compile(r"^\s*\[\[\s*([^\]]+?)\s*\]\]\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*([A-Za-z0-9_\-."' ]+?)\s*=""")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Map each table and key to the line (from 1) on which it is written.

    An array of tables counts from 0: the second ``[[watch]]``'s ``path`` is ``("watch", 1, "path")``.
    Text inside multi-line strings is skipped.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: KeyPath = ()
    quote: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if quote is not None:
            quote = None if quote in line else quote
            continue
        if found := _ARRAY_TABLE.match(line):
            name = _parts(found[1])
            counts[name] = counts.get(name, -1) + 1
            table = (*name, counts[name])
            lines.setdefault(table, number)
        elif found := _TABLE.match(line):
            table = _numbered(_parts(found[1]), counts)
            lines.setdefault(table, number)
        elif found := _KEY.match(line):
            lines.setdefault((*table, *_parts(found[1])), number)
            quote = _opened_quote(line)
    return lines


def line_of(lines: dict[KeyPath, int], key: KeyPath) -> int:
    """The line of a key, or of the nearest table around it; 1 when nothing of it is written down."""
    while key:
        if key in lines:
            return lines[key]
        key = key[:-1]
    return 1


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _numbered(parts: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> KeyPath:
    """The place of a table inside the last table of an array: ``[watch.volume]`` belongs to the ``[[watch]]`` above."""
    for length in range(len(parts) - 1, 0, -1):
        if parts[:length] in counts:
            return (*parts[:length], counts[parts[:length]], *parts[length:])
    return parts


def _opened_quote(line: str) -> str | None:
    for quote in ('"""', "'''"):
        if line.count(quote) == 1:
            return quote
    return None


def text_of(path: str | Path) -> str:
    """Return the text of a configuration file.

    Raises
    ------
    ConfigError
        When the file cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read ({reason}): give --config an existing TOML file.") from error
