"""How orders of the page reach the service, through the same requests as those of the commands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.monitoring import status
from daemon.orders import record
from daemon.orders.page_correcting import PageCorrecting
from daemon.orders.page_steering import PageSteering
from daemon.page.live.orders.services import Said
from daemon.processing.retry import ask_again, open_beside_the_service
from daemon.upkeep.dismiss import dismiss
from daemon.watching import submit
from storage.database.change_book import Change
from storage.database.requests import FORGET, FORGET_ROWS
from storage.given_facts import GivenFacts

_PATIENCE_S = 3.0  # for the service's answer; what it says later is in the record
_LOOK_S = 0.1
_LATER = "Its answer appears in the record of changes."


class PageServices(PageSteering, PageCorrecting):
    """The rooms of this machine, as the page needs them."""

    def status(self, database: str) -> Mapping[str, Any]:
        """How the service is, as values and in lines."""
        seen = status.look(database, datetime.now(UTC))
        return {**seen.as_dict(), "lines": list(status.lines(seen))}

    def watched(self, database: str) -> Sequence[Path]:
        """The watched folders that can be reached now, as the service last said."""
        report = status.look(database, datetime.now(UTC)).report
        return [] if report is None else [Path(root.path) for root in report.roots if root.online]

    def begin(self, database: str, who: str, what: str, subject: str, facts: Mapping[str, Any]) -> int:
        """Write down what somebody is about to change; return its number."""
        return record.begin(database, Change(who, record.PAGE, what, subject, facts))

    def end(self, database: str, number: int, said: Said) -> None:
        """Write down how it ended."""
        ending = record.Ending()
        ending.say(said.text, said.accepted, said.requests)
        record.end(database, number, ending)

    def retry(self, database: str, number: int) -> Said:
        """Queue again what was set aside of an acquisition."""
        if not ask_again(database, str(number)):
            return Said("Nothing of it was set aside: nothing is queued again.")
        runs = status.look(database, datetime.now(UTC)).runs
        return Said(f"It is queued again{'' if runs else '; no service runs now: the next one takes it up'}.")

    def submit(self, database: str, path: Path, given: GivenFacts) -> Said:
        """Have the service take files as they are, with facts that a person gives."""
        numbers = submit.ask([path], database, given)
        if not status.look(database, datetime.now(UTC)).runs:
            return Said("It is noted; no service runs now: it is taken when one does.", requests=numbers)
        return _answered(database, numbers, f"The service has {path} in hand. {_LATER}")

    def forget(self, database: str, number: int, keep_files: bool) -> Said:
        """Have the service remove an acquisition for good."""
        if not status.look(database, datetime.now(UTC)).runs:
            return Said(
                f"No service runs now, and the page itself removes nothing: start it, or use `nusetd forget {number}`.",
                accepted=False,
            )
        catalog = open_beside_the_service(database)
        try:
            asked = catalog.requests.ask(str(number), kind=FORGET_ROWS if keep_files else FORGET)
        finally:
            catalog.close()
        return _answered(database, [asked], f"The service is at it. {_LATER}")

    def dismiss(self, database: str, number: int) -> Said:
        """Have the problems of an acquisition told no more."""
        count = dismiss(database, str(number))
        return Said("Its problems are told no more." if count else "There was no problem to tell of.")


def _answered(database: str, numbers: Sequence[int], otherwise: str) -> Said:
    """What the service answers within a moment; `otherwise` where it takes longer."""
    catalog, until = open_beside_the_service(database), time.monotonic() + _PATIENCE_S
    try:
        while True:
            found = [catalog.requests.answer_to(number) for number in numbers]
            if all(one is not None and one.answer is not None for one in found):
                break
            if time.monotonic() >= until:
                return Said(otherwise, requests=numbers)
            time.sleep(_LOOK_S)
    finally:
        catalog.close()
    text = " ".join(str(one.answer) for one in found if one is not None)
    return Said(text, all(one is not None and one.accepted for one in found), numbers)
