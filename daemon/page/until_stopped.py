"""A page's process serves until a signal, and ends within seconds of it, whatever its visitors do.

Python waits at its end for every thread, and one may wait for ever: for a share that hangs, or a database that somebody
has locked. Nothing is lost when such a thread is left: the page only reads, and what it orders is whole or not begun.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from daemon.output import complain
from daemon.page.live.server import PageServer

LONGEST_END_S = 3.5
"""What the page takes for its end, before it leaves what still goes on."""

_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def serve_until_stopped(server: PageServer, serve: Callable[[], None]) -> None:
    """Serve until Ctrl-C, SIGTERM, or the server's own end; for the main thread of a process that does nothing else."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    heard, told = os.pipe()
    os.set_blocking(told, False)
    # Written to by the interpreter at once, also while the main thread is held by something.
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for name, run in (("signals", lambda: _hear(heard, server.ending)), ("end", lambda: _insist(server.ending))):
        Thread(target=run, name=name, daemon=True).start()
    with suppress(KeyboardInterrupt):
        serve()
    complain("Stopped.")


def _hear(heard: int, ending: Event) -> None:
    """Let the end begin with a signal, whatever the main thread does."""
    while not _SIGNALS.intersection(os.read(heard, 64)):
        pass
    ending.set()


def _insist(ending: Event) -> None:
    """Leave when the end takes too long."""
    ending.wait()
    time.sleep(LONGEST_END_S)
    last_word = Thread(target=_say_why, daemon=True)  # which nobody may read, so that it is not waited for either
    last_word.start()
    last_word.join(_WORD_S)
    os._exit(0)


def _say_why() -> None:
    with suppress(OSError, ValueError):
        complain("Stopped, while something was still being read: a disk or a database does not answer.")
        sys.stderr.flush()


_WORD_S = 0.2
