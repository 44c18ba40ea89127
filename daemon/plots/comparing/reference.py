"""Counts that people made: a table, a folder of label images, or a folder of the Cell Tracking Challenge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuset_engine.training.pairs import read_image
from storage.errors import StorageError
from storage.files.ctc_folder import is_ctc_folder, open_ctc_folder
from storage.files.text_table import TextTable, read_text_table
from storage.naming import flat_name

LABEL_IMAGES = frozenset({".tif", ".tiff", ".png"})
NEEDS = "a column `count`, or a row for each nucleus, with `t` for time-lapses and `acquisition` for several"


@dataclass(frozen=True)
class ReferenceCounts:
    """Counts by acquisition and time point as people write them, each None where the reference does not tell.

    Attributes
    ----------
    counts : mapping of (str or None, int or None) to int
    """

    counts: Mapping[tuple[str | None, int | None], int]

    def of(self, name: str, source_t: int, alone: bool, single: bool) -> int | None:
        """Return the count of a time point of an acquisition, None where there is none.

        Parameters
        ----------
        name : of the acquisition
        source_t : int
        alone : it is the only one that is compared, so that the reference need not name it
        single : it has one time point alone, so that the reference need not number it
        """
        names = (name, flat_name(name), name.rpartition("/")[2], *((None,) if alone else ()))
        for key in names:
            for t in (source_t, None) if single else (source_t,):
                if (key, t) in self.counts:
                    return self.counts[key, t]
        return None


def read_reference(path: Path) -> ReferenceCounts:
    """Read a reference.

    Raises
    ------
    StorageError, EngineError
        When it is none.
    """
    if not path.is_dir():
        return ReferenceCounts(_of_table(read_text_table(path)))
    if is_ctc_folder(path):
        folder = open_ctc_folder(path)
        tracks = folder.tracks
        alive = {t: int(((tracks[:, 1] <= t) & (t <= tracks[:, 2])).sum()) for t in folder.masks}
        return ReferenceCounts({(None, t): count for t, count in alive.items()})
    return ReferenceCounts(_of_labels(path))


def _of_table(table: TextTable) -> dict[tuple[str | None, int | None], int]:
    names = table.names
    if not {"count", "t", "acquisition"} & set(names):
        raise StorageError(f"{table.path} is no reference: it needs {NEEDS}.")
    owners = [cells[names.index("acquisition")].strip() for cells in table.rows] if "acquisition" in names else None
    times = [_whole(table, "t", value) for value in table.numbers("t")] if "t" in names else None
    keys = [(owners[i] if owners else None, times[i] if times else None) for i in range(len(table.rows))]
    if "count" not in names:
        return dict(Counter(keys))
    twice = next((key for key, number in Counter(keys).items() if number > 1), None)
    if twice is not None:
        which = " of ".join(str(part) for part in (twice[1], twice[0]) if part is not None) or "the image"
        raise StorageError(f"{table.path} counts {which} twice: keep one row, or leave out the column `count`.")
    return {key: _whole(table, "count", value) for key, value in zip(keys, table.numbers("count"), strict=True)}


def _whole(table: TextTable, name: str, value: float) -> int:
    if value != value or value < 0 or value != round(value):
        raise StorageError(f"Column {name} of {table.path} holds {value:g}: it needs whole numbers from 0.")
    return int(value)


def _of_labels(folder: Path) -> dict[tuple[str | None, int | None], int]:
    """Counts of label images: under the image's name, and under the number at its end for a time-lapse."""
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in LABEL_IMAGES)
    if not images:
        raise StorageError(f"{folder} holds no label images (.tif, .png): name a folder that does, or a table.")
    counts = {path.stem: _count(path) for path in images}
    found: dict[tuple[str | None, int | None], int] = {(name, None): count for name, count in counts.items()}
    ends = [re.search(r"(\d+)$", name) for name in counts]
    numbers = [int(end[1]) for end in ends if end]
    if len(set(numbers)) == len(counts):
        found |= {(None, number): count for number, count in zip(numbers, counts.values(), strict=True)}
    if len(counts) == 1:
        found[None, None] = next(iter(counts.values()))
    return found


def _count(path: Path) -> int:
    labels = read_image(path)
    if labels.dtype.kind not in "iu" or labels.ndim not in (2, 3) or labels.shape[-1] in (3, 4):
        raise StorageError(f"{path} is no label image: it has whole numbers, a different one for each nucleus.")
    return len(np.setdiff1d(np.unique(labels), [0]))
