"""Small movies in the layout of the Cell Tracking Challenge, and results with known errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

# Every nucleus is a block of 3 x 3 pixels at (y, x); 1 divides after frame 2 into 2 and 3, and 4 is always there.
PLACES = {
    1: {t: (2, 2 + t) for t in range(3)},
    2: {t: (2, 8 - t) for t in range(3, 6)},
    3: {t: (8, 2 + t) for t in range(3, 6)},
    4: dict.fromkeys(range(6), (14, 14)),
}
TRACKS = [(1, 0, 2, 0), (2, 3, 5, 1), (3, 3, 5, 1), (4, 0, 5, 0)]


def mask(t: int, deep: bool, places: dict[int, dict[int, tuple[int, int]]]) -> np.ndarray:
    """Labels of a frame, (20, 20), or (5, 20, 20) with nuclei in its three middle slices."""
    plane = np.zeros((20, 20), np.uint16)
    for label, path in places.items():
        if t in path:
            y, x = path[t]
            plane[y : y + 3, x : x + 3] = label
    return np.stack([plane * (0 < z < 4) for z in range(5)]).astype(np.uint16) if deep else plane


def write_truth(folder: Path, deep: bool, outlines: bool = True) -> Path:
    """The truth, ``01_GT``; outlines of a stack are single slices."""
    (folder / "TRA").mkdir(parents=True)
    (folder / "SEG").mkdir()
    for t in range(6):
        labels = mask(t, deep, PLACES)
        tifffile.imwrite(folder / "TRA" / f"man_track{t:03d}.tif", labels)
        if outlines and deep:
            tifffile.imwrite(folder / "SEG" / f"man_seg_{t:03d}_002.tif", labels[2])
        elif outlines:
            tifffile.imwrite(folder / "SEG" / f"man_seg{t:03d}.tif", labels)
    _table(folder / "TRA" / "man_track.txt", TRACKS)
    return folder


def write_results(
    folder: Path,
    deep: bool,
    places: dict[int, dict[int, tuple[int, int]]] | None = None,
    tracks: list[tuple[int, int, int, int]] | None = None,
) -> Path:
    """Results, ``01_RES``: those of the truth unless told otherwise."""
    folder.mkdir(parents=True)
    for t in range(6):
        tifffile.imwrite(folder / f"mask{t:03d}.tif", mask(t, deep, places or PLACES))
    _table(folder / "res_track.txt", tracks or TRACKS)
    return folder


def late_division() -> tuple[dict[int, dict[int, tuple[int, int]]], list[tuple[int, int, int, int]]]:
    """The division is seen a frame too late: in frame 3 the mother covers one daughter, the other is missing."""
    places = {**PLACES, 1: {**PLACES[1], 3: PLACES[2][3]}, 2: dict(PLACES[2]), 3: dict(PLACES[3])}
    del places[2][3], places[3][3]
    return places, [(1, 0, 3, 0), (2, 4, 5, 1), (3, 4, 5, 1), (4, 0, 5, 0)]


def write_images(folder: Path, deep: bool) -> Path:
    """Bright nuclei on a dark ground, ``01``."""
    folder.mkdir(parents=True)
    for t in range(6):
        tifffile.imwrite(folder / f"t{t:03d}.tif", ((mask(t, deep, PLACES) > 0) * 200).astype(np.uint8))
    return folder


def _table(path: Path, tracks: list[tuple[int, int, int, int]]) -> None:
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in tracks))
