"""What the page and the process that tries settings say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

STORED = "stored"
RESULT = "result.json"


@dataclass(frozen=True)
class TrialTask:
    """One time point, with settings or against another result.

    Attributes
    ----------
    number : int
        Of the task; its results go into the folder of that name.
    database : str
        Its URL.
    acquisition, t : int
    settings : mapping
        Full names with their values, over those that the acquisition was made with; None: not given.
    engine : mapping
        What `[engine]` says of the service; empty where none ever ran.
    other : int or None
        Another acquisition of the same image: its labels are compared, nothing is segmented.
    against : tuple of int
        Earlier trials of this time point, to compare with.
    """

    number: int
    database: str
    acquisition: int
    t: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    other: int | None = None
    against: tuple[int, ...] = ()


@dataclass(frozen=True)
class TrialSaid:
    """How far it is.

    Attributes
    ----------
    state : str
        ``waiting`` for the service, ``running``, ``done`` or ``failed``; the latter two are the last word.
    text : str
        Why, for people.
    done, of : int
        Slices.
    """

    number: int
    state: Literal["waiting", "running", "done", "failed"]
    text: str = ""
    done: int = 0
    of: int = 0


def picture_name(view: str, z: int) -> str:
    """The file of a picture of labels: of a slice, or of the whole stack from above or from the side."""
    return f"slice-{z}.png" if view == "slice" else f"{view}.png"
