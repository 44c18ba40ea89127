"""Parameters of the segmentation, one frozen object that is stored beside every result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from nuset_engine.errors import EngineParametersError, ParameterFault

_FOREGROUND = ("foreground_threshold", "soft_foreground_threshold", "stack_foreground_threshold")
CRISP, SOFT = 0.53, 0.63  # width of outlines in the coarse pass, in network pixels; between them thresholds are mixed


@dataclass(frozen=True)
class SegmentationParams:
    """How planes become instance labels.

    Attributes
    ----------
    seed_score : float
        Proposals with a lower score seed no nucleus (0..1).
    min_score : float
        Nuclei with a lower score are dropped (0..1); the score is the geometric mean of the proposal's score, the mean
        foreground probability and the highest point of the distance map.
    nms_iou : float
        Of two proposals that overlap by more than this intersection over union, the better one stays.
    foreground_threshold, soft_foreground_threshold, stack_foreground_threshold : float
        Foreground probability from which a pixel belongs to a nucleus: of a single plane where outlines are crisp, of
        one where they are soft, so that nuclei look wider, and of the slices of a stack, which show out of focus what
        lies above and below them.
    nucleus_diameter_px : float or None
        Median nucleus diameter in source pixels; None: measured on each stack by the coarse pass.
    min_area_fraction : float
        Objects smaller than this fraction of the median nucleus area are removed as specks.
    tile_px : int
        Edge, in network pixels, of the square tiles that larger planes are cut into; tiles that reach over a whole side
        may be up to 1.75 times as long.
    """

    seed_score: float = 0.3
    min_score: float = 0.65
    nms_iou: float = 0.35
    foreground_threshold: float = 0.4
    soft_foreground_threshold: float = 0.6
    stack_foreground_threshold: float = 0.5
    nucleus_diameter_px: float | None = None
    min_area_fraction: float = 0.1
    tile_px: int = 768

    def __post_init__(self) -> None:
        """Refuse values outside their range, all of them named at once."""
        faults = [
            ParameterFault(name, getattr(self, name), "is not between 0 and 1")
            for name in ("seed_score", "min_score", "nms_iou", *_FOREGROUND, "min_area_fraction")
            if not 0.0 <= getattr(self, name) <= 1.0
        ]
        if self.nucleus_diameter_px is not None and not 2.0 <= self.nucleus_diameter_px <= 2000.0:
            reason = "is not between 2 and 2000 pixels"
            faults.append(ParameterFault("nucleus_diameter_px", self.nucleus_diameter_px, reason))
        if self.tile_px < 256 or self.tile_px % 32:
            faults.append(ParameterFault("tile_px", self.tile_px, "is not a multiple of 32 of at least 256"))
        if faults:
            raise EngineParametersError("Segmentation", faults)

    def of_stack(self) -> SegmentationParams:
        """What holds for the slices of a stack."""
        return replace(self, foreground_threshold=self.stack_foreground_threshold)

    def of_plane(self, softness: float) -> SegmentationParams:
        """What holds for a single plane whose outlines are so soft (`survey.edge_softness`)."""
        soft = min(max((softness - CRISP) / (SOFT - CRISP), 0.0), 1.0)
        mixed = (1 - soft) * self.foreground_threshold + soft * self.soft_foreground_threshold
        return replace(self, foreground_threshold=mixed)

    def as_dict(self) -> dict[str, float | int | None]:
        """The parameters as plain values for JSON."""
        return asdict(self)
