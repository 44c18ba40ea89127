"""What the bytes of a file say about whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["complete", "growing", "incomplete"]


@dataclass(frozen=True)
class Completion:
    """The verdict of a format on a file and its companions, from their structure alone; quiet time is not its business.

    Attributes
    ----------
    state : "complete", "growing" or "incomplete"
        complete: the structure ends properly and all that it declares is there. growing: what is there is sound, but
        more was declared, or the format has no end that could be seen. incomplete: it breaks off, or is no such file at
        all (yet).
    reason : str
        One sentence for people, that names the file.
    time_points_ready : tuple of int, or None
        The time points of which every plane can be read already; None when the format cannot tell.
    planes_ready, planes_declared : int or None
        How many planes there are, and how many are declared; None when the format cannot tell.
    others : tuple of Path
        Files beside it, other than its companions, that the verdict depends on as well, there or not.
    called : Path or None
        What the image is called by whose files name each other, the same for each of them; None: the file itself.
    doubtful : tuple of int
        Time points that are there, but look as if something of them lacked: when nothing more comes, they are taken.
    is_all_there : bool
        It grows only in as much as something is doubtful: no further time points are declared.
    """

    state: State
    reason: str
    time_points_ready: tuple[int, ...] | None = None
    planes_ready: int | None = None
    planes_declared: int | None = None
    others: tuple[Path, ...] = ()
    called: Path | None = None
    doubtful: tuple[int, ...] = ()
    is_all_there: bool = False

    @property
    def takeable(self) -> tuple[int, ...]:
        """The time points that can be read when nothing more comes."""
        return tuple(sorted({*(self.time_points_ready or ()), *self.doubtful}))

    @property
    def refusal(self) -> str:
        """The reason with what to do, where the file is not taken as it is."""
        return f"{self.reason.rstrip('.')}: copy or export it again, or wait for its end."


def of_planes(path: object, ready: int, declared: int, time_points: tuple[int, ...] | None) -> Completion:
    """Return the verdict on a sound file by its number of planes: complete when all that are declared are there."""
    if ready >= declared:
        return Completion("complete", f"{path} is whole.", time_points, ready, declared)
    reason = f"{path} holds {ready} of the {declared} planes that it declares."
    return Completion("growing", reason, time_points, ready, declared)
