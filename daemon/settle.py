"""When is a file finished? A pure decision from what was seen of it and when; the clock is always an argument.

A file is ready when its content has been left alone for the quiet period AND its format says that it is whole.
Neither alone is enough: a writer may pause for longer than any quiet period, and a file that is still being written
can look whole to a reader (its plane count is only filled in at the end).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from storage.readers.plane_names import is_series


@dataclass(frozen=True)
class Identity:
    """What of a file changes when its content does: total bytes, newest change (ns), number of files."""

    size: int
    mtime_ns: int
    files: int = 1


@dataclass(frozen=True)
class SettleRules:
    """How long to wait, in seconds.

    Attributes
    ----------
    quiet_s : float
        A file must not have changed for this long before it is looked into.
    give_up_s : float
        A file that is not whole and has not changed for this long is set aside.
    """

    quiet_s: float = 2.0
    give_up_s: float = 60.0


@dataclass(frozen=True)
class Watched:
    """What is known of one file so far; times in seconds of any steady clock."""

    identity: Identity
    last_change: float
    next_look: float


class Decision(Enum):
    """What follows from what was seen of a file."""

    WAIT = "It is not whole yet, or changed a short time ago: look again later."
    READY = "It is whole and quiet: take it."
    SET_ASIDE = "It is not whole and nothing has been written for a long time."


def observe(before: Watched | None, identity: Identity, rules: SettleRules, now: float) -> Watched:
    """Fold a look at the file into what is known of it; a change starts the quiet period anew."""
    if before is not None and identity == before.identity:
        return before
    return Watched(identity, last_change=now, next_look=now + rules.quiet_s)


def is_due(watched: Watched, now: float) -> bool:
    """True when the file has been quiet long enough to ask its format whether it is whole."""
    return now >= watched.next_look


def conclude(watched: Watched, whole: bool, rules: SettleRules, now: float) -> tuple[Decision, Watched]:
    """What follows from the format's answer about a quiet file, and when to ask again.

    The pause before the next question grows with the silence, so that a file that stays unfinished costs little.
    """
    if whole:
        return Decision.READY, watched
    silence = now - watched.last_change
    if silence >= rules.give_up_s:
        return Decision.SET_ASIDE, watched
    pause = min(max(rules.quiet_s, 0.2 * silence), max(rules.give_up_s - silence, 0.0))
    return Decision.WAIT, replace(watched, next_look=now + pause)


def identify(path: Path, companions: Iterable[Path] = ()) -> Identity | None:
    """Look at a file with its companions, or at a store's directory; None when one is not there or held by its writer.

    The status comes from an open descriptor: a directory listing of a network share can report stale sizes until the
    writer closes its handle.
    """
    whole = _identify_one(path) if os.path.exists(path) or not is_series(path) else Identity(0, 0, 0)
    for companion in companions:
        part = _identify_one(companion)
        if whole is None or part is None:
            return None
        whole = Identity(whole.size + part.size, max(whole.mtime_ns, part.mtime_ns), whole.files + part.files)
    return whole


def looks_unchanged(path: Path, known: Identity | None) -> bool:
    """A cheap look at a file that was taken before: without opening it, for rescans of folders with many old files."""
    if known is None or known.files != 1:
        return False
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def _identify_tree(root: Path) -> Identity | None:
    size = newest = files = 0
    try:
        for folder, _, names in os.walk(root):
            for name in names:
                status = os.stat(os.path.join(folder, name))
                size, newest, files = size + status.st_size, max(newest, status.st_mtime_ns), files + 1
    except OSError:  # a file that vanished between listing and look: the store is being written
        return None
    return Identity(size, newest, files)


def _identify_one(path: Path) -> Identity | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if os.path.isdir(path):
        return _identify_tree(path)
    return Identity(status.st_size, status.st_mtime_ns)
