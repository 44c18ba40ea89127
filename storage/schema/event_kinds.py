"""Kinds of the rows of `events`, a sentence each, and what their facts hold."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """What happened in one transaction."""

    TIMEPOINT = "timepoint"
    """The rows of a time point were committed, for the first time or anew."""
    TRACKS = "tracks"
    """Tracks were made anew, or became final because nothing more comes."""
    CORRECTED = "corrected"
    """Rows were brought to what people said, or back."""
    FINISHED = "finished"
    """An acquisition is complete, partial or set aside."""
    DROPPED = "dropped"
    """All rows of an acquisition went: its source is read anew."""
    FORGOTTEN = "forgotten"
    """An acquisition was forgotten, with its earlier events."""
    ALARM = "alarm"
    """An alert was told."""


BORN, NOT_BORN = "born", "not_born"
DIVIDED, NOT_DIVIDED = "divided", "not_divided"
ENDED, NOT_ENDED = "ended", "not_ended"
FINAL = "final"
RENEWED = "renewed"
"""Facts of the first three kinds: [track, t] that began without a parent, [parent, [daughters], t, score] that divided,
[track, t] that ended, each also taken back; tracks whose rows are final, or others than before; time points besides
the event's own whose nuclei are others, or have other tracks."""
