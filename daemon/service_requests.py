"""What people ask of the running service through the database, handed to whoever carries it out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs
from daemon.errors import DaemonError
from daemon.overrides.again import do_again
from daemon.overrides.book import SERVICE
from daemon.overrides.in_use import OverrideOrder
from daemon.upkeep.forgetting import Forgetting, Order
from storage.database.requests import AGAIN, FORGET_ROWS, SETTINGS, SUBMIT, Request

if TYPE_CHECKING:
    from daemon.watching.intake import Intake
    from storage.database.catalog import Catalog

_PAUSE_S = 1.0  # what people ask for is looked up this often


class ServiceRequests:
    """Looks for requests; `turn` is called often.

    Parameters
    ----------
    catalog, forgetting
    intakes : callable
        Gives the watched folders.
    change_settings : callable
        Carries out an order for overrides, and says what it did.
    change_weights : callable
        Begins to carry out an order for other weights, and answers it later; False while it cannot begin.
    """

    def __init__(
        self,
        catalog: Catalog,
        forgetting: Forgetting,
        intakes: Callable[[], Collection[Intake]],
        change_settings: Callable[[OverrideOrder], str],
        change_weights: Callable[[OverrideOrder, Callable[[bool, str], None]], bool],
    ) -> None:
        self._catalog, self._forgetting = catalog, forgetting
        self._intakes = intakes
        self._change_settings, self._change_weights = change_settings, change_weights
        self._next = float("-inf")
        self._unread: set[int] = set()  # sources to be tried again that the intakes have been told of
        self._in_hand: dict[int, Path] = {}  # requests that are answered when what they ask for is done

    def turn(self, now: float) -> None:
        """Take what was asked for: sources to be tried again, files to be taken, settings to be changed."""
        if now < self._next:
            return
        self._next = now + _PAUSE_S
        unread = {row.id: Path(row.source_path) for row in self._catalog.unread()}
        self.look_again(path for number, path in unread.items() if number not in self._unread)
        self._unread = set(unread)
        for asked in self._catalog.requests.unanswered():
            if asked.id not in self._in_hand:
                self._take(asked)

    def look_again(self, files: Iterable[Path]) -> None:
        """Have files looked at although they did not change."""
        for path in files:
            for intake in self._intakes():
                if path.is_relative_to(intake.root):
                    intake.reconsider(path)

    def ask_anew(self, root: Path) -> None:
        """A folder is watched by somebody else from now on, who has not been told of what is in hand."""
        self._in_hand = {number: path for number, path in self._in_hand.items() if not path.is_relative_to(root)}

    def _take(self, asked: Request) -> None:
        answer = partial(self._catalog.requests.answer, asked.id)
        if asked.kind == SUBMIT:
            self._submit(asked, Path(asked.path), answer)
        elif asked.kind == SETTINGS:
            self._change(asked, answer)
        elif asked.kind == AGAIN:
            do_again(self._catalog, self._intakes(), asked)
        else:
            self._forgetting.order(Order(int(asked.path), asked.kind == FORGET_ROWS, answer))

    def _submit(self, asked: Request, path: Path, answer: Callable[[bool, str], None]) -> None:
        intake = next((one for one in self._intakes() if path.is_relative_to(one.root)), None)
        if intake is None:
            roots = ", ".join(str(one.root) for one in self._intakes())
            answer(False, f"{path} is in none of the watched folders ({roots}).")
        elif not intake.online:
            answer(False, f"{path} is in a folder that is offline now: try again later.")
        elif asked.given:
            self._in_hand[asked.id] = path
            intake.correct(path, asked.given, answer)
        else:
            intake.submit(path)
            answer(True, f"{path} is taken as it is now.")

    def _change(self, asked: Request, answer: Callable[[bool, str], None]) -> None:
        order = OverrideOrder.from_dict(asked.path, asked.details)
        if order.watch == SERVICE:
            if self._change_weights(order, answer):
                self._in_hand[asked.id] = Path()
            return
        try:
            told = self._change_settings(order)
        except DaemonError as error:
            answer(False, str(error))
            return
        logs.info("settings changed", watch=asked.path, by=order.by, what=told)
        answer(True, told)
