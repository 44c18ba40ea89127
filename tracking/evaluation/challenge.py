"""The measures of the Cell Tracking Challenge, by the challenge's own package, from what is matched frame by frame.

Definitions: https://celltrackingchallenge.net/evaluation-methodology and the papers named there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pandas as pd

from nuset_engine.arrays import IntsN, Labels, PairsN2
from nuset_engine.overlap import overlap
from tracking.arrays import TracksLBEP
from tracking.errors import TrackingError
from tracking.segments import gapless

MEASURES = ("SEG", "DET", "TRA", "LNK", "BC", "CT", "TF", "CCA", "division_precision", "division_recall")


@dataclass(frozen=True)
class MatchedFrame:
    """Objects of one time point, true and found, and which of them are the same.

    Attributes
    ----------
    true, found : (N,), (M,) int64
        Their labels, ascending.
    pairs : (P, 2) int64
        True label and the found one that covers more than half of it. Several true ones may share a found one.
    """

    true: IntsN
    found: IntsN
    pairs: PairsN2


def match_frame(true: Labels, found: Labels) -> MatchedFrame:
    """Match the objects of two label images of one shape: a true one with the found one that covers most of it."""
    table = overlap(true, found)
    covered = table.share_of_a > 0.5
    pairs = np.stack([table.labels_a[table.rows[covered]], table.labels_b[table.columns[covered]]], axis=1)
    return MatchedFrame(table.labels_a, table.labels_b, pairs.astype(np.int64).reshape(-1, 2))


def challenge_measures(
    true_tracks: TracksLBEP,
    found_tracks: TracksLBEP,
    frames: Sequence[MatchedFrame],
    seg: float = np.nan,
    frame_tolerance: int = 1,
) -> dict[str, float]:
    """All measures of one movie.

    Parameters
    ----------
    true_tracks, found_tracks : (K, 4) int64
        Label, first and last frame, parent or 0, without gaps: every track has an object in each of its frames.
    frames : sequence of MatchedFrame
        One per frame from 0 on; labels are those of the tracks.
    seg : float
        The measure SEG, which is about outlines and not about tracks.
    frame_tolerance : int
        Frames by which a division may be early or late.

    Returns
    -------
    dict
        `MEASURES`: SEG, DET, TRA, LNK, BC (F1 of divisions) with precision and recall, CT (complete tracks), TF (track
        fractions), CCA (distribution of cell cycles). NaN where a measure is not defined, as BC without divisions.

    Raises
    ------
    TrackingError
        If nothing is true, or the challenge's package is not installed.
    """
    if not any(len(frame.true) for frame in frames):
        raise TrackingError("The truth has no nuclei, so that nothing can be measured; give a movie with nuclei.")
    module = _challenge_package()
    labels = [frame.true.tolist() for frame in frames], [frame.found.tolist() for frame in frames]
    pairs = [frame.pairs[:, 0].tolist() for frame in frames], [frame.pairs[:, 1].tolist() for frame in frames]
    values: dict[str, float | None] = {"SEG": seg}
    values |= _graph_measures(module, (true_tracks, found_tracks), labels, pairs)
    values["CT"] = module.ct(found_tracks, true_tracks, labels[0], *pairs)
    values["TF"] = module.tf(true_tracks, labels[0], *pairs)
    values["CCA"] = module.cca(found_tracks, true_tracks)
    right, wrong, missed = module.raw_division_metrics(found_tracks, true_tracks, *pairs, i=frame_tolerance)
    values["BC"] = 2 * right / (2 * right + wrong + missed) if right + missed else None
    values["division_precision"] = right / (right + wrong) if right + wrong else None
    values["division_recall"] = right / (right + missed) if right + missed else None
    return {name: float("nan") if (value := values[name]) is None else float(value) for name in MEASURES}


def _graph_measures(
    module: ModuleType,
    tracks: tuple[TracksLBEP, TracksLBEP],
    labels: tuple[list[list[int]], list[list[int]]],
    pairs: tuple[list[list[int]], list[list[int]]],
) -> dict[str, float | None]:
    """DET, TRA and LNK: what it takes to turn the found graph into the true one."""
    from ctc_metrics.utils.representations import count_acyclic_graph_correction_operations

    # The package joins lists of edges, of which a movie of one frame has none: an empty frame more changes nothing.
    whole = tuple([*part, []] for part in (*labels, *pairs))
    counts = count_acyclic_graph_correction_operations(*tracks, *whole)
    return {
        "DET": module.det(**counts),
        "TRA": module.tra(**counts)[0],
        "LNK": module.lnk(**counts) if counts["num_edges"] else None,
    }


def challenge_scores(
    true: pd.DataFrame,
    found: pd.DataFrame,
    matches: Iterable[tuple[tuple[int, int], tuple[int, int]]],
    seg: float = np.nan,
    frame_tolerance: int = 1,
) -> dict[str, float]:
    """The same from tables of tracked nuclei.

    Parameters
    ----------
    true, found : pandas.DataFrame
        Columns t, label, track_id, parent_track_id (missing or 0: none). Tracks may have gaps.
    matches : iterable of (true node, found node)
        Nodes are (t, label): which nuclei are the same, for example from the IoU of their labels.
    seg, frame_tolerance
        As in `challenge_measures`.
    """
    true_tracks, true_number = gapless(true)
    found_tracks, found_number = gapless(found)
    start = min([*true["t"].tolist(), *found["t"].tolist()], default=0)
    true_nodes, found_nodes = _nodes(true, true_number), _nodes(found, found_number)
    stop = max([t for t, _ in (*true_nodes, *found_nodes)], default=start - 1) + 1
    pairs: list[list[tuple[int, int]]] = [[] for _ in range(start, stop)]
    for one, other in sorted(matches):
        pairs[one[0] - start].append((true_nodes[one], found_nodes[other]))
    frames = [
        MatchedFrame(
            np.array(sorted(true_number[true["t"] == t]), np.int64),
            np.array(sorted(found_number[found["t"] == t]), np.int64),
            np.array(pairs[t - start], np.int64).reshape(-1, 2),
        )
        for t in range(start, stop)
    ]
    shift = np.array([0, start, start, 0])
    return challenge_measures(true_tracks - shift, found_tracks - shift, frames, seg, frame_tolerance)


def _nodes(table: pd.DataFrame, number: IntsN) -> dict[tuple[int, int], int]:
    """Number of the track of each (t, label)."""
    return dict(zip(zip(table["t"].tolist(), table["label"].tolist(), strict=True), number.tolist(), strict=True))


def _challenge_package() -> ModuleType:
    """The package of the challenge.

    Raises
    ------
    TrackingError
        If it is not installed.
    """
    try:
        from ctc_metrics import metrics
    except ImportError as error:
        raise TrackingError(
            "The measures of the Cell Tracking Challenge need its package py-ctcmetrics, which is not installed; "
            "install it with pip install py-ctcmetrics."
        ) from error
    module: ModuleType = metrics
    return module
