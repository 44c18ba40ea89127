"""What is done with each image of a command: begun once in a process, and then with one image after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from daemon.errors import DaemonError
from daemon.processing.messages import Graphics
from nuset_engine.errors import EngineError
from storage.errors import StorageError

Image = TypeVar("Image")
Image_contra = TypeVar("Image_contra", contravariant=True)
Found = TypeVar("Found")
Found_co = TypeVar("Found_co", covariant=True)

OF_AN_IMAGE = (StorageError, DaemonError, EngineError, OSError)
"""Errors that are about one image: the others go on."""


@dataclass(frozen=True)
class Remark:
    """A sentence for the person at the terminal."""

    text: str


@dataclass(frozen=True)
class ImageDoubt:
    """A sentence that may come with many images alike, and the image that it is about."""

    text: str
    image: Path


@dataclass(frozen=True)
class ProgressLine:
    """What happened, for programs; see `daemon.files.progress_lines`."""

    what: str
    values: Mapping[str, Any]


ImageNews = Remark | ImageDoubt | ProgressLine


class Hears(Protocol):
    """Hears what is said of an image while it is done."""

    def __call__(self, said: ImageNews, /) -> None: ...


@dataclass(frozen=True)
class Share:
    """What of this machine one process computes with.

    Attributes
    ----------
    threads : int or None
        None: all cores.
    graphics : Graphics or None
        None: as the configuration has it, for a process that is alone.
    """

    threads: int | None
    graphics: Graphics | None = None


class Doing(Protocol[Image_contra, Found_co]):
    """Work that has begun: its network is loaded."""

    def __call__(self, image: Image_contra, tell: Hears, /) -> Found_co:
        """Do it; what comes back can be sent to another process."""


class Work(Protocol[Image_contra, Found_co]):
    """A plain value that can be sent to another process, and says what to do there."""

    def begin(self, share: Share) -> Doing[Image_contra, Found_co]:
        """Load what it takes."""


def attempt(doing: Doing[Image, Found], image: Image, tell: Hears) -> Found | Exception:
    """Do it with one image; an error that is about this image alone comes back."""
    try:
        return doing(image, tell)
    except OF_AN_IMAGE as error:
        return error
