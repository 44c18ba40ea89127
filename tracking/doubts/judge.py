"""How likely each decision of a frame is wrong, as far as later frames are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN
from tracking.doubts.curves import probability
from tracking.doubts.model import FAULTS, DoubtModel
from tracking.doubts.of_gaps import missed_features
from tracking.doubts.of_links import birth_features, division_features, end_features, link_features
from tracking.doubts.of_nuclei import nucleus_features
from tracking.doubts.surroundings import Crossing, Logits, crossing
from tracking.doubts.told import DIGITS, LITTLE, NO_FAULT, FrameDoubts
from tracking.evidence.frame import Frame

Features = dict[str, FloatsN]


@dataclass(frozen=True)
class Evidence:
    """Features of one kind of decisions.

    Attributes
    ----------
    rows : (D,) or (D, 2) int64
        Nuclei that each is about; of divisions the two daughters.
    features : dict of name to (D,)
    """

    rows: RowsN
    features: Features


def stage_of(frames: list[Frame], index: int) -> str:
    """Whether later frames are known."""
    return "fresh" if index == len(frames) - 1 else "settled"


def link_evidence(frames: list[Frame], index: int, wrong: Logits) -> dict[str, Evidence]:
    """Evidence of how the nuclei of a frame began or go on from earlier ones (rows of it), and of how they end."""
    found: dict[str, Evidence] = {}
    into = crossing(frames, index) if index > 0 else None
    if into is not None:
        made: tuple[tuple[str, Callable[..., tuple[RowsN, Features]]], ...] = (
            ("link", link_features),
            ("missed", missed_features),
            ("division", division_features),
            ("birth", birth_features),
        )
        for kind, features in made:
            found[kind] = Evidence(*features(frames, index, into, wrong))
    out: Crossing | None = crossing(frames, index + 1) if index + 1 < len(frames) else None
    if out is not None:
        found["end"] = Evidence(*end_features(frames, index + 1, out, wrong))
    return {kind: evidence for kind, evidence in found.items() if len(evidence.rows)}


def judge(frames: list[Frame], index: int, model: DoubtModel) -> FrameDoubts:
    """Return how likely each decision of a frame is wrong; its `wrong`, on which those beside it rest, is written."""
    frame, stage = frames[index], stage_of(frames, index)
    features, count = nucleus_features(frames, index), len(frame)
    frame.wrong = model.curves["nucleus", stage].logit(features, count)
    fault = np.full(count, NO_FAULT, np.int64)
    some = np.flatnonzero(probability(frame.wrong) > LITTLE)
    if len(some):
        named = {name: values[some] for name, values in features.items()}
        fault[some] = np.argmax([model.curves[one, stage].logit(named, len(some)) for one in FAULTS], axis=0)
    link_doubt, end_doubt = np.full(count, np.nan), np.full(count, np.nan)
    wrong = [one.wrong for one in frames]
    for kind, evidence in link_evidence(frames, index, wrong).items():
        logit = model.curves[kind, "settled" if kind == "end" else stage].logit(evidence.features, len(evidence.rows))
        if kind == "end":
            end_doubt[evidence.rows] = probability(logit)
        else:
            link_doubt[evidence.rows.T] = probability(logit)
    columns = (np.round(values, DIGITS) for values in (probability(frame.wrong), link_doubt, end_doubt))
    doubt, link_doubt, end_doubt = columns
    return FrameDoubts(frame.t, frame.labels, doubt, fault, link_doubt, end_doubt)
