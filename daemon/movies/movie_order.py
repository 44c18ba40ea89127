"""What a movie is to be like, and the words between whoever orders one and the process that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SUFFIXES = (".gif", ".mp4")

ColourBy = Literal["lineage", "track"]


@dataclass(frozen=True)
class MovieOptions:
    """How a movie is made.

    Attributes
    ----------
    fps : float
        Time points per second.
    tail : int
        Time points that tails are long; 0 for none.
    largest_px : int
        Longest side of the image.
    by : ``lineage`` or ``track``
        Whether daughters have their mother's colour.
    first, last : int or None
        Time points as people write them, both included; None: all.
    """

    fps: float = 7.0
    tail: int = 10
    largest_px: int = 1024
    by: ColourBy = "lineage"
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class MovieOrder:
    """A movie that somebody wants.

    Attributes
    ----------
    database : str
        Its URL.
    acquisition : int
        Its id.
    output : Path
        A ``.gif`` or ``.mp4`` file.
    options : MovieOptions
    """

    database: str
    acquisition: int
    output: Path
    options: MovieOptions


@dataclass(frozen=True)
class MovieSaid:
    """A word about a movie.

    Attributes
    ----------
    state : str
        ``running``, ``done`` or ``failed``.
    text : str
        Why it failed.
    done, of : int
        Frames.
    """

    state: str
    text: str = ""
    done: int = 0
    of: int = 0
