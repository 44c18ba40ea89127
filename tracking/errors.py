"""The errors that `tracking` raises on purpose: one sentence each that says what, why and what to do."""

from __future__ import annotations

from nuset_engine.errors import ParametersError


class TrackingError(ValueError):
    """Root of the errors that `tracking` raises on purpose."""


class TrackingParametersError(ParametersError, TrackingError):
    """Parameters of the tracker are out of their range."""


class TrackerStateError(TrackingError):
    """The stored state of a tracker is damaged, or another version wrote it."""
