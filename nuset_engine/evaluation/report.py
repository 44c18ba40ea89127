"""One HTML page that shows an evaluation and needs no other file: what was measured, how good, and the worst images."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from nuset_engine.evaluation.scores import Evaluation
from nuset_engine.evaluation.worst_images import WorstImages

# The measure's column in the tables -> what it is; the twelve of the paper first, in its order.
DEFINITIONS = {
    "touching_separated_rate": "of the true nuclei that touch another (diagonals count), the share matched at IoU 0.5",
    "correct": "predicted nuclei matched one to one with a true one at IoU 0.5",
    "incorrect": "predicted nuclei without a match; the next three are parts of them",
    "split": "incorrect predictions in groups of one true nucleus and several predictions",
    "merge": "incorrect predictions in groups of several true nuclei and one prediction",
    "catastrophe": "incorrect predictions in groups of several true nuclei and several predictions",
    "fn_rate": "share of true nuclei whose best IoU with any prediction is below 0.7",
    "fp_rate": "share of predicted nuclei whose best IoU with any true nucleus is below 0.7",
    "mean_iou": "pixels: mean over foreground and background of TP / (TP + FP + FN); mean over images",
    "rmse": "pixels: root of the mean squared difference of the masks; mean over images",
    "f1": "pixels: 2 precision recall / (precision + recall) of the foreground; mean over images",
    "pixel_accuracy": "pixels: share on which the masks agree; mean over images",
    "ap": "mean of TP / (TP + FP + FN) over the IoU thresholds 0.5, 0.55 .. 0.95",
    **{f"ap_{t}": f"TP / (TP + FP + FN) at IoU {t / 100:g}" for t in range(50, 100, 5)},
    "pq": "panoptic quality: summed IoU of matches above 0.5 over TP + FP / 2 + FN / 2",
    "seg": "SEG of the Cell Tracking Challenge: mean IoU of true nuclei with the prediction covering over half of them",
}
SHOWN_PER_IMAGE = (
    "true_nuclei",
    "predicted_nuclei",
    "ap_50",
    "ap",
    "pq",
    "touching_separated_rate",
    "fn_rate",
    "fp_rate",
)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: 1rem 0 2rem; } th, td { padding: .2rem .7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr:nth-child(even) { background: #f3f3f3; }
td.words { text-align: left; color: #555; } figure { display: inline-block; margin: 0 1rem 1rem 0; width: 21rem; }
figure img { width: 100%; image-rendering: pixelated; } figcaption { font-size: .85rem; overflow-wrap: anywhere; }
"""


def write_report(
    path: Path,
    evaluation: Evaluation,
    sheet: WorstImages,
    subject: str,
    tables: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    evaluation : Evaluation
    sheet : WorstImages
        Its images are put into the page.
    subject : str
        What was evaluated: weights, images.
    tables : mapping, optional
        Further tables by the headings that they get, in this order.
    """
    overall = evaluation.overall.iloc[0]
    parts = [f"<h1>Evaluation</h1><p>{html.escape(subject)}</p><h2>All images</h2>", _measures(overall)]
    for heading, table in (tables or {}).items():
        parts += [f"<h2>{html.escape(heading)}</h2>", _table(table)]
    parts += ["<h2>Worst images</h2><p>Truth cyan, prediction orange; the number is the mean average precision.</p>"]
    parts += [
        f'<figure><img alt="" src="data:image/png;base64,{base64.b64encode(picture).decode("ascii")}">'
        f"<figcaption>{html.escape(name)}: {score:.2f}</figcaption></figure>"
        for name, score, picture in sheet.pictures()
    ]
    shown = [column for column in SHOWN_PER_IMAGE if column in evaluation.images]
    parts += ["<h2>Image by image, worst first</h2>", _table(evaluation.images[shown].sort_values("ap", kind="stable"))]
    page = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Evaluation</title><style>{STYLE}</style>'
    path.write_text(page + "".join(parts) + "</html>\n", encoding="utf-8")


def _measures(overall: pd.Series) -> str:
    rows = [
        f'<tr><td>{name}</td><td>{_number(overall[name])}</td><td class="words">{html.escape(meaning)}</td></tr>'
        for name, meaning in DEFINITIONS.items()
        if name in overall
    ]
    images, true, predicted = (f"{overall[name]:g}" for name in ("images", "true_nuclei", "predicted_nuclei"))
    counts = f"{images} images, {true} true and {predicted} predicted nuclei"
    return f"<p>{counts}.</p><table><tr><th>measure</th><th>value</th><th></th></tr>{''.join(rows)}</table>"


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in ["", *frame.columns])
    rows = [
        f"<tr><td>{html.escape(str(name))}</td>{''.join(f'<td>{_number(value)}</td>' for value in row)}</tr>"
        for name, row in zip(frame.index, frame.to_numpy(dtype=float), strict=True)
    ]
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _number(value: float) -> str:
    """A count as it is, a share with three digits, nothing for NaN."""
    if value != value:
        return ""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) != 1 else f"{value:.3f}"
