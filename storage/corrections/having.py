"""Having done what was said: by whoever holds the writer's lock, here where nobody does."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from storage.corrections.here import ToldProgress, carry_out
from storage.database.beside import open_beside_the_service
from storage.database.catalog import Catalog
from storage.errors import AnotherWriterError

_LOOK_S = 0.1
_ALONE_S = 2.0  # how often it is looked whether who was to carry it out is gone
Said = TypeVar("Said")
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Having:
    """Where corrections of one acquisition are written down, and how long to wait for who carries them out."""

    url: str
    acquisition_id: int
    wait_s: float = 60.0
    progress: ToldProgress = lambda what, done, total: None

    def have(
        self,
        say: Callable[[Catalog], Said],
        reply: Callable[[Catalog, Said], Reply],
        waits: Callable[[Reply], bool],
    ) -> Reply:
        """Write something down, and return what became of it.

        Parameters
        ----------
        say : callable
            Writes it down.
        reply : callable
            What became of it by now.
        waits : callable
            Whether somebody is still to carry it out.
        """
        try:
            with Catalog.open(self.url) as catalog:
                said = say(catalog)
                carry_out(catalog, self.acquisition_id, self.progress)
                return reply(catalog, said)
        except AnotherWriterError:
            pass
        catalog = open_beside_the_service(self.url)
        try:
            said = say(catalog)
            until, alone = time.monotonic() + self.wait_s, time.monotonic() + _ALONE_S
            while True:
                found = reply(catalog, said)
                held = catalog.corrections.are_held(self.acquisition_id)
                if held or not waits(found) or time.monotonic() >= until:
                    return found
                time.sleep(_LOOK_S)
                if time.monotonic() >= alone:
                    self._carry_out_alone()
                    alone = time.monotonic() + _ALONE_S
        finally:
            catalog.close()

    def _carry_out_alone(self) -> None:
        """It was another command, and no service, that held the lock, or the service has ended meanwhile."""
        with suppress(AnotherWriterError), Catalog.open(self.url) as catalog:
            carry_out(catalog, self.acquisition_id, self.progress)
