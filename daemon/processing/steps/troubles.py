"""What keeps results from being stored or shown now: for health, status, metrics and alerts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """One of them.

    Attributes
    ----------
    subject : str
        What it is about: ``results``, ``database``, ``worker``, or the name of an acquisition.
    reason : str
        For people.
    """

    subject: str
    reason: str

    def __str__(self) -> str:
        """As a sentence."""
        return f"{self.subject}: {self.reason}"
