"""How good new weights are beside those that they are to replace: on images that neither was chosen by."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from daemon.jobs.job_folders import RESULTS
from daemon.jobs.prediction import REPORT
from daemon.jobs.training_order import NEW, PRESENT

MEASURES = {
    "ap_50": ("average precision at IoU 0.5", True),
    "ap": ("average precision over IoU 0.5 to 0.9", True),
    "touching_separated_rate": ("touching nuclei that are separated", True),
    "fn_rate": ("nuclei that are missed", False),
    "fp_rate": ("false nuclei", False),
    "mean_iou": ("mean IoU of the mask", True),
}
"""What people are shown, and whether more of it is better."""


def scores(folder: Path) -> dict[str, Any] | None:
    """Both rows of scores as far as they are there; None before the first."""
    places = (folder / RESULTS, folder / RESULTS / REPORT)  # the second where corrections were learned from
    new, present = (_row(next((p for p in places if (p / f"{name}.json").is_file()), places[0]) / f"{name}.json")
                    for name in (NEW, PRESENT))  # fmt: skip
    if new is None:
        return None
    rows = [
        {
            "measure": words,
            "better": "higher" if up else "lower",
            "new": _value(new, name),
            "present": _value(present, name),
        }
        for name, (words, up) in MEASURES.items()
    ]
    return {"images": _value(new, "images"), "rows": rows}


def _row(file: Path) -> dict[str, Any] | None:
    try:
        [row] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return None
    return row if isinstance(row, dict) else None


def _value(row: dict[str, Any] | None, name: str) -> float | None:
    value = None if row is None else row.get(name)
    return round(value, 4) if isinstance(value, int | float) and math.isfinite(value) else None
