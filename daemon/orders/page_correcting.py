"""How what people say of nuclei and links on the page is carried out: as by `nusetd correct`."""

from __future__ import annotations

from daemon.page.live.orders.services import Said
from storage.corrections.asking import CorrectionReply, Corrector
from storage.corrections.persons_word import PersonsWord
from storage.database.corrections.events import MISFIT

_PATIENCE_S = 8.0
"""For the service; what takes longer is in the list of what was said."""


class PageCorrecting:
    """Corrections, see `daemon.page.live.orders.services`."""

    def correct(self, database: str, number: int, word: PersonsWord, by: str) -> Said:
        """Have something that a person says of nuclei or links carried out."""
        return _said(Corrector(database, number, _PATIENCE_S, by).say(word))

    def undo(self, database: str, number: int, event: int | None, by: str) -> Said:
        """Take back what was said, the last of it by default."""
        return _said(Corrector(database, number, _PATIENCE_S, by).undo(event))


def _said(reply: CorrectionReply) -> Said:
    return Said(reply.text, reply.state != MISFIT, values={"id": reply.id, "state": reply.state})
