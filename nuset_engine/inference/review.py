"""What is done about the nuclei of a single plane once the network has read it."""

from __future__ import annotations

from nuset_engine.arrays import PlaneF32
from nuset_engine.inference.maps import Separated
from nuset_engine.inference.passes import Reading
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.second_look import with_dim_ones
from nuset_engine.inference.trimming import trimmed
from nuset_engine.outlines.placing import FOOT_SHARE, HALF_SHARE, placed
from nuset_engine.params import FOOT, HALF, LEARNED, SegmentationParams

SHARES = {HALF: HALF_SHARE, FOOT: FOOT_SHARE}  # of the rim's contrast that are left at the outline


def reviewed(
    found: Separated, shown: PlaneF32, reading: Reading, predictor: Predictor, params: SegmentationParams
) -> Separated:
    """Nuclei of a plane or a part of it, each outlined where the parameters say; those that are none dropped, and dim
    ones added.

    A slice of a stack is not looked at twice: what is dim beside bright nuclei lies mostly above or below it. Its
    nuclei stay as they were learned unless another outline is asked for.

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
    if params.second_look and not reading.stacked:
        clear = trimmed(found, shown, reading.statistics, params.min_area_fraction)
        found = with_dim_ones(clear, shown, reading, predictor, params)
    if not len(found.scores) or (reading.stacked and params.outline == LEARNED):
        return found
    share = SHARES.get(params.outline)
    labels, probability = placed(found.labels, found.probability, shown, params.foreground_threshold, share)
    return Separated(labels, found.scores, probability)
