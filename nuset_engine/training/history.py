"""The history of a training run: a row per validation, and its plot."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

COURSE = ("step", "learning_rate", "seconds")
LOSSES = ("loss", "validation_loss")
"""Columns of every history, between which stand the parts of the loss of the model that is trained."""


def record(history: Path, row: Mapping[str, float]) -> None:
    """Append a row to the history."""
    fresh = not history.is_file()
    with history.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{row[name]:.6g}" for name in row})


def plot_history(history: Path) -> Path:
    """Draw training and validation loss over the steps beside the history file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with history.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    steps = [float(r["step"]) for r in rows]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    parts = [name for name in rows[0] if name not in (*COURSE, *LOSSES)]
    for name in (*LOSSES, *parts):
        thick = name in LOSSES
        axes.plot(steps, [float(r[name]) for r in rows], label=name, linewidth=2 if thick else 0.8)
    axes.set(xlabel="step", ylabel="loss", yscale="log", title="Training history")
    axes.legend(ncols=2, fontsize="small")
    target = history.with_suffix(".png")
    figure.savefig(target, dpi=120)
    plt.close(figure)
    return target
