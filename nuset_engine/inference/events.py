"""Rare events: boxes with confidence for what a network was trained to notice among nuclei, such as mitoses.

They are learned with the attention weights of `targets.attention_weights`. The detector normalises by the whole image,
as its training does: the foreground that labels of events give is not that of all nuclei.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.assignment import assign
from nuset_engine.inference.passes import run_network
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.proposals import EMPTY, Proposals
from nuset_engine.inference.survey import StackStatistics, of_whole_image
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.segment import Segmenter
from nuset_engine.weights import find_weights


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

    Raises
    ------
    EngineError
        If there are no such weights or they are damaged.
    """

    def __init__(
        self,
        weights: str | Path = "mitosis",
        nuclei: str | Path = "fluorescence",
        min_score: float = 0.3,
        params: SegmentationParams | None = None,
        threads: int | None = None,
    ) -> None:
        self.weights_info = find_weights(weights)
        self.min_score = min_score
        self._nuclei = Segmenter(nuclei, params, threads)
        self._predictor = Predictor(self.weights_info)

    def statistics(self, planes: Sequence[np.ndarray]) -> StackStatistics:
        """Nucleus size, polarity and whole-image intensity of a stack, from a few of its slices."""
        found = self._nuclei.statistics(planes)
        return found if found.is_blank else of_whole_image(planes, found)

    def detect(self, planes: Sequence[np.ndarray], statistics: StackStatistics | None = None) -> Iterator[Proposals]:
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
        p = self._nuclei.params
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


@dataclass(frozen=True)
class EventScores:
    """How well events were found.

    Attributes
    ----------
    matched, true_count, found_count : int
    """

    matched: int
    true_count: int
    found_count: int

    @property
    def precision(self) -> float:
        """Share of the detections that are events; 1 where nothing was found."""
        return self.matched / self.found_count if self.found_count else 1.0

    @property
    def recall(self) -> float:
        """Share of the events that were found; 1 where there are none."""
        return self.matched / self.true_count if self.true_count else 1.0

    def __add__(self, other: EventScores) -> EventScores:
        """Both together."""
        return EventScores(
            self.matched + other.matched, self.true_count + other.true_count, self.found_count + other.found_count
        )


def score_events(truth: np.ndarray, found: Proposals, min_iou: float = 0.3) -> EventScores:
    """Match boxes with labelled events one to one, as many as possible.

    Parameters
    ----------
    truth : (Y, X) int
        Labels of the events.
    found : Proposals
        Boxes in the pixels of `truth`.
    min_iou : float
        Least intersection over union of a match, of boxes.
    """
    windows = [w for w in ndi.find_objects(truth) if w is not None]
    boxes = np.array([(y.start, x.start, y.stop, x.stop) for y, x in windows], np.float32).reshape(-1, 4)
    low = np.maximum(boxes[:, None, :2], found.boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], found.boxes[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, found.boxes)]
    iou = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-6)
    rows, columns = np.nonzero(iou >= min_iou)
    pairs = assign(rows, columns, iou[rows, columns])
    return EventScores(len(pairs), len(boxes), len(found))
