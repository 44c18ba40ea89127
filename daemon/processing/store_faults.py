"""What an error says about the store that was written to, and so what follows from it."""

from __future__ import annotations

import errno
import os

from daemon.processing.messages import Cause
from storage.errors import StoreDamagedError, StoreGoneError, StoreTakenError

# Errors that only writing meets, and that every store on the same disk meets.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def store_fault(error: BaseException | None, store: str) -> Cause | None:
    """Return the cause of a failure where it is about the store at `store`, or its disk; None where it is not."""
    if isinstance(error, StoreGoneError):
        return Cause.LOST
    if isinstance(error, StoreTakenError):
        return Cause.TAKEN
    output = os.path.dirname(store)
    while error is not None:
        if isinstance(error, StoreDamagedError) and _is_in(store, error.place):
            return Cause.DAMAGED
        if isinstance(error, OSError):
            place = str(error.filename or "")
            if error.errno in NO_ROOM:
                return Cause.MACHINE
            if store and _is_in(place, store):
                return Cause.STORE
            if output and place.startswith(output):
                return Cause.MACHINE
        error = error.__cause__
    return None


def _is_in(place: str, around: str) -> bool:
    return place == around or place.startswith(f"{around}/")
