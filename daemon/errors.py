"""The errors that `daemon` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations


class DaemonError(Exception):
    """Root of the errors that `daemon` raises on purpose."""


class UsageError(DaemonError):
    """The command was given something that it cannot work with (exit code 2)."""


class ConfigError(UsageError):
    """The configuration file has faults; the message lists all of them, one per line."""


class EngineFailedError(DaemonError):
    """The worker can do no task, for want of an engine most likely: no image can be processed."""
