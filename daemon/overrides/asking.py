"""Asking the running service, through its database, to change settings, or to do an acquisition again."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.account import account
from daemon.configuration.config import Processing
from daemon.errors import UsageError
from daemon.output import complain, say
from daemon.overrides.applying import overlaid
from daemon.overrides.book import SERVICE, WEIGHTS
from daemon.overrides.in_use import OverrideOrder
from daemon.processing.retry import open_beside_the_service
from storage.clock import iso, utc_now
from storage.database.requests import AGAIN, SETTINGS
from storage.readers.names import file_of_image
from storage.results import Results

if TYPE_CHECKING:
    from daemon.overrides.book import Value
    from storage.database.requests import Request

_LOOK_S = 0.2
_LONGEST_NAME = 80


def ask_override(
    database: str, watch: str, values: Mapping[str, Value], removed: tuple[str, ...] = (), by: str | None = None
) -> int:
    """Ask for other settings of a watched folder; return the request's number.

    Raises
    ------
    UsageError
        When a setting is none, or its value cannot be.
    """
    _, faults = overlaid(Processing(), values)
    if faults:
        raise UsageError(" ".join(faults))
    order = OverrideOrder(watch, iso(utc_now()), signed(by), dict(values), removed)
    catalog = open_beside_the_service(database)
    try:
        return catalog.requests.ask(watch, kind=SETTINGS, details=order.as_dict())
    finally:
        catalog.close()


def ask_weights(database: str, weights: str | None, by: str | None = None) -> int:
    """Ask the service to go on with other weights, None: those of its configuration; return the request's number."""
    values: dict[str, Value] = {} if weights is None else {WEIGHTS: weights}
    removed = (WEIGHTS,) if weights is None else ()
    order = OverrideOrder(SERVICE, iso(utc_now()), signed(by), values, removed)
    catalog = open_beside_the_service(database)
    try:
        return catalog.requests.ask(SERVICE, kind=SETTINGS, details=order.as_dict())
    finally:
        catalog.close()


def ask_again(database: str, acquisition: int | str, by: str | None = None) -> int:
    """Ask for a second result of an acquisition, with the settings in use now; return the request's number.

    Raises
    ------
    UnknownAcquisitionError
    UsageError
        When its source is not there any more.
    """
    row = Results(database)[acquisition].about
    query = "SELECT source_file FROM timepoints WHERE acquisition_id = :number AND source_file IS NOT NULL LIMIT 1"
    files = Results(database).sql(query, number=row.id)["source_file"].tolist()
    if not file_of_image(Path(files[0] if files else row.source_path)).exists():
        raise UsageError(f"{row.source_path} is not there any more: it cannot be read again.")
    catalog = open_beside_the_service(database)
    try:
        return catalog.requests.ask(str(row.id), kind=AGAIN, details={"at": iso(utc_now()), "by": signed(by)})
    finally:
        catalog.close()


def answer_to(database: str, number: int, wait_s: float = 0.0) -> Request | None:
    """Return a request with what the service made of it, waited for a while."""
    catalog = open_beside_the_service(database)
    until = time.monotonic() + wait_s
    try:
        while True:
            found = catalog.requests.answer_to(number)
            if found is None or found.answer is not None or time.monotonic() >= until:
                return found
            time.sleep(_LOOK_S)
    finally:
        catalog.close()


def say_answer(database: str, number: int, wait_s: float) -> int:
    """Say what the service made of a request, waited for so long; the exit code of the command that asked."""
    answer = answer_to(database, number, wait_s)
    if answer is None or answer.answer is None:
        say("Noted: the service does it when it runs.")
        return 0
    (say if answer.accepted else complain)(answer.answer)
    return 0 if answer.accepted else 1


def signed(by: str | None) -> str:
    """Who it is: as given, else the account on this machine."""
    name = "".join(letter for letter in (by or "") if letter.isprintable()).strip()
    return name[:_LONGEST_NAME] or f"{account()}@{socket.gethostname()}"
