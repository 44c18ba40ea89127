"""One file out for each image in: what fails is said in a sentence, and the rest goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daemon.errors import DaemonError
from daemon.output import complain, say
from nuset_engine.errors import EngineError
from storage import readers
from storage.errors import StorageError


def images_of(paths: Sequence[Path]) -> list[Path]:
    """The images that paths stand for: themselves, or all in a folder.

    Raises
    ------
    DaemonError
        When a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = _one_of_each_set(readers.discover(path)) if path.is_dir() else [path]
        if not inside:
            raise DaemonError(f"There is no image in {path}: give a folder with images, or the images.")
        found |= dict.fromkeys(inside)
    return list(found)


def _one_of_each_set(paths: Sequence[Path]) -> list[Path]:
    """Leave one file of those that name each other as parts of one image: the one that it is called by."""
    chosen: dict[Path, Path] = {}
    there = set(paths)
    for path in paths:
        called = readers.probe(path).called or path
        chosen.setdefault(called, called if called in there else path)
    return list(chosen.values())


def targets(images: Sequence[Path], output: Path, suffix: str) -> dict[Path, Path]:
    """The file ``output/<stem><suffix>`` for each image; the folder is made.

    Raises
    ------
    DaemonError
        When two images would have the same file, or the folder cannot be made.
    """
    found = {image: output / f"{image.stem}{suffix}" for image in images}
    if len(set(found.values())) < len(found):
        raise DaemonError("Two images have the same name, so their results would too: write them into two folders.")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonError(f"{output} cannot be made ({error.strerror}): choose another --output.") from error
    return found


def write_each(
    wanted: Mapping[Path, Path],
    write: Callable[[Path, Path], None],
    failing: Callable[[Path, str], None] = lambda image, why: None,
) -> int:
    """Call `write` with each image and its target; return the exit code: 0 only when all succeeded.

    `failing` hears of each that did not, and why.
    """
    from tqdm import tqdm

    failed = 0
    for image, target in tqdm(wanted.items(), unit="image", file=sys.stderr, disable=not sys.stderr.isatty()):
        try:
            write(image, target)
        except (StorageError, DaemonError, EngineError, OSError) as error:
            failed += 1
            why = str(error) if image.name in str(error) else f"{image}: {error}"
            complain(why)
            failing(image, why)
        else:
            say(str(target))
    return 1 if failed else 0
