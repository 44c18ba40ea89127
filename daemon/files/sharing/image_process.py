"""One of several processes that do the images of a command, and what it and the command say to each other.

Started as `daemon.children.become` says; it begins its work, takes one image after another, and ends with the command.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from daemon.children.parent import meet
from daemon.errors import DaemonError
from daemon.files.sharing.work import OF_AN_IMAGE, Doing, ImageNews, Share, Work, attempt
from nuset_engine.loading import undisturbed


@dataclass(frozen=True)
class ImageGiven:
    """To the process: do this one, whose number comes back with what is said of it."""

    number: int
    image: Any


@dataclass(frozen=True)
class WorkBegun:
    """From the process: it can take images."""


@dataclass(frozen=True)
class WorkRefused:
    """From the process, before it ends: it cannot begin."""

    error: Exception


@dataclass(frozen=True)
class SaidOfImage:
    """From the process: what is said of the image that it is at."""

    said: ImageNews


@dataclass(frozen=True)
class ImageDone:
    """From the process: what came of an image, or the error that is about it."""

    outcome: Any


FromImageProcess = WorkBegun | WorkRefused | SaidOfImage | ImageDone


def main() -> None:
    """Meet the command, hear what is to be done, and do it."""
    connection = meet()
    work: Work[Any, Any]
    share: Share
    work, share = connection.recv()
    try:
        with undisturbed():
            doing = work.begin(share)
    except OF_AN_IMAGE as error:
        connection.send(WorkRefused(_sendable(error)))
        return
    connection.send(WorkBegun())
    while (given := _next(connection)) is not None:
        outcome = _attempted(doing, given.image, connection)
        connection.send(ImageDone(_sendable(outcome) if isinstance(outcome, Exception) else outcome))


def _attempted(doing: Doing[Any, Any], image: Any, connection: Connection) -> Any:  # noqa: ANN401 - any work's
    """What came of an image; memory that does not do is a matter of this image, too."""
    try:
        return attempt(doing, image, lambda said: connection.send(SaidOfImage(said)))
    except MemoryError:
        return DaemonError("memory does not do for this image beside others; do it again with fewer --workers.")


def _sendable(error: Exception) -> Exception:
    """The error; where it cannot be made again from what it holds, one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  # whatever its class does
        return DaemonError(str(error))
    return error


def _next(connection: Connection) -> ImageGiven | None:
    """The next image; None when the command is gone."""
    try:
        given: ImageGiven = connection.recv()
    except (EOFError, OSError):
        return None
    return given
