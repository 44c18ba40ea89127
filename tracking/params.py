"""Parameters of the tracker, one frozen object that is stored beside every result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nuset_engine.errors import ParameterFault
from nuset_engine.settings import plain_values, range_faults, setting
from tracking.errors import TrackingParametersError


@dataclass(frozen=True)
class TrackingParams:
    """How nuclei of neighbouring time points become tracks; each parameter says what it means in its `Setting`."""

    lag_frames: int = setting(
        5,
        "A link may be reconsidered until so many later time points were seen; then it is final. More than "
        "memory_frames.",
        "Raise it when links are wrong that later time points show to be so; lower it when tracks must be final "
        "sooner.",
        unit="time points",
        low=0,
        high=50,
        low_excluded=True,
    )
    memory_frames: int = setting(
        2,
        "A nucleus may go unseen for so many time points, absent ones included, and still keep its track. Of a series "
        "that counts in steps (every third number), steps are counted.",
        "Raise it when tracks break because nuclei are missed now and then; lower it when tracks jump to newcomers.",
        unit="time points",
        low=0,
        high=20,
    )
    search_range: float | None = setting(
        None,
        "Farthest that a nucleus can be found from where it is expected.",
        "Give it when tracks jump to other nuclei; it narrows what the data allow, and never widens it.",
        unit="um",
        low=0,
        low_excluded=True,
        unset="where chance becomes the better explanation, from the observed motion and the distances of neighbours",
    )
    division_range: float | None = setting(
        None,
        "Farthest that two newborn daughters can be apart.",
        "Give it when strangers are taken for daughters.",
        unit="um",
        low=0,
        low_excluded=True,
        unset="from past divisions",
    )
    find_divisions: bool = setting(
        True,
        "Nuclei may divide; without it no track has a parent.",
        "Switch it off for cells that do not divide, or movies too short for it.",
    )
    min_division_score: float = setting(
        0.5,
        "Divisions with a lower score (the probability against the best alternative) are not made.",
        "Raise it when divisions are invented; lower it when divisions are missed.",
        low=0,
        high=1,
        low_excluded=True,
        high_excluded=True,
    )

    def __post_init__(self) -> None:
        """Refuse values outside their range, all of them named at once."""
        faults = range_faults(self)
        if not any(fault.name == "lag_frames" for fault in faults) and self.lag_frames <= self.memory_frames:
            reason = f"is not above memory_frames = {self.memory_frames}"
            faults.append(ParameterFault("lag_frames", self.lag_frames, reason))
        if faults:
            raise TrackingParametersError("Tracking", faults)

    def as_dict(self) -> dict[str, Any]:
        """The parameters as plain values for JSON."""
        return plain_values(self)
