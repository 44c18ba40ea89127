"""When is a file finished? A pure decision from what was seen of it and when; the clock is always an argument.

A file is ready when its content has been left alone for the quiet period AND its format says that it is whole.
Neither alone is enough: a writer may pause for longer than any quiet period, and a file that is still being written
can look whole to a reader (its plane count is only filled in at the end).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from daemon.configuration.settle_rules import SettleRules
from storage.readers.series.plane_names import is_series


@dataclass(frozen=True)
class Identity:
    """What of a file changes when its content does: total bytes, newest change (ns), number of files.

    A file that may not be read becomes another one when its permissions are corrected.
    """

    size: int
    mtime_ns: int
    files: int = 1
    readable: bool = True


# Of more companions than this, only those are opened that changed within this time before the newest of them.
_MANY, _WRITTEN_NS = 64, 60_000_000_000
# What people say overrides evidence: a file that is declared done is taken as it is, at once.
AT_ONCE = SettleRules(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Watched:
    """What is known of one file so far; times in seconds of any steady clock.

    Attributes
    ----------
    ready : mapping
        Time points of a growing file -> when its format first called them whole.
    """

    identity: Identity
    last_change: float
    next_look: float
    last_look: float
    ready: Mapping[int, float] = field(default_factory=dict)


class Decision(Enum):
    """What follows from what was seen of a file."""

    WAIT = "It is not whole yet, or changed a short time ago: look again later."
    READY = "It is whole and quiet: take it."
    PARTIAL = "Nothing has been written for a long time: take the time points that are whole."
    SET_ASIDE = "It is not whole and nothing has been written for a long time."


@dataclass(frozen=True)
class Conclusion:
    """A decision, what is known now, and time points of a growing file that can be taken before it is finished."""

    decision: Decision
    watched: Watched
    ripe: tuple[int, ...] = ()


def observe(before: Watched | None, identity: Identity, rules: SettleRules, now: float) -> Watched:
    """Fold a look at the file into what is known of it; a change starts the quiet period anew."""
    if before is None:
        return Watched(identity, last_change=now, next_look=now + rules.quiet_s, last_look=now)
    if identity == before.identity:
        return before
    ready = before.ready if identity.size >= before.identity.size else {}  # a smaller file is another one
    next_look = max(now, min(now + rules.quiet_s, before.last_look + rules.peek_s))
    return Watched(identity, now, next_look, before.last_look, ready)


def is_due(watched: Watched, now: float) -> bool:
    """True when it is time to ask the file's format whether it is whole."""
    return now >= watched.next_look


def conclude(
    watched: Watched,
    whole: bool,
    rules: SettleRules,
    now: float,
    ready: Iterable[int] = (),
    cost_s: float = 0.0,
    doubtful: Iterable[int] = (),
) -> Conclusion:
    """What follows from the format's answer about a file, and when to ask again.

    The pause before the next question grows with the silence, so that a file that stays unfinished costs little, and
    with what the last answer took, so that asking never takes more than a twentieth of the time.

    Parameters
    ----------
    watched : Watched
    whole : bool
        The format says that all is there.
    ready : iterable of int
        Time points that the format calls whole in a growing file. They are ripe when it has done so for a quiet period.
    cost_s : float
        How long the question took.
    doubtful : iterable of int
        Further time points, which are taken when nothing more comes.
    """
    silence = now - watched.last_change
    quiet = silence >= rules.quiet_s
    if whole and quiet:
        return Conclusion(Decision.READY, watched)
    since = {t: watched.ready.get(t, now) for t in ready}
    ripe = tuple(sorted(t for t, first in since.items() if now - first >= rules.quiet_s))
    there = sorted({*since, *doubtful})
    limit_s = rules.partial_s if there else rules.give_up_s
    if quiet and silence >= limit_s:
        return Conclusion(Decision.PARTIAL if there else Decision.SET_ASIDE, watched, tuple(there))
    if quiet:
        pause = min(max(rules.quiet_s, 0.2 * silence), limit_s - silence)
    else:
        pause = rules.peek_s if not whole and since else rules.quiet_s - silence
    later = replace(watched, next_look=now + max(pause, 20.0 * cost_s), last_look=now, ready=since)
    return Conclusion(Decision.WAIT, later, ripe)


def identify(path: str | Path, companions: Iterable[str | Path] = ()) -> Identity | None:
    """Look at a file with its companions, or at a store's directory.

    None when one of them is not there, held by its writer, or neither file nor folder; companions of what is not there
    itself (yet) count alone. The status comes from an open descriptor: a directory listing of a network share can
    report stale sizes until the writer closes its handle. Of many companions, those that changed long before the newest
    have no writer any more, and are not opened.
    """
    parts = tuple(companions)
    is_parts = (parts or is_series(Path(path))) and not os.path.exists(path)
    head = [] if is_parts else [_identify_one(path)]
    if None in head:
        return None
    found = [*head, *(_identify_many(parts) if len(parts) > _MANY else map(_identify_one, parts))]
    there = [one for one in found if one is not None]
    if len(there) < len(found):
        return None
    return Identity(
        sum(one.size for one in there),
        max((one.mtime_ns for one in there), default=0),
        sum(one.files for one in there),
        all(one.readable for one in there),
    )


def looks_unchanged(path: str | Path, known: Identity | None) -> bool:
    """A cheap look at a file that was seen before: without opening it, for folders with many old files."""
    if known is None or known.files != 1 or not known.readable:
        return False
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def _identify_closed(path: str | Path) -> Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Identity(status.st_size, status.st_mtime_ns, readable=False)


def _identify_tree(root: str | Path) -> Identity | None:
    size = newest = files = 0
    try:
        for folder, _, names in os.walk(root):
            for name in names:
                status = os.stat(os.path.join(folder, name))
                size, newest, files = size + status.st_size, max(newest, status.st_mtime_ns), files + 1
    except OSError:  # a file that vanished between listing and look: the store is being written
        return None
    return Identity(size, newest, files)


def _identify_many(paths: Iterable[str | Path]) -> Iterator[Identity | None]:
    """Look at many files of one image, and open those alone of which one may still be written."""
    try:
        seen = [(path, os.stat(path)) for path in paths]
    except OSError:
        yield None
        return
    latest = max(status.st_mtime_ns for _, status in seen) - _WRITTEN_NS
    size = newest = files = 0
    rights: dict[tuple[int, int, int], bool] = {}  # of one file for all whose owner and mode are the same
    for path, status in seen:
        if status.st_mtime_ns > latest or not stat.S_ISREG(status.st_mode):
            yield _identify_one(path)
            continue
        size, newest, files = size + status.st_size, max(newest, status.st_mtime_ns), files + 1
        owner = (status.st_mode, status.st_uid, status.st_gid)
        if owner not in rights:
            rights[owner] = os.access(path, os.R_OK)
    yield Identity(size, newest, files, all(rights.values()))


def _identify_one(path: str | Path) -> Identity | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return _identify_closed(path)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        return _identify_tree(path)
    return Identity(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
