"""Parameters of the tracker, one frozen object that is stored beside every result."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from nuset_engine.errors import ParameterFault
from tracking.errors import TrackingParametersError


@dataclass(frozen=True)
class TrackingParams:
    """How nuclei of neighbouring time points become tracks. What is None is derived from the data.

    Attributes
    ----------
    lag_frames : int
        An assignment may be reconsidered until this many later time points were seen; then it is final.
    memory_frames : int
        A nucleus may go unseen for this many time points, absent ones included, and still keep its track. Of a series
        that counts in steps (every third number), steps are counted.
    search_range : float or None
        Farthest that a nucleus can be found from where it is expected, in the nuclei's unit; None: where chance
        becomes the better explanation, from the observed motion and the distances between neighbours.
    division_range : float or None
        Farthest that two newborn daughters can be apart, in the nuclei's unit; None: from past divisions.
    find_divisions : bool
        False: nuclei never divide, every track has no parent.
    min_division_score : float
        Divisions with a lower score (0..1, the probability against the best alternative) are not made.
    """

    lag_frames: int = 5
    memory_frames: int = 2
    search_range: float | None = None
    division_range: float | None = None
    find_divisions: bool = True
    min_division_score: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values outside their range, all of them named at once."""
        faults: list[ParameterFault] = []
        if not 0 <= self.memory_frames <= 20:
            faults.append(ParameterFault("memory_frames", self.memory_frames, "is not between 0 and 20"))
        if not self.memory_frames < self.lag_frames <= 50:
            reason = "is not above memory_frames and at most 50"
            faults.append(ParameterFault("lag_frames", self.lag_frames, reason))
        for name in ("search_range", "division_range"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < float("inf"):
                faults.append(ParameterFault(name, value, "is not a length above 0"))
        if not 0.0 < self.min_division_score < 1.0:
            faults.append(ParameterFault("min_division_score", self.min_division_score, "is not between 0 and 1"))
        if faults:
            raise TrackingParametersError("Tracking", faults)

    def as_dict(self) -> dict[str, float | int | bool | None]:
        """The parameters as plain values for JSON."""
        return asdict(self)
