"""Structured logs on standard error: one line per event, `key=value` fields, priorities for the journal."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Hashable, Mapping
from types import TracebackType

from daemon.plain_text import shown

_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_NEEDS_QUOTES = frozenset(' "=\t')

_MOST_WARNED = 10_000
_warned: dict[Hashable, None] = {}

log = logging.getLogger("nusetd")


def event(level: int, message: str, **fields: object) -> None:
    """Log `message` with its fields, the values of which stay machine readable."""
    log.log(level, message, extra={"fields": fields})


def debug(message: str, **fields: object) -> None:
    """Log what only a developer wants to know."""
    event(logging.DEBUG, message, **fields)


def info(message: str, **fields: object) -> None:
    """Log something that happened as it should."""
    event(logging.INFO, message, **fields)


def warning(message: str, **fields: object) -> None:
    """Log something that a person should look at when there is time."""
    event(logging.WARNING, message, **fields)


def warning_once(message: str, key: Hashable, **fields: object) -> None:
    """Log as `warning` does, unless that was done for the same key since the program started, or lately."""
    if key in _warned:
        return
    _warned[key] = None
    while len(_warned) > _MOST_WARNED:
        del _warned[next(iter(_warned))]
    warning(message, **fields)


def error(message: str, **fields: object) -> None:
    """Log something that was not done and needs a person."""
    event(logging.ERROR, message, **fields)


def render_fields(fields: Mapping[str, object]) -> str:
    """`key=value` pairs; a value with spaces, quotes, equals signs or line ends is quoted and escaped."""
    return " ".join(f"{key}={_render_value(value)}" for key, value in fields.items() if value is not None)


def _render_value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and text.isprintable() and not _NEEDS_QUOTES.intersection(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown(escaped, allowed="")}"'


class _LineFormatter(logging.Formatter):
    """One line per record, `<N>` first under the journal, the time first elsewhere (the journal has its own)."""

    def __init__(self, for_journal: bool) -> None:
        super().__init__()
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        message = shown(" ".join(record.getMessage().splitlines()), allowed="")
        fields = render_fields(getattr(record, "fields", {}))
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            fields = f"{fields} {render_fields({'trace': trace})}".strip()
        line = f"{message} {fields}".rstrip()
        if self._for_journal:
            return f"<{_PRIORITIES.get(record.levelno, 6)}>{line}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return f"{stamp} {record.levelname.lower()} {line}"


def under_journal() -> bool:
    """True when standard error is the stream that systemd connected to the journal."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def set_up(level: str = "info") -> None:
    """Send the project's logs to standard error; calling it again replaces what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter(under_journal()))
    log.handlers[:] = [handler]
    log.setLevel(level.upper())
    log.propagate = False


def catch_all() -> None:
    """Log what Python would print: warnings, and errors that nobody caught, in any thread."""
    logging.captureWarnings(True)
    warned = logging.getLogger("py.warnings")
    warned.handlers[:] = log.handlers
    warned.propagate = False

    def in_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("a fault in nusetd", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            what = (args.exc_type, args.exc_value, args.exc_traceback)
            fields = {"thread": None if args.thread is None else args.thread.name}
            log.critical("a fault in nusetd ended a thread", exc_info=what, extra={"fields": fields})

    sys.excepthook, threading.excepthook = in_main, in_thread
