"""What the parts of the catalog have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from storage.clock import Clock


class InTransactions(ABC):
    """A part of the catalog that is one with it; every public method of one is one transaction."""

    _clock: Clock

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]:
        """A transaction of the one writer."""

    @abstractmethod
    def _now(self) -> str:
        """The present moment as it is written down."""


class Book:
    """A part of the catalog by itself; every method of one is one transaction.

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
