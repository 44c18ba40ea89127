"""The errors that `nuset_engine` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations


class EngineError(ValueError):
    """Root of the errors that `nuset_engine` raises on purpose."""
