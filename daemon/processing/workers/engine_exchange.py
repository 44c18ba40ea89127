"""Other weights for workers that run: between two time points, and back to those so far where they cannot be loaded."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from daemon import logs

Told = Callable[[str | None], None]
"""Hears how it ended: nothing where the new weights are loaded, else why they cannot be used."""


class TakesWeights(Protocol):
    """Workers that can be started anew with other weights."""

    @property
    def all(self) -> Sequence[Hashable]:
        """Every one of them."""

    @property
    def weights(self) -> str:
        """With which they are started."""

    def use(self, weights: str) -> None:
        """End all of them, which are at nothing; the next start loads these."""


@dataclass
class _Change:
    """One change: what is wanted, what was in use, as soon as the workers were ended, and how it ended."""

    weights: str
    told: Told
    before: str | None = None
    ready: set[Hashable] = field(default_factory=set)
    over: bool = False
    refused: str | None = None

    @property
    def loads(self) -> bool:
        return self.before is not None and not self.over


class EngineExchange:
    """Changes the weights of all workers, one change after the other.

    Parameters
    ----------
    workers : TakesWeights
    """

    def __init__(self, workers: TakesWeights) -> None:
        self._workers = workers
        self._change: _Change | None = None

    @property
    def under_way(self) -> bool:
        """True until whoever asked has heard that new weights are loaded, or refused."""
        return self._change is not None

    @property
    def loads(self) -> bool:
        """True while workers load them."""
        return self._change is not None and self._change.loads

    def ask(self, weights: str, told: Told) -> None:
        """Go on with other weights, by name or path as workers take them; not while another change is under way."""
        self._change = _Change(weights, told)

    def turn(self, at_rest: bool) -> None:
        """End the workers once they are at nothing; tell how it ended, again where the database refused to hear."""
        change = self._change
        if change is None:
            return
        if change.over:
            change.told(change.refused)
            if self._change is change:
                self._change = None
        elif change.before is None and at_rest:
            change.before = self._workers.weights
            self._workers.use(change.weights)
            logs.info("other weights are loaded", weights=change.weights)

    def loaded(self, worker: Hashable) -> None:
        """A worker is ready: with new weights that all of them have loaded, they are in use from now on."""
        change = self._change
        if change is not None and change.loads:
            change.ready.add(worker)
            change.over = change.ready >= {*self._workers.all}

    def refuse(self, reason: str) -> bool:
        """A worker could not be started: with new weights, all go back to those so far; False where it had none."""
        change = self._change
        if change is None or change.before is None or change.over:
            return False
        self._workers.use(change.before)
        change.over, change.refused = True, reason
        logs.error("the weights so far stay", refused=change.weights, reason=reason)
        return True
