"""What people corrected, as images to learn from and others, of other time points, to be judged by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from storage.errors import WrongRequestError
from storage.export.snapshot import Snapshot
from storage.export.training import IMAGES, LABELS, SEEN, write_slices
from storage.files.whole_file import remove
from storage.query.corrected import corrected_timepoints, spoken_of
from storage.query.snapshots import resolved, snapshot

HELD_OUT = "held-out"
TAKEN = "taken.json"
"""What people said of what lies there; it is written last."""
HELD_OUT_SHARE = 0.2
"""Of the corrected time points: nothing is learned from them."""


@dataclass(frozen=True)
class CorrectedExamples:
    """Where they lie.

    Attributes
    ----------
    folder : Path
        With ``images``, ``labels`` and ``seen``, and in ``held-out`` the same.
    learned, held_out : int
        Number of time points.
    """

    folder: Path
    learned: int
    held_out: int

    @property
    def to_learn(self) -> tuple[Path, Path, Path]:
        """Images, labels, and where somebody looked."""
        return self.folder / IMAGES, self.folder / LABELS, self.folder / SEEN

    @property
    def to_judge(self) -> tuple[Path, Path, Path]:
        """The same of those that are held out."""
        folder = self.folder / HELD_OUT
        return folder / IMAGES, folder / LABELS, folder / SEEN

    @property
    def left_out(self) -> Path | None:
        """Images that nothing is learned from; None where nothing is held out."""
        return self.to_judge[0] if self.held_out else None


def corrected_examples(
    path_or_url: str | Path,
    wanted: Sequence[int | str],
    folder: Path,
    held_out: int | None = None,
    begun: bool = False,
) -> CorrectedExamples:
    """Write what people corrected of some acquisitions; what lies in the folder is replaced.

    Whole time points are held out, evenly spread: slices of one are too much alike.

    Parameters
    ----------
    path_or_url : database
    wanted : acquisitions, by id or name
    folder : Path
    held_out : int, optional
        This many time points; by default a fifth, and at least one of two.
    begun : bool
        Something learned from what lies there: it stays as it is.

    Raises
    ------
    WrongRequestError
        When nothing of an acquisition was corrected or confirmed, nothing would be left to learn from, or what lies
        there and was learned from is no longer what people say.
    UnknownAcquisitionError, StorageError
    """
    with snapshot(path_or_url) as connection:
        rows = [resolved(connection, one) for one in wanted]
        points = [(row, t) for row in rows for t in corrected_timepoints(connection, row.id)]
        for row in rows:
            if not any(one.id == row.id for one, _ in points):
                raise WrongRequestError(
                    f"Nobody corrected or confirmed a nucleus of {row.name}: do so first, with `nusetd correct`."
                )
        count = held_out_of(len(points), held_out)
        taken = json.dumps([[row.id, t, *_said(connection, row.id, t)] for row, t in points] + [count])
        lies_there = taken_of(folder)
        if begun and lies_there is not None and lies_there != taken:
            raise WrongRequestError(
                f"{folder.name} was written and learned from with other corrections than there are now: give another "
                "--output."
            )
        kept = evenly(len(points), count)
        if lies_there != taken:
            remove(folder)
            for index, (row, t) in enumerate(points):
                into = folder / HELD_OUT if index in kept else folder
                write_slices(Snapshot(connection, row), into, [t], f"{row.id}_" if len(rows) > 1 else "", seen=True)
            (folder / TAKEN).write_text(taken, encoding="utf-8")
    return CorrectedExamples(folder, len(points) - len(kept), len(kept))


def _said(connection: Connection, acquisition: int, t: int) -> tuple[list[int], list[tuple[int, int, int]]]:
    said = spoken_of(connection, acquisition, t)
    return sorted(said.labels), sorted(said.places)


def taken_of(folder: Path) -> str | None:
    """What was said of what lies in a folder; None where nothing whole does."""
    try:
        return (folder / TAKEN).read_text(encoding="utf-8")
    except OSError:
        return None


def evenly(points: int, count: int) -> frozenset[int]:
    """So many of some points, by their index, evenly spread."""
    return frozenset(int((index + 0.5) * points / count) for index in range(count))


def held_out_of(points: int, wanted: int | None) -> int:
    """How many of some corrected time points are held out.

    Raises
    ------
    WrongRequestError
        When none would be left.
    """
    if wanted is None:
        return max(1, round(HELD_OUT_SHARE * points)) if points > 1 else 0
    if wanted >= points:
        raise WrongRequestError(f"There are {points} such time points, so {wanted} cannot be held out: hold out fewer.")
    return wanted
