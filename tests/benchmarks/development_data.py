"""The development data: real images with labels, and which of them no shipped weights were trained on.

Of `dsb2018_fluorescence` the 54 and of `dsb2018_histology` the 24 images with the smallest CRC-32 of their name are
held out, and of `mnfinder_nuclei` every fourth by name with the whole series that it belongs to.

Data: the folder that `NUSETD_DATA` names (default ../shared/data).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nuset_engine.training.examples import split
from nuset_engine.training.pairs import read_image, read_pairs

FLUORESCENCE, TISSUE, MNFINDER = "dsb2018_fluorescence", "dsb2018_histology", "mnfinder_nuclei"
HELD_OUT = {FLUORESCENCE: (54, 24), TISSUE: (24, 12)}  # and so many to choose by
EVERY = 4  # of mnfinder's images, by name, is held out

Paths = tuple[str, Path, Path]
Pair = tuple[str, np.ndarray, np.ndarray]


def folder_of(name: str) -> Path:
    """A folder of the development data; the command ends with a sentence where it is not there."""
    root = Path(os.environ.get("NUSETD_DATA", "../shared/data")) / name
    if not root.is_dir():
        sys.exit(f"{root} is not there: set NUSETD_DATA to the folder of the development data.")
    return root


def pairs_of(name: str) -> list[Paths]:
    """Name, image and labels of each image of a folder, by name."""
    root = folder_of(name)
    return read_pairs(root / "images", root / "labels")


def to_train_on(name: str) -> list[Paths]:
    """Those of `dsb2018_fluorescence` or `dsb2018_histology` that are neither held out nor chosen by."""
    return _part(name, 0)


def development_split() -> list[Pair]:
    """Name, image (Y, X) and labels of the 54."""
    return _read(_part(FLUORESCENCE, 2))


def mnfinder_kept_out() -> list[Pair]:
    """Name, image (Y, X) and labels of every fourth image of mnfinder."""
    return _read(pairs_of(MNFINDER)[::EVERY])


def mnfinder_to_train_on() -> list[Paths]:
    """Images of mnfinder from series of which none is held out."""
    pairs = pairs_of(MNFINDER)
    held_out = {_series(name) for name, _, _ in pairs[::EVERY]}
    return [pair for pair in pairs if _series(pair[0]) not in held_out]


def _part(name: str, which: int) -> list[Paths]:
    """Images to train on (0), to choose by (1) or held out (2), see `examples.split`."""
    pairs = {pair[0]: pair for pair in pairs_of(name)}
    return [pairs[stem] for stem in split(list(pairs), *HELD_OUT[name])[which]]


def _series(stem: str) -> str:
    return stem.rsplit("_", 1)[0]


def _read(pairs: Iterable[Paths]) -> list[Pair]:
    return [(stem, read_image(image), read_image(labels)) for stem, image, labels in pairs]
