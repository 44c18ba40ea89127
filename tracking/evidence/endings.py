"""What it costs that a nucleus goes on as none, and that one comes from nothing."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN
from tracking.evidence.beliefs import Belief
from tracking.evidence.frame import Frame
from tracking.evidence.sources import Sources

FRAGMENT = 0.3
"""Probability that what is suspected to be a part of a nucleus comes from nothing."""


def ending_cost(sources: Sources, belief: Belief) -> FloatsN:
    """Cost of leaving a source without continuation, over that of continuing it."""
    vanish = np.where(sources.fresh, np.maximum(belief.flicker, belief.vanish), belief.vanish)
    recent = np.log1p(-vanish) - np.log(vanish)
    return np.where(sources.back == 1, recent, missed_cost(sources.back, belief))


def missed_cost(back: IntsN, belief: Belief) -> FloatsN:
    """The same for sources that were last seen `back` frames ago, some of these without them."""
    regain = 0.5 * belief.regain ** (back - 1.0)
    return np.asarray(np.log(regain) - np.log1p(-regain))


def beginning_cost(frame: Frame, stays: IntsN, belief: Belief) -> FloatsN:
    """Cost of a target that comes from nothing, over that of a real one that is seen again as often as any.

    False nuclei seldom last and real ones mostly do, so that it costs more if the target is known to stay, and little
    if it is known to be gone. Parts of nuclei come and go with the errors of the segmentation.
    """
    appear = np.where(frame.suspect, max(belief.appear, FRAGMENT), belief.appear)
    lasting = np.array([1.0, belief.flicker, 1.0 - belief.flicker])[stays + 1]
    staying = np.array([1.0, belief.vanish, 1.0 - belief.vanish])[stays + 1]
    return np.asarray(np.log(staying) - np.log(appear * lasting))
