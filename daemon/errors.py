"""The errors that `daemon` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations


class DaemonError(Exception):
    """Root of the errors that `daemon` raises on purpose."""
