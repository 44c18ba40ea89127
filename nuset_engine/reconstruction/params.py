"""Parameters of the reconstruction, one frozen object that is stored beside every result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nuset_engine.errors import EngineParametersError, ParameterFault
from nuset_engine.settings import plain_values, range_faults, setting


@dataclass(frozen=True)
class VolumeParams:
    """How slices are joined, and which nuclei are kept; each parameter says what it means in its `Setting`."""

    min_iou: float = setting(
        0.2,
        "Sections of two slices are linked from this intersection over union on (or from min_overlap on).",
        "Raise it together with min_overlap when nuclei that lie on top of each other become one; lower it when one "
        "nucleus falls apart along z.",
        low=0,
        high=1,
        low_excluded=True,
    )
    min_overlap: float = setting(
        0.5,
        "Sections of two slices are also linked where they share this part of the smaller one.",
        "As min_iou.",
        low=0,
        high=1,
        low_excluded=True,
    )
    max_missed_slices: int | None = setting(
        None,
        "Longest run of slices without a nucleus that is bridged within it.",
        "Raise it when nuclei fall apart along z over bad slices; 0 bridges none.",
        unit="slices",
        low=0,
        high=10,
        unset="a third of a nucleus or, where slices are blank, as many as one nucleus can span, at most 3",
    )
    min_slices_to_drop: float = setting(
        3.0,
        "A nucleus in one slice alone is dropped where one of its width, or the stack's median nucleus, spans at least "
        "so many slices.",
        "Raise it when flat nuclei are lost; lower it when debris in single slices is taken for nuclei.",
        unit="slices",
        low=2,
    )
    surface_blur: float = setting(
        0.12,
        "How far surfaces are smoothed over slices, as a part of each nucleus' extent.",
        "0 leaves every slice its own outlines.",
        low=0,
        high=0.3,
    )
    min_diameter_um: float | None = setting(
        None,
        "Smaller nuclei are dropped: diameter of the sphere of the same volume, of a single plane that of the circle "
        "of the same area; in pixels where an image has no voxel size.",
        "Give it when debris is taken for nuclei.",
        unit="um",
        low=0,
        low_excluded=True,
        unset="nuclei of every size are kept",
        later=True,
    )
    max_diameter_um: float | None = setting(
        None,
        "Larger nuclei are dropped, measured as for min_diameter_um.",
        "Give it when clumps, or the whole field of view, are taken for a nucleus.",
        unit="um",
        low=0,
        low_excluded=True,
        unset="nuclei of every size are kept",
        later=True,
    )

    def __post_init__(self) -> None:
        """Refuse values outside their range, all of them named at once."""
        faults = range_faults(self)
        low, high = self.min_diameter_um, self.max_diameter_um
        if low is not None and high is not None and low > high:
            faults.append(ParameterFault("min_diameter_um", low, f"is above max_diameter_um = {high:g}"))
        if faults:
            raise EngineParametersError("Volume", faults)

    def as_dict(self) -> dict[str, Any]:
        """The parameters as plain values for JSON."""
        return plain_values(self)
