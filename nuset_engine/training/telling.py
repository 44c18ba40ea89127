"""What a training run tells whoever started it, as plain values: a word for what happened, and numbers by name.

``begins`` (where it starts, on how many images), ``step`` (the mean loss since the last validation), ``validated``
(whether these weights are the best so far and were kept), ``trained`` (the end).
"""

from __future__ import annotations

from typing import Any, Protocol

from nuset_engine.errors import EngineError


class Tell(Protocol):
    """Hears what happens."""

    def __call__(self, what: str, /, **values: Any) -> None:  # noqa: ANN401 - numbers, texts, lists of these
        """Hear one thing."""


def silent(what: str, /, **values: Any) -> None:  # noqa: ANN401 - numbers, texts, lists of these
    """Tell nobody."""


class TrainingStoppedError(EngineError):
    """A run was told to stop, and has kept what it learned.

    Attributes
    ----------
    step : int
        How many updates were made.
    """

    def __init__(self, step: int, steps: int) -> None:
        self.step = step
        super().__init__(
            f"Training was stopped at step {step} of {steps}; what was learned is kept, and the same command goes on."
        )
