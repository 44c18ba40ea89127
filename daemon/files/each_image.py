"""One file out for each image in: what fails is said in a sentence, and the rest goes on."""

from __future__ import annotations

import errno
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from daemon.errors import DaemonError
from daemon.files.sharing.hearing import Hearing
from daemon.files.sharing.outcomes import outcomes
from daemon.files.sharing.signals import ended_by_signal
from daemon.files.sharing.work import Share, Work
from daemon.output import complain, say_or_go_on
from nuset_engine.training.words import LABELS
from storage import readers
from storage.files.whole_file import remove_unfinished

LABELS_SUFFIX = f"{LABELS}.tif"
_NOT_WRITTEN = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room, or choose another --output"),
    errno.EROFS: "choose another --output",
    errno.ENAMETOOLONG: "give the image a shorter name",
}
"""Errors that are never those of the image itself, and what to do."""


def images_of(paths: Sequence[Path]) -> list[Path]:
    """The images that paths stand for: themselves, or all in a folder but for labels that lie beside their image.

    Raises
    ------
    DaemonError
        When a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = _one_of_each_set(_without_results(readers.discover(path))) if path.is_dir() else [path]
        if not inside:
            raise DaemonError(f"There is no image in {path}: give a folder with images, or the images.")
        found |= dict.fromkeys(inside)
    return list(found)


def _without_results(paths: Sequence[Path]) -> list[Path]:
    """Leave out what `nusetd segment` wrote into a folder of images."""
    there = {(path.parent, path.stem) for path in paths}
    return [
        path
        for path in paths
        if not path.name.endswith(LABELS_SUFFIX) or (path.parent, path.name.removesuffix(LABELS_SUFFIX)) not in there
    ]


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
        When two images would have the same file, or the folder cannot be made or written.
    """
    found = {image: output / f"{image.stem}{suffix}" for image in images}
    if len(set(found.values())) < len(found):
        raise DaemonError("Two images have the same name, so their results would too: write them into two folders.")
    _make_writable(output)
    return found


def _make_writable(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonError(f"{output} cannot be made ({error.strerror}): choose another --output.") from error
    try:
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise DaemonError(f"{output} cannot be written ({error.strerror}): choose another --output.") from error


def write_each(
    work: Work[tuple[Path, Path], None],
    wanted: Mapping[Path, Path],
    among: Sequence[Share],
    hearing: Hearing,
    beside: Iterable[Path] = (),
) -> int:
    """Have each image and its target done, and say each target; return the exit code: 0 only when all succeeded.

    What is begun and never ends leaves nothing behind, nor what an earlier command was killed at: neither of targets,
    nor of files that may be written `beside` them.
    """
    with ended_by_signal():
        try:
            failed = _failed(work, wanted, among, hearing)
        finally:
            remove_unfinished([*wanted.values(), *beside])
    hearing.end()
    return 1 if failed else 0


def _failed(
    work: Work[tuple[Path, Path], None], wanted: Mapping[Path, Path], among: Sequence[Share], hearing: Hearing
) -> int:
    """Do them all; how many failed. Whether anybody reads the names of files decides nothing."""
    from tqdm import tqdm

    failed = 0
    with closing(outcomes(work, list(wanted.items()), among, hearing.hear)) as found:
        bar = tqdm(wanted.items(), unit="image", file=sys.stderr, disable=not sys.stderr.isatty())
        for (image, target), outcome in zip(bar, found, strict=True):
            if outcome is None:
                say_or_go_on(str(target))
                continue
            failed += 1
            why = _in_words(image, target, outcome)
            complain(why)
            hearing.progress("failed", image=image.name, why=why)
    return failed


def _in_words(image: Path, target: Path, outcome: Exception) -> str:
    """Why an image failed: nothing is wrong with it where its result cannot be written."""
    if isinstance(outcome, OSError) and outcome.errno in _NOT_WRITTEN:
        return f"{target} cannot be written ({outcome.strerror}): {_NOT_WRITTEN[outcome.errno]}."
    return str(outcome) if image.name in str(outcome) else f"{image}: {outcome}"
