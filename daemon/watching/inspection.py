"""Looking into files: what is asked and answered, and the one function that answers. It only reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from daemon.watching.readiness import Identity, identify
from daemon.watching.tree import identify_image
from storage import readers
from storage.errors import IncompleteInputError, StorageError
from storage.found import Found
from storage.given_facts import GivenFacts
from storage.readers import Completion
from storage.readers.presence import are_gone


@dataclass(frozen=True)
class Look:
    """Request: what is this file, and does its format say that it is whole? With `own`, results of ours count too."""

    path: Path
    own: bool = False


@dataclass(frozen=True)
class Open:
    """Request: open these files as acquisitions.

    Attributes
    ----------
    paths : tuple of Path
    given, pattern
        As `storage.readers.open_acquisitions` takes them.
    time_points : tuple of int, or None
        Of a growing file, those that are to be taken; None: all that are whole.
    idle : bool
        Only when the computer has nothing else to do.
    """

    paths: tuple[Path, ...]
    given: GivenFacts | None
    pattern: str | None
    time_points: tuple[int, ...] | None = None
    idle: bool = False


@dataclass(frozen=True)
class Gone:
    """Request: which of these sources, each with its files, are not there any more?"""

    sources: Mapping[str, tuple[Path, ...]]

    @property
    def path(self) -> Path:
        """The first of them, to speak of."""
        return Path(next(iter(self.sources)))


@dataclass(frozen=True)
class Looked:
    """Answer to `Look`: `identity` is None when there is nothing to look into; `own` marks a result of ours."""

    identity: Identity | None
    completion: Completion | None = None
    own: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Opened:
    """Answer to `Open`: what the images are, or why they cannot be opened.

    With an error, `may_pass` says that it is about this moment (a share that does not answer), not about the file.
    `beside` has the other files of which each would lead to the same image.
    """

    found: tuple[Found, ...] = ()
    identities: tuple[Identity | None, ...] = ()
    error: str | None = None
    may_pass: bool = False
    beside: Mapping[Path, Identity] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """Answer to `Gone`: the sources of which no file is there."""

    sources: frozenset[str]


@dataclass(frozen=True)
class Stuck:
    """Instead of an answer: the process crashed over this request, or did not come to an end."""

    reason: str


InspectionRequest = Look | Open | Gone
Answer = Looked | Opened | Missing | Stuck


class SupportsInspection(Protocol):
    """What an intake needs of whoever looks into files."""

    def ask(self, request: InspectionRequest, then: Callable[[Answer], None]) -> None: ...


def inspect(request: InspectionRequest) -> Answer:
    """Answer a request; whatever is inside the files, this does not raise."""
    if isinstance(request, Look):
        return _look(request)
    if isinstance(request, Gone):
        return Missing(frozenset(name for name, files in request.sources.items() if are_gone(files)))
    try:
        return _open(request)
    except IncompleteInputError as error:
        return Opened(error=str(error), may_pass=True)
    except StorageError as error:
        return Opened(error=str(error), may_pass=_is_about_the_disk(error))
    except OSError as error:
        return Opened(error=f"{request.paths[0]} cannot be read now ({error.strerror or error}).", may_pass=True)
    except Exception as error:  # noqa: BLE001  # a reader that stumbles over damaged bytes must not cost more than this
        return Opened(error=f"{request.paths[0]} cannot be read ({type(error).__name__}: {error}): export it again.")


def _look(request: Look) -> Looked:
    path = request.path
    started, before = time.perf_counter(), identify(path)  # what belongs to it is looked at once, in the end
    before = before or identify_image(path)  # unless it is all that is there
    if before is None:
        return Looked(None)
    if not request.own and readers.is_own(path):
        return Looked(before, own=True)
    try:
        completion = readers.probe(path)
    except Exception as error:  # noqa: BLE001  # as above
        completion = Completion("incomplete", f"{path} cannot be read ({type(error).__name__}: {error}).")
    return Looked(identify_image(path), completion, seconds=time.perf_counter() - started)


def _open(request: Open) -> Opened:
    identities = tuple(identify_image(path) for path in request.paths)
    opened = readers.open_acquisitions(request.paths, pattern=request.pattern, given=request.given)
    others = {file for acquisition in opened for file in readers.equal_files(acquisition)} - set(request.paths)
    beside = {file: identity for file in sorted(others) if (identity := identify_image(file)) is not None}
    try:
        found = tuple(Found.of(acquisition, request.time_points) for acquisition in opened)
        return Opened(found, identities, beside=beside)
    finally:
        for acquisition in opened:
            readers.let_go(acquisition)


def _is_about_the_disk(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError):
            return True
        error = error.__cause__
    return False
