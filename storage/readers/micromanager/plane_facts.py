"""What Micro-Manager writes of a plane besides its pixels: when it was taken, and where the stage stood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.readers.length_units import place_um

MOST = 10_000
"""Time points whose own metadata is read."""


@dataclass(frozen=True)
class PlaneFacts:
    """Of the first plane of a time point.

    Attributes
    ----------
    elapsed_s : float or None
        Since the recording began.
    stage_um : (y, x) or None
    """

    elapsed_s: float | None = None
    stage_um: tuple[float, float] | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> PlaneFacts:
        """Read the metadata of a plane."""
        elapsed = said.get("ElapsedTime-ms")
        return cls(elapsed / 1000.0 if isinstance(elapsed, int | float) else None, _stage(said))


def _stage(said: Mapping[str, Any]) -> tuple[float, float] | None:
    """Where the stage was, or else was to go; a microscope without one writes zeros."""
    if said.get("Core-XYStage") == "":
        return None
    for name in ("PositionUm", "Position_um_Intended"):
        y, x = (place_um(said.get(f"{axis}{name}"), "um") for axis in "YX")
        if y is not None and x is not None:
            return y, x
    return None


def time_stamps(facts: Mapping[int, PlaneFacts], size_t: int) -> tuple[float, ...]:
    """Return seconds from the first time point; empty unless every one of several says when it was."""
    stamps = [facts[t].elapsed_s if t in facts else None for t in range(size_t)] if 1 < size_t <= MOST else []
    known = [stamp for stamp in stamps if stamp is not None]
    return tuple(round(stamp - known[0], 6) for stamp in known) if len(known) == len(stamps) else ()


def stages(facts: Mapping[int, PlaneFacts]) -> dict[int, tuple[float, float]]:
    """Return where the stage stood, by time point."""
    return {t: one.stage_um for t, one in facts.items() if one.stage_um is not None}
