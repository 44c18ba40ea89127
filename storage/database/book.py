"""What the parts of the catalog have in common."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection


class Book:
    """A part of the catalog; every method of one is one transaction.

    Parameters
    ----------
    transaction : callable
        Gives a transaction of the one writer.
    now : callable
        Gives the present moment as it is written down.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]], now: Callable[[], str]) -> None:
        self._transaction = transaction
        self._now = now
