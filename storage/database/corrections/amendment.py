"""What a worker found out about corrections on the labels: plain values, for the transaction that makes them rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nuset_engine.corrections.edited import PlainBlock
from nuset_engine.corrections.edits import EditOutcome
from nuset_engine.nuclei import Nuclei


@dataclass(frozen=True, eq=False)
class AmendedTimepoint:
    """A time point whose nuclei are others now.

    Attributes
    ----------
    t : int
    outcomes : tuple of EditOutcome
    nuclei : Nuclei
        Those that were made or changed.
    blocks : tuple of PlainBlock
        What its labels are without corrections, wherever they ever were corrected.
    is_written : bool
        Its labels wait beside the store to be shown; else only its rows change.
    """

    t: int
    outcomes: tuple[EditOutcome, ...]
    nuclei: Nuclei
    blocks: tuple[PlainBlock, ...]
    is_written: bool


@dataclass(frozen=True, eq=False)
class LinkOutcome:
    """Which nuclei (t, label) a correction of links speaks of; `reason` says why it does not fit."""

    number: int
    nodes: tuple[tuple[int, int], ...] = ()
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Amendment:
    """What is to become of the rows of an acquisition.

    Attributes
    ----------
    plain : bool
        All are taken off for now, because its tracks are made anew.
    wanted : mapping of number to bool
        Of every correction, whether its rows are to be as it says.
    memory : int
        For how many time points a nucleus may go unseen.
    """

    plain: bool
    wanted: Mapping[int, bool]
    points: tuple[AmendedTimepoint, ...]
    links: tuple[LinkOutcome, ...]
    memory: int


@dataclass(frozen=True)
class Amended:
    """What followed: the time points whose labels are to be shown, and whether tracks are to be painted."""

    to_publish: tuple[int, ...]
    applied: tuple[int, ...]
    misfits: Mapping[int, str]
