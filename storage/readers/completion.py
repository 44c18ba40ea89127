"""What the bytes of a file say about whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["complete", "growing", "incomplete"]


@dataclass(frozen=True)
class Completion:
    """The verdict of a format on a file, from its structure alone; quiet time is the daemon's business.

    Attributes
    ----------
    state : "complete", "growing" or "incomplete"
        complete: the structure ends properly and all that it declares is there. growing: what is there is sound, but
        more was declared. incomplete: it breaks off, or is no such file at all (yet).
    reason : str
        One sentence for people, that names the file.
    time_points_ready : tuple of int, or None
        The time points that can be read already; None when the format cannot tell.
    """

    state: State
    reason: str
    time_points_ready: tuple[int, ...] | None = None
