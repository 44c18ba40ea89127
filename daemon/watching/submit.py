"""`nusetd submit`: ask the running service, through its database, to take files as they are."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import DaemonError
from daemon.output import complain, say
from daemon.plain_text import shown
from daemon.processing.retry import open_beside_the_service
from storage import readers
from storage.given_facts import GivenFacts

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.database.requests import Request

_LOOK_S = 0.2


def ask(paths: Sequence[Path], database: str, given: GivenFacts | None = None) -> list[int]:
    """Ask for each file; return the numbers of the requests.

    With facts that are `given` one file of each series is asked for: they count for all of it.

    Raises
    ------
    DaemonError
        When a folder holds no image.
    """
    files = [file for path in paths for file in _files(path)]
    if given:
        files = [members[0] for members in readers.group(files).values()]
    catalog = open_beside_the_service(database)
    try:
        return [catalog.requests.ask(os.fspath(file), given=given) for file in files]
    finally:
        catalog.close()


def answers(database: str, numbers: Sequence[int], wait_s: float) -> list[Request]:
    """The requests with what the service made of them, waited for a while: those without an answer will be heard."""
    catalog = open_beside_the_service(database)
    until = time.monotonic() + wait_s
    try:
        return [_answer(catalog, number, until) for number in numbers]
    finally:
        catalog.close()


def told(requests: Sequence[Request]) -> int:
    """Say what the service answered; return the exit code: 0 when all were accepted, or will be heard."""
    for request in requests:
        if request.answer is None:
            say(shown(f"{request.path}: noted; the service takes it when it runs.", allowed=""))
        elif request.accepted:
            say(shown(request.answer, allowed=""))
        else:
            complain(request.answer)
    return 1 if any(request.accepted is False for request in requests) else 0


def _files(path: Path) -> list[Path]:
    found = readers.discover(path.absolute())
    if not found:
        raise DaemonError(f"There is no image in {path}: nothing was submitted.")
    return found


def _answer(catalog: Catalog, number: int, until: float) -> Request:
    while True:
        request = catalog.requests.answer_to(number)
        assert request is not None  # it was written a moment ago, and nobody removes requests
        if request.answer is not None or time.monotonic() >= until:
            return request
        time.sleep(_LOOK_S)
