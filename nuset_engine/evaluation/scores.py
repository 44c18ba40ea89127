"""Evaluation of a whole data set: a row of scores per image and one for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from nuset_engine.arrays import Labels, Mask
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.metrics import IOU_THRESHOLDS, match_overlap, panoptic_of, seg_ious
from nuset_engine.evaluation.paper_metrics import NucleusCounts, nucleus_counts, pixel_metrics, touching_labels
from nuset_engine.overlap import overlap

MASK_SHARE = 0.1  # a second piece smaller than this share of the first may be a stray part of one nucleus
PIXEL_METRICS = ("mean_iou", "rmse", "f1", "pixel_accuracy")


def threshold_name(kind: str, threshold: float) -> str:
    """Column of a score at a threshold: ``ap_50``, ``tp_75``."""
    return f"{kind}_{round(threshold * 100)}"


@dataclass(frozen=True)
class Evaluation:
    """Scores of a data set.

    Attributes
    ----------
    images : pandas.DataFrame
        One row per image, index `name`: the counts behind the paper's metrics and the metrics themselves
        (`paper_metrics`; `touching_separated` is the count, `touching_separated_rate` the share), ``ap_50 .. ap_95``,
        their mean ``ap``, ``pq, sq, rq, seg``, and sums from which the row of all images is made.
    overall : pandas.DataFrame
        One row ``all``: counts pooled over images, so that every nucleus counts the same; pixel metrics averaged over
        images, as in the paper; `ap_50_by_image` is the mean of the images' own.
    """

    images: pd.DataFrame
    overall: pd.DataFrame

    def worst(self, count: int, by: str = "ap") -> list[str]:
        """Names of the images with the lowest score, worst first; names break ties."""
        return [str(name) for name in self.images.sort_index().sort_values(by, kind="stable").index[:count]]


def evaluate(samples: Iterable[tuple[str, Labels, Labels]], thresholds: Sequence[float] = IOU_THRESHOLDS) -> Evaluation:
    """Score images one after the other; none is kept.

    Parameters
    ----------
    samples : iterable of (name, truth, predicted)
        Label images of one shape each, in two or three dimensions.
    thresholds : sequence of float
        Of the average precision.

    Raises
    ------
    EngineError
        If there is no image, two have the same name, or truth and prediction of one do not fit together (its name is in
        the message).
    """
    rows: dict[str, dict[str, float]] = {}
    for name, truth, predicted in samples:
        if name in rows:
            raise EngineError(f"Two images are called {name!r}; give each a name of its own.")
        try:
            rows[name] = score_image(truth, predicted, thresholds)
        except EngineError as error:
            raise EngineError(f"{name} cannot be scored: {error}") from error
    return summarised(rows, thresholds)


def summarised(rows: dict[str, dict[str, float]], thresholds: Sequence[float] = IOU_THRESHOLDS) -> Evaluation:
    """The tables of images that were scored one by one with `score_image`, by name.

    Raises
    ------
    EngineError
        If there is no image.
    """
    if not rows:
        raise EngineError("There is nothing to evaluate; give at least one image with its labels.")
    images = pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")
    counts = [field.name for field in fields(NucleusCounts)]
    hits = [threshold_name("tp", threshold) for threshold in thresholds]
    images = images.astype(dict.fromkeys([*counts, *hits], "int64"))
    return Evaluation(images, _overall(images, thresholds))


def check_instances(labels: Labels) -> None:
    """Refuse what is no label image.

    Parameters
    ----------
    labels : (Y, X) or (Z, Y, X)

    Raises
    ------
    EngineError
        If the values are no whole numbers from 0, or all nuclei have the same one, as in a mask.
    """
    if labels.ndim not in (2, 3) or (labels.ndim == 3 and labels.shape[-1] in (3, 4)):
        raise EngineError(
            f"a label image is a plane (Y, X) or a stack (Z, Y, X), not {labels.shape}; save one number per nucleus."
        )
    if labels.dtype.kind not in "iub" or (labels.dtype.kind == "i" and labels.min(initial=0) < 0):
        raise EngineError(f"labels of type {labels.dtype} are no whole numbers from 0; save one number per nucleus.")
    values = labels[labels > 0]
    if values.size and values.min() == values.max():
        areas = np.sort(np.bincount(ndi.label(labels)[0].ravel())[1:])
        if len(areas) > 1 and areas[-2] >= MASK_SHARE * areas[-1]:
            raise EngineError(
                f"all of its {len(areas)} objects have the number {values.min()}, so it is a mask, no label image; "
                "save one number per nucleus."
            )


def seen_nuclei(labels: Labels, seen: Mask) -> Labels:
    """Return labels without the nuclei of which most lies where nobody looked, `seen` being false."""
    areas = np.bincount(labels.ravel())
    kept = np.bincount(labels[seen], minlength=len(areas)) * 2 >= np.maximum(areas, 1)
    return np.where(kept[labels], labels, 0)


def score_image(truth: Labels, predicted: Labels, thresholds: Sequence[float] = IOU_THRESHOLDS) -> dict[str, float]:
    """All scores of one image; see `Evaluation.images` for the names."""
    found = overlap(truth, predicted)
    half = match_overlap(found)
    counts = nucleus_counts(found, half, touching_labels(truth))
    seg_parts = seg_ious(found)
    row: dict[str, float] = asdict(counts) | _rates(counts) | pixel_metrics(truth, predicted)
    matchings = [match_overlap(found, threshold) for threshold in thresholds]
    row |= {threshold_name("ap", m.threshold): m.average_precision for m in matchings}
    row["ap"] = float(np.mean([m.average_precision for m in matchings]))
    row |= panoptic_of(half) | {"seg": float(seg_parts.mean()) if len(seg_parts) else 1.0}
    row |= {threshold_name("tp", m.threshold): m.true_positives for m in matchings}
    return row | {"matched_iou_sum": float(half.ious[half.ious > 0.5].sum()), "seg_sum": float(seg_parts.sum())}


def _rates(counts: NucleusCounts) -> dict[str, float]:
    """The shares among the nucleus metrics, named apart from the counts."""
    metrics = counts.metrics()
    return {
        "touching_separated_rate": metrics["touching_separated"],
        "fn_rate": metrics["fn_rate"],
        "fp_rate": metrics["fp_rate"],
    }


def _overall(images: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """The row of all images."""
    totals = NucleusCounts(**{f.name: int(images[f.name].sum()) for f in fields(NucleusCounts)})
    row: dict[str, float] = {"images": len(images)} | asdict(totals) | _rates(totals)
    row |= {name: float(images[name].mean()) for name in PIXEL_METRICS}
    both = totals.true_nuclei + totals.predicted_nuclei
    precisions = {}
    for threshold in thresholds:
        hits = int(images[threshold_name("tp", threshold)].sum())
        precisions[threshold_name("ap", threshold)] = hits / (both - hits) if both else 1.0
    row |= precisions | {"ap": float(np.mean(list(precisions.values())))}
    first = threshold_name("ap", thresholds[0])
    row[f"{first}_by_image"] = float(images[first].mean())
    row["pq"] = float(images["matched_iou_sum"].sum()) / (both / 2) if both else 1.0
    row["seg"] = float(images["seg_sum"].sum()) / totals.true_nuclei if totals.true_nuclei else 1.0
    return pd.DataFrame([row], index=pd.Index(["all"], name="name"))
