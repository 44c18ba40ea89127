"""The errors that `storage` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations


class StorageError(Exception):
    """Root of the errors that `storage` raises on purpose."""
