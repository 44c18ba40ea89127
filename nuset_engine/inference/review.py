"""What is done about the nuclei of a single plane once the network has read it."""

from __future__ import annotations

from nuset_engine.arrays import PlaneF32
from nuset_engine.inference.maps import Separated
from nuset_engine.inference.passes import Reading
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.second_look import with_dim_ones
from nuset_engine.inference.trimming import trimmed
from nuset_engine.params import SegmentationParams


def reviewed(
    found: Separated, shown: PlaneF32, reading: Reading, predictor: Predictor, params: SegmentationParams
) -> Separated:
    """Nuclei of a plane or a part of it, those that are none dropped and dim ones added; slices of stacks stay.

    In a slice, what is dim beside bright nuclei lies mostly above or below it.

    Parameters
    ----------
    found : Separated
    shown : (Y, X) float32
        What they were found on, at network resolution.
    reading : Reading
        How it was read.
    predictor : Predictor
    params : SegmentationParams
    """
    if reading.stacked or not params.second_look:
        return found
    clear = trimmed(found, shown, reading.statistics, params.min_area_fraction)
    return with_dim_ones(clear, shown, reading, predictor, params)
