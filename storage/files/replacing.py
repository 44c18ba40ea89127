"""What people ask for under a name that is taken: refused, or put in its place when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from storage.errors import OutputExistsError
from storage.files.whole_file import remove, sync, sync_names


def refuse(output: Path, overwrite: bool = False) -> None:
    """Refuse a name that is taken; with `overwrite`, where a file is to be written, only that of a folder.

    Raises
    ------
    OutputExistsError
    """
    if overwrite and output.is_dir():
        raise OutputExistsError(f"{output} is a folder and is not overwritten: choose another name, or remove it.")
    if not overwrite and os.path.lexists(output):
        raise OutputExistsError(
            f"{output} is already there and is not overwritten: choose another name, remove it, or say --overwrite."
        )


def put(whole: Path, output: Path) -> None:
    """Move what is whole to its name, in place of what is there; all of it is on the disk before, its name after that.

    A folder takes the place only of one that holds what it holds itself: whatever else people keep in a folder of that
    name is not lost with it.

    Raises
    ------
    OutputExistsError
        When something of another kind is there.
    """
    sync(whole)
    if not os.path.lexists(output):
        os.rename(whole, output)
    elif whole.is_dir() and output.is_dir() and not output.is_symlink():
        more = sorted(_kinds(output) - _kinds(whole))
        if more:
            raise OutputExistsError(
                f"{output} holds more than what would be written there ({more[0]}): choose another name, or remove it."
            )
        old = output.with_name(f".{output.name}.before")
        remove(old)
        os.rename(output, old)
        os.rename(whole, output)
        remove(old)
    elif whole.is_dir() or output.is_dir():
        there = "a folder" if output.is_dir() else "a file"
        raise OutputExistsError(f"{output} is {there} and is not overwritten: choose another name, or remove it.")
    else:
        os.replace(whole, output)
    sync_names(output.parent)


def _kinds(folder: Path) -> set[str]:
    """What lies in a folder: endings of files, names of those without one, and of folders."""
    return {path.name if path.is_dir() or not path.suffix else path.suffix for path in folder.iterdir()}
