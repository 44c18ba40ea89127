"""Folders of images and of labels: which file belongs to which, and whether labels are labels at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nuset_engine.arrays import LabelsYX, Pixels
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.scores import check_instances
from nuset_engine.planes.drawn import drawn
from nuset_engine.training.words import LABELS

LABEL_SUFFIXES = (".tif", ".tiff", ".png")
IMAGE_SUFFIXES = (*LABEL_SUFFIXES, ".jpg", ".jpeg")  # these change values a little: no numbers of nuclei


def read_pairs(images: Path, labels: Path) -> list[tuple[str, Path, Path]]:
    """Image and label files, sorted by name; the labels of ``NAME.tif`` are called so, too, or ``NAME.labels.tif``.

    Raises
    ------
    EngineError
        For a missing or empty folder, for images without labels or that cannot be read, and for two of one name.
    """
    for folder in (images, labels):
        if not folder.is_dir():
            raise EngineError(f"{folder} is not a folder; give the folders of the training images and of their labels.")
    found, truth = _by_name(images, IMAGE_SUFFIXES), _by_name(labels, LABEL_SUFFIXES)
    if unread := [path for path in _shown(images) if path.stem not in found and _labels_of(path.stem, truth)]:
        raise EngineError(
            f"{unread[0]} has labels and is none of {', '.join(IMAGE_SUFFIXES)}; save it as one of these, or remove "
            f"its labels ({len(unread)} such in {images})."
        )
    found = {name: path for name, path in found.items() if name.removesuffix(LABELS) not in found.keys() - {name}}
    if not found:
        raise EngineError(f"{images} holds no image ({', '.join(IMAGE_SUFFIXES)}); put the images there.")
    pairs = [(name, path, _labels_of(name, truth)) for name, path in found.items()]
    lonely = [path.name for _, path, its in pairs if its is None]
    if lonely:
        raise EngineError(
            f"{len(lonely)} of {len(found)} images in {images} have no label image of the same name "
            f"({', '.join(LABEL_SUFFIXES)}) in {labels} (first: {lonely[0]}); add the labels or remove the images."
        )
    return [(name, path, its) for name, path, its in pairs if its is not None]


def _labels_of(name: str, truth: dict[str, Path]) -> Path | None:
    """The labels of an image, among those by their names."""
    return truth.get(f"{name}{LABELS}", truth.get(name))


def _shown(folder: Path) -> list[Path]:
    """What a folder holds, in order; hidden files, as other systems leave them, are nothing."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def _by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The images of a folder by their names without suffix.

    Raises
    ------
    EngineError
        For two of one name.
    """
    found: dict[str, Path] = {}
    for path in _shown(folder):
        if path.suffix.lower() not in suffixes:
            continue
        if path.stem in found:
            raise EngineError(f"{found[path.stem].name} and {path.name} in {folder} have one name: keep one of them.")
        found[path.stem] = path
    return found


def read_image(path: Path) -> Pixels:
    """One image file as an array.

    Raises
    ------
    EngineError
        If it cannot be read.
    """
    from skimage.io import imread

    try:
        return np.asarray(imread(path))
    except (OSError, ValueError, SyntaxError, KeyError) as error:
        raise EngineError(f"{path} cannot be read as an image ({error}); replace or remove it.") from error


def check_labels(folder: Path, labels: Iterable[LabelsYX]) -> None:
    """Refuse a folder of which none of the label images is one: masks, or the images themselves.

    Parameters
    ----------
    folder : Path
    labels : iterable of (Y, X) int
        No more are taken than need be looked at.

    Raises
    ------
    EngineError
    """
    faults = []
    for fault in _faults(labels):
        if not fault:
            return
        faults.append(fault)
    if faults:
        raise EngineError(f"{folder} holds no instance labels: {faults[0]}")


def _faults(labels: Iterable[LabelsYX]) -> Iterator[str]:
    """Why each is no label image, of those that show anything; nothing where it is one."""
    for plane in labels:
        if not plane.any():
            continue
        if fault := why_no_labels(plane):
            yield fault
            continue
        is_one = drawn(plane) is not None or len(np.unique(plane)) <= 2
        yield "" if is_one else "its values fill no regions, so they are images; give the folder of the labels."


def why_no_labels(plane: LabelsYX) -> str:
    """Why a plane (Y, X) holds no number for each nucleus; nothing where it does."""
    try:
        check_instances(plane)
    except EngineError as error:
        return str(error)
    return ""
