"""Which of several channels shows nuclei, from what a trial found in each.

Two questions, each answered by a logistic model of a few measures: whether what was found in a channel looks like
nuclei at all, and which of two channels shows them rather than the other. The second also looks at one channel where
the other has its objects: nuclei lie inside cells, and the stain of a cell's body is no brighter in the nucleus. The
models were fitted on rendered pictures (`tests/benchmarks/bench_channels.py --fit`) of other seeds than those that are
judged, and on real nuclei beside rendered channels, and rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, MatrixNM
from nuset_engine.channels.evidence import ChannelEvidence, contrast_at, nested

# Weights of score, contrast, roundness and evenness, and what is added: does it look like nuclei?
NUCLEI = (2.0, 0.15, 1.2, 1.3, -1.0)
# Weights of the differences of these four, of nesting, and of what one shows at the places of the other.
RATHER = (1.5, 0.5, 0.1, 0.6, 1.8, 2.0)
LIKELY, PREFERRED = 0.5, 0.9
"""Probabilities from which a channel counts as one with nuclei, and as preferred to another."""
ALONE_LIKELY, ALONE_PREFERRED, UNLIKELY = 0.3, 0.97, 0.05
"""The same for a channel beside others in which nothing is like nuclei."""
WIDTHS_UM = (2.0, 60.0)
"""Nuclei are no smaller and no larger."""


class Verdict(Enum):
    """What a trial came to."""

    CLEAR = "one channel shows nuclei and no other does as well"
    CLOSE = "which of them shows nuclei is not clear"
    NONE = "none of them shows nuclei"


@dataclass(frozen=True)
class ChannelFigures:
    """What a trial found in one channel, in numbers.

    Attributes
    ----------
    channel : int
    nuclei : int
        Sections of nuclei in the slices and the window that were looked at.
    score, contrast, roundness : float
        See `ChannelEvidence`.
    width_px, width_um : float
        Of the median section; micrometres where the size of a pixel is known.
    likelihood : float
        Of showing nuclei at all.
    preference : float
        Probability of showing them rather than the best of the others.
    """

    channel: int
    nuclei: int
    score: float
    contrast: float
    roundness: float
    width_px: float
    width_um: float | None
    likelihood: float
    preference: float


@dataclass(frozen=True)
class ChannelTrial:
    """The verdict, the channel that shows nuclei best, and the figures by which it was chosen."""

    verdict: Verdict
    best: int
    figures: tuple[ChannelFigures, ...]


def choose(
    found: Sequence[ChannelEvidence],
    channels: Sequence[int],
    hints: Sequence[float],
    pixel_um: float | None = None,
) -> ChannelTrial:
    """Compare channels.

    Parameters
    ----------
    found : sequence of ChannelEvidence
    channels : sequence of int
        Their numbers.
    hints : sequence of float
        What is known besides, such as of their names, in units of log odds.
    pixel_um : float, optional
        Size of a pixel.
    """
    likely = [_likelihood(one, pixel_um) for one in found]
    odds = preferences(found) + np.subtract.outer(np.asarray(hints, float), np.asarray(hints, float))
    alike = np.array([[a is b for b in found] for a in found])  # the same picture twice: it does not matter which
    preferred = [_least(odds[i], np.arange(len(found)) != i) for i in range(len(found))]
    best = int(np.argmax(preferred))
    rivals = (np.arange(len(found)) != best) & ~alike[best]
    verdict = _verdict(likely[best], _least(odds[best], rivals), max(np.asarray(likely)[rivals], default=0.0))
    if not rivals.any() or (found[best].nuclei and all(found[i].is_blank for i in np.flatnonzero(rivals).tolist())):
        verdict = Verdict.CLEAR  # there is nothing else
    figures = tuple(
        ChannelFigures(
            number,
            one.nuclei,
            round(one.score if one.nuclei else 0.0, 3),
            round(one.contrast, 2),
            round(one.roundness if one.nuclei else 0.0, 2),
            round(one.width_px, 1),
            None if pixel_um is None else round(one.width_px * pixel_um, 2),
            round(likely[i], 3),
            round(preferred[i], 3),
        )
        for i, (number, one) in enumerate(zip(channels, found, strict=True))
    )
    return ChannelTrial(verdict, channels[best], figures)


def _verdict(likely: float, preferred: float, rival: float) -> Verdict:
    """Judge by the best channel's likelihood and preference, and by the likelihood of the likeliest other one."""
    if likely >= LIKELY and preferred >= PREFERRED:
        return Verdict.CLEAR
    if likely >= ALONE_LIKELY and preferred >= ALONE_PREFERRED and rival <= UNLIKELY:
        return Verdict.CLEAR
    return Verdict.CLOSE if max(likely, rival) >= LIKELY else Verdict.NONE


def measures(one: ChannelEvidence) -> FloatsN:
    """Return score, contrast, roundness and evenness on scales on which they differ by about 1."""
    contrast, uneven = float(np.clip(one.contrast, -1, 4)), min(abs(one.core - 0.05), 0.6)
    return np.array([(one.score - 0.8) / 0.05, contrast - 1.5, (one.roundness - 0.85) / 0.1, 1 - uneven / 0.15])


def differences(one: ChannelEvidence, other: ChannelEvidence) -> FloatsN:
    """Return what tells two channels apart; with the channels exchanged, its negative."""
    shown = np.clip(contrast_at(other, one.planes), -2, 2) - np.clip(contrast_at(one, other.planes), -2, 2)
    inside = nested(one, other) - nested(other, one)
    return np.array([*(measures(one) - measures(other)), inside, shown])


def preferences(found: Sequence[ChannelEvidence]) -> MatrixNM:
    """Return the log odds of each channel (rows) against each other one (columns)."""
    odds = np.zeros((len(found), len(found)))
    for i, j in product(range(len(found)), repeat=2):
        if i < j:
            odds[i, j] = float(differences(found[i], found[j]) @ np.asarray(RATHER))
            odds[j, i] = -odds[i, j]
    return odds


def _likelihood(one: ChannelEvidence, pixel_um: float | None) -> float:
    if not one.nuclei:
        return 0.0
    if pixel_um is not None and not WIDTHS_UM[0] <= one.width_px * pixel_um <= WIDTHS_UM[1]:
        return 0.0
    return float(_probability(measures(one) @ np.asarray(NUCLEI[:-1]) + NUCLEI[-1]))


def _least(odds: FloatsN, among: FlagsN) -> float:
    return float(_probability(odds[among].min())) if among.any() else 1.0


def _probability(odds: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(odds, -50, 50))))
