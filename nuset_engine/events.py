"""Rare events: boxes with confidence for what a network was trained to notice among nuclei, such as mitoses.

They are learned with the attention weights of `targets.attention_weights`. The detector normalises by the whole image,
as its training does: the foreground that labels of events give is not that of all nuclei.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nuset_engine.arrays import IntsN, PlaneYX
from nuset_engine.assignment import assign
from nuset_engine.inference.passes import run_network
from nuset_engine.inference.proposals import EMPTY, Proposals, box_ious
from nuset_engine.inference.survey import StackStatistics, of_whole_image
from nuset_engine.models.registry import predictor_of
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.runtime.choice import read_by, weights_named
from nuset_engine.runtime.names import AUTO
from nuset_engine.segment import Segmenter

SAME_EVENT_IOU = 0.15
"""Least intersection over union of boxes of neighbouring slices that are one event: phases change their outline."""


class EventDetector:
    """A network trained on rare events, and one trained on nuclei that tells it their size.

    Parameters
    ----------
    weights : str or Path
        Of the events, from training in the mode ``events``.
    nuclei : str or Path
        Weights that find all nuclei.
    min_score : float
        Least confidence of an event.
    params : SegmentationParams, optional
        `nucleus_diameter_px`, if the size is known.
    threads : int, optional
    runtime : str
        Of both networks, see `runtime.choice.read_by`.

    Raises
    ------
    EngineError
        If there are no such weights, they are damaged, or the runtime cannot be had.
    """

    def __init__(
        self,
        weights: str | Path = "mitosis",
        nuclei: str | Path = "fluorescence",
        min_score: float = 0.4,
        params: SegmentationParams | None = None,
        threads: int | None = None,
        runtime: str = AUTO,
    ) -> None:
        self.weights_info = read_by(weights_named(weights), runtime)
        self.min_score = min_score
        self.nuclei = Segmenter(nuclei, params, threads, runtime)
        self._predictor = predictor_of(self.weights_info, threads)

    def statistics(self, planes: Sequence[PlaneYX]) -> StackStatistics:
        """Nucleus size, polarity and whole-image intensity of a stack, from a few of its slices."""
        found = self.nuclei.statistics(planes)
        return found if found.is_blank else of_whole_image(planes, found)

    def detect(self, planes: Sequence[PlaneYX], statistics: StackStatistics | None = None) -> Iterator[Proposals]:
        """Events of each slice in turn.

        Parameters
        ----------
        planes : sequence of (Y, X)
        statistics : StackStatistics, optional
            From `statistics`; measured on these planes where not given.

        Yields
        ------
        Proposals
            Boxes in source pixels, best first.
        """
        known = statistics or self.statistics(planes)
        p = self.nuclei.params
        for z in range(len(planes)):
            plane = np.asarray(planes[z])
            if known.is_blank:
                yield EMPTY
                continue
            small = ScaledPlane(plane, known.scale, known.intensity.background, known.exposure).whole()
            (maps,) = run_network(
                [small],
                known.intensity,
                self._predictor,
                stacked=known.stacked,
                tile=p.tile_px,
                min_score=self.min_score,
                nms_iou=p.nms_iou,
            )
            yield in_source_pixels(maps.proposals, small.shape, plane.shape)


def in_source_pixels(found: Proposals, network: tuple[int, ...], source: tuple[int, ...]) -> Proposals:
    """Boxes on a plane of shape `network` (Y, X) as boxes on the plane of shape `source` that it came from."""
    scale = np.array([source[0] / network[0], source[1] / network[1]] * 2, np.float32)
    limits = np.array([source[0], source[1]] * 2, np.float32)
    return Proposals(np.clip(found.boxes * scale, 0, limits), found.scores)


def linked(slices: Sequence[Proposals], min_iou: float = SAME_EVENT_IOU) -> list[IntsN]:
    """Number the events of a stack, of which each box shows a section.

    Parameters
    ----------
    slices : sequence of Proposals
        From the first slice to the last.
    min_iou : float
        Boxes of neighbouring slices that overlap so much are one event; each has at most one box before it and one
        after it, those that overlap most.

    Returns
    -------
    list of (N,) int64
        For each slice the numbers of its boxes, from 1 in the order in which events begin.
    """
    numbers: list[IntsN] = []
    count = 0
    for z, here in enumerate(slices):
        mine = np.zeros(len(here), np.int64)
        if z and len(here) and len(slices[z - 1]):
            iou = box_ious(slices[z - 1].boxes, here.boxes)
            before, after = np.nonzero(iou >= min_iou)
            chosen = assign(before, after, iou[before, after])
            mine[after[chosen]] = numbers[-1][before[chosen]]
        new = mine == 0
        mine[new] = count + 1 + np.arange(new.sum())
        count += int(new.sum())
        numbers.append(mine)
    return numbers
