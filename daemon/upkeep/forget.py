"""`nusetd forget`: by the running service where there is one, else here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.configuration.config import load
from daemon.output import complain, say
from daemon.processing.retry import open_beside_the_service
from daemon.upkeep.existing import open_existing
from daemon.upkeep.forgetting import Forgetting, Order
from daemon.upkeep.retention import candidates, due, free_gb
from storage import naming
from storage.clock import utc_now
from storage.database.requests import FORGET, FORGET_ROWS
from storage.errors import AnotherWriterError
from storage.query.snapshots import resolved, snapshot

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow

_LOOK_S = 0.2


def rows_of(database: str, acquisitions: Sequence[str]) -> list[AcquisitionRow]:
    """The rows of these acquisitions, all of which must be there.

    Raises
    ------
    UnknownAcquisitionError
    """
    with snapshot(naming.database_url(database)) as connection:
        return [resolved(connection, one) for one in acquisitions]


def due_rows(config: Path) -> tuple[str, list[AcquisitionRow]]:
    """The database of a configuration, and the acquisitions in it that its rule lets go now.

    Raises
    ------
    ConfigError, StorageError
    """
    read = load(config)
    catalog = open_beside_the_service(read.database)
    try:
        rows = candidates(catalog, read.retention, utc_now())
    finally:
        catalog.close()
    return read.database, due(rows, read.retention, free_gb)


def forget(database: str, numbers: Sequence[int], keep_files: bool, wait_s: float) -> int:
    """Forget acquisitions; return the exit code: 0 when all are."""
    try:
        with open_existing(database) as catalog:
            return _here(catalog, numbers, keep_files)
    except AnotherWriterError:
        return _ask(database, numbers, keep_files, wait_s)


def _here(catalog: Catalog, numbers: Sequence[int], keep_files: bool) -> int:
    refused = 0

    def answer(done: bool, text: str) -> None:
        nonlocal refused
        refused += not done
        (say if done else complain)(text)

    forgetting = Forgetting(catalog)
    for number in numbers:
        forgetting.order(Order(number, keep_files, answer))
    while forgetting.busy:
        forgetting.turn()
        forgetting.wait()
    return 1 if refused else 0


def _ask(database: str, numbers: Sequence[int], keep_files: bool, wait_s: float) -> int:
    """Ask the service; what it has not answered after a while is taken back, so that it does not come as a surprise."""
    catalog = open_beside_the_service(database)
    refused = 0
    try:
        kind = FORGET_ROWS if keep_files else FORGET
        asked = [catalog.requests.ask(str(number), kind=kind) for number in numbers]
        for number in asked:
            until = time.monotonic() + wait_s
            while (request := catalog.requests.answer_to(number)) is not None and request.answer is None:
                if time.monotonic() >= until:
                    catalog.requests.withdraw(number)
                    break
                time.sleep(_LOOK_S)
            if request is None or request.answer is None:
                refused += 1
                complain(
                    "whoever writes to the database did not answer: it may be `nusetd process`, or busy; try again."
                )
            else:
                refused += not request.accepted
                (say if request.accepted else complain)(request.answer)
    finally:
        catalog.close()
    return 1 if refused else 0
