"""The errors that `nuset_engine` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class EngineError(ValueError):
    """Root of the errors that `nuset_engine` raises on purpose."""


@dataclass(frozen=True)
class ParameterFault:
    """A parameter that is out of its range.

    Attributes
    ----------
    name : str
    value : object
        What was given.
    reason : str
        What is wrong with it, after "name = value": ``is not between 0 and 1``.
    """

    name: str
    value: object
    reason: str

    def __str__(self) -> str:
        """All of it, without a full stop."""
        return f"{self.name} = {self.value!r} {self.reason}"


class ParametersError(ValueError):
    """Parameters are out of their range, all of them named at once; each package has its own kind of it."""

    def __init__(self, what: str, faults: Sequence[ParameterFault]) -> None:
        super().__init__(what, faults)  # so that it can be pickled
        self.what, self.faults = what, tuple(faults)

    def __str__(self) -> str:
        """The sentence for people."""
        return f"{self.what} parameters are wrong: {'; '.join(map(str, self.faults))}."


class EngineParametersError(ParametersError, EngineError):
    """Parameters of the segmentation or of the reconstruction are out of their range."""
