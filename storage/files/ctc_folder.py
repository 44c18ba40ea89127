"""Folders of the Cell Tracking Challenge, truth (``01_GT``) or results (``01_RES``), read one time point at a time.

Format: https://public.celltrackingchallenge.net/documents/Naming%20and%20file%20content%20conventions.pdf
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuset_engine.arrays import Labels
from storage.errors import StorageError
from tracking.arrays import TracksLBEP

TABLES = ("man_track.txt", "res_track.txt")
_MASK = re.compile(r"(?:man_track|mask)_?(\d+)\.tiff?", re.IGNORECASE)
_SEGMENTATION = re.compile(r"man_seg_?(\d+)(?:_(\d+))?\.tiff?", re.IGNORECASE)
_IMAGE = re.compile(r"t(\d+)\.tiff?", re.IGNORECASE)


@dataclass(frozen=True)
class CtcFolder:
    """Tracks and the paths of masks.

    Attributes
    ----------
    folder : Path
        The one that holds the masks and the table.
    tracks : (K, 4) int64
        Label, first and last frame, parent or 0.
    masks : mapping of int to Path
        By frame. Pixels hold labels of `tracks`.
    segmentation : mapping of (int, int or None) to Path
        Outlines of the truth, where there are any, by frame, and slice where it is a plane of a stack. Their labels are
        their own.
    """

    folder: Path
    tracks: TracksLBEP
    masks: Mapping[int, Path]
    segmentation: Mapping[tuple[int, int | None], Path]

    def mask(self, t: int) -> Labels:
        """The label image of a frame, (Y, X) or (Z, Y, X).

        Raises
        ------
        StorageError
            If it cannot be read, or its labels are not those that the table has in this frame.
        """
        labels = read_labels(self.masks[t])
        present = set(np.unique(labels).tolist()) - {0}
        alive = self.tracks[(self.tracks[:, 1] <= t) & (t <= self.tracks[:, 2]), 0]
        if present != set(alive.tolist()):
            odd = min(present ^ set(alive.tolist()))
            where = "has no row" if odd in present else "has a row"
            raise StorageError(
                f"Label {odd} {where} for frame {t} in the table of tracks of {self.folder} and is "
                f"{'in' if odd in present else 'absent from'} {self.masks[t].name}: table and masks must agree."
            )
        return labels


def is_ctc_folder(folder: Path) -> bool:
    """Whether a folder, or its TRA folder, has a table of tracks."""
    return _table_of(folder) is not None


def image_frames(folder: Path) -> dict[int, Path]:
    """Images ``t000.tif``, ``t001.tif`` and so on by frame; none where the folder is no such movie."""
    return _matching(folder, _IMAGE)


def open_ctc_folder(folder: Path) -> CtcFolder:
    """Look into a folder of truth or results.

    Raises
    ------
    StorageError
        If the table of tracks or the masks are missing, or the table is no lineage.
    """
    table = _table_of(folder)
    if table is None:
        raise StorageError(
            f"{folder} has no table of tracks: a folder of truth has TRA/man_track.txt, one of results res_track.txt."
        )
    masks = _matching(table.parent, _MASK)
    if not masks:
        raise StorageError(f"{table.parent} has no masks (man_track000.tif or mask000.tif and so on): add them.")
    tracks = _read_tracks(table)
    missing = sorted(set(range(int(tracks[:, 2].max(initial=-1)) + 1)) - set(masks))
    if missing:
        raise StorageError(f"{table.parent} has no mask of frame {missing[0]}: every frame needs one, empty or not.")
    return CtcFolder(table.parent, tracks, masks, _segmentation(table.parent.parent / "SEG", table))


def read_labels(path: Path) -> Labels:
    """A label image; single planes of a stack lose their axis.

    Raises
    ------
    StorageError
        If it cannot be read or is no label image.
    """
    import tifffile

    try:
        labels = np.asarray(tifffile.imread(path))
    except (OSError, ValueError, IndexError, struct.error, tifffile.TiffFileError) as error:
        raise StorageError(f"{path} cannot be read as an image ({error}): replace it.") from error
    if labels.dtype.kind not in "iu" or labels.ndim not in (2, 3):
        raise StorageError(
            f"{path} holds {labels.dtype} of shape {labels.shape}: a mask has whole numbers and two or three axes."
        )
    return labels


def _table_of(folder: Path) -> Path | None:
    """The table of tracks in a folder or its TRA folder."""
    places = [place / name for place in (folder, folder / "TRA") for name in TABLES]
    return next((place for place in places if place.is_file()), None)


def _matching(folder: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    """Files of a folder by the number in their name.

    Raises
    ------
    StorageError
        If two have the same number.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = pattern.fullmatch(path.name)
        if name is None:
            continue
        number = int(name[1])
        if number in found:
            raise StorageError(f"{found[number].name} and {path.name} in {folder} are both frame {number}: keep one.")
        found[number] = path
    return found


def _segmentation(folder: Path, table: Path) -> dict[tuple[int, int | None], Path]:
    """Outlines of the truth; results have none."""
    if table.name != TABLES[0] or not folder.is_dir():
        return {}
    names = ((path, _SEGMENTATION.fullmatch(path.name)) for path in sorted(folder.iterdir()))
    return {(int(name[1]), None if name[2] is None else int(name[2])): path for path, name in names if name}


def _read_tracks(table: Path) -> TracksLBEP:
    """Rows ``L B E P`` of a table.

    Raises
    ------
    StorageError
        If a row is no four whole numbers, or the rows are no lineage; the message names the line.
    """
    rows: dict[int, tuple[int, int, int, int]] = {}
    try:
        lines = table.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{table} cannot be read ({error}): replace it.") from error
    for line, text in enumerate(lines, start=1):
        cells = text.split()
        if not cells:
            continue
        if len(cells) != 4 or not all(cell.isdecimal() for cell in cells):
            raise StorageError(f"Line {line} of {table} is {text!r}: it needs label, first, last frame and parent.")
        label, first, last, parent = (int(cell) for cell in cells)
        if label in rows or label == 0 or last < first:
            fault = "comes twice" if label in rows else "is background" if label == 0 else "ends before it begins"
            raise StorageError(f"Track {label} in line {line} of {table} {fault}: correct the table.")
        rows[label] = (label, first, last, parent)
    for label, first, _, parent in rows.values():
        if parent and (parent not in rows or rows[parent][2] >= first):
            fault = "is not in the table" if parent not in rows else "does not end before it"
            raise StorageError(f"The parent {parent} of track {label} in {table} {fault}: correct the table.")
    return np.array(list(rows.values()), np.int64).reshape(-1, 4)


def write_result(folder: Path, tracks: TracksLBEP, masks: Iterable[tuple[int, Labels]]) -> None:
    """Write masks as they come, then the table ``res_track.txt``.

    Raises
    ------
    StorageError
        If the folder is there already or cannot be written.
    """
    import tifffile

    kind = np.uint16 if tracks[:, 0].max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    try:
        folder.mkdir(parents=True)
        for t, labels in masks:
            path = folder / f"mask{t:03d}.tif"
            tifffile.imwrite(path, labels.astype(kind), compression="zlib", photometric="minisblack", metadata=None)
        lines = [" ".join(str(cell) for cell in row) + "\n" for row in tracks.tolist()]
        (folder / "res_track.txt").write_text("".join(lines), encoding="ascii")
    except OSError as error:
        raise StorageError(f"{folder} cannot be written ({error.strerror}): choose another output.") from error
