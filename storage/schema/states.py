"""The states of acquisitions and time points, a sentence each, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self, TypeVar

from storage.errors import IllegalTransitionError


class _State(StrEnum):
    """A state whose value is what the database holds and whose `meaning` is what people are told."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """Make a member from its stored value and its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class AcquisitionState(_State):
    """Where an acquisition stands as a whole."""

    QUEUED = "queued", "Known, but none of its time points has been taken up yet."
    PROCESSING = "processing", "Its time points are being processed, or more of them are awaited."
    COMPLETE = "complete", "Every time point that arrived is done and all its tracks are final."
    PARTIAL = "partial", "Finished with what there was: some time points failed or never arrived, `error` says which."
    SET_ASIDE = "set_aside", "Nothing of it could be processed, `error` says why and what to do."


FINISHED = frozenset({AcquisitionState.COMPLETE, AcquisitionState.PARTIAL, AcquisitionState.SET_ASIDE})


class TimepointState(_State):
    """Where one time point of one acquisition stands."""

    QUEUED = "queued", "Whole on disk and waiting for its turn."
    RUNNING = "running", "With the worker; after a crash it is queued again."
    ANALYSED = "analysed", "Its labels and nuclei are on disk; its rows appear when those before it, or new tracks, do."
    DONE = "done", "Its labels are on disk and its rows are in the database."
    FAILED = "failed", "Set aside after its last attempt, `error` says why; `nusetd retry` queues it again."


ACQUISITION_TRANSITIONS: Mapping[AcquisitionState, frozenset[AcquisitionState]] = {
    AcquisitionState.QUEUED: frozenset(
        {
            AcquisitionState.PROCESSING,  # its first time point was claimed
            AcquisitionState.SET_ASIDE,  # unreadable, or not processable as it is
        }
    ),
    AcquisitionState.PROCESSING: frozenset(
        {
            AcquisitionState.COMPLETE,  # ended, everything done
            AcquisitionState.PARTIAL,  # ended, something missing
            AcquisitionState.SET_ASIDE,  # ended, nothing done
        }
    ),
    # More time points arrived, a source file changed, or a retry was asked for.
    AcquisitionState.COMPLETE: frozenset({AcquisitionState.PROCESSING}),
    AcquisitionState.PARTIAL: frozenset({AcquisitionState.PROCESSING, AcquisitionState.COMPLETE}),
    AcquisitionState.SET_ASIDE: frozenset({AcquisitionState.QUEUED, AcquisitionState.PROCESSING}),
}

TIMEPOINT_TRANSITIONS: Mapping[TimepointState, frozenset[TimepointState]] = {
    TimepointState.QUEUED: frozenset(
        {
            TimepointState.RUNNING,  # claimed
            TimepointState.FAILED,  # its source vanished or became unreadable before its turn
        }
    ),
    TimepointState.RUNNING: frozenset(
        {
            TimepointState.ANALYSED,  # its turn to be committed has not come, or tracks are to be made anew with it
            TimepointState.DONE,  # committed
            TimepointState.QUEUED,  # crash, retry, or the source changed meanwhile
            TimepointState.FAILED,  # last attempt failed
        }
    ),
    TimepointState.ANALYSED: frozenset(
        {
            TimepointState.DONE,  # committed
            TimepointState.QUEUED,  # the source changed meanwhile, or its store is made anew
            TimepointState.FAILED,  # no tracks can be made with it
        }
    ),
    TimepointState.DONE: frozenset({TimepointState.QUEUED}),  # the source changed afterwards, or its store is made anew
    TimepointState.FAILED: frozenset({TimepointState.QUEUED}),  # retry, or the source changed
}

S = TypeVar("S", AcquisitionState, TimepointState)


def check_transition(table: Mapping[S, frozenset[S]], old: S, new: S, what: str) -> None:
    """Refuse a change of state that the table does not list.

    Parameters
    ----------
    table : mapping of state to the states that may follow it
    old, new : the states before and after; staying in a state is always allowed
    what : str
        The thing whose state changes, for the message.

    Raises
    ------
    IllegalTransitionError
        When `new` may not follow `old`.
    """
    if new != old and new not in table[old]:
        allowed = ", ".join(sorted(str(s) for s in table[old])) or "nothing"
        raise IllegalTransitionError(f"{what} is {old} and cannot become {new}: only {allowed} may follow.")
